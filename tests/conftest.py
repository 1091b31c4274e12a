"""What several tests share: real, small data and a real bundle that is trained in seconds."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os

# Tests run beside each other, one a core. With more threads than that the linear algebra of
# small trainings waits in a loop for the other cores: three times the CPU time for nothing. It is
# read when numpy and torch are loaded, and by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from cascade.bundle import Bundle, Columns
from cascade.gate import NEVER, Gate, Gates, Join
from cascade.llm.settings import LLMSettings
from cascade.router import Cascade
from cascade.saving import write as write_bundle
from cascade.stages.base import QUEUE, Heads, Probabilities
from train.fit import train
from train.options import Options
from train.promise import Promise
from train.starter import generate, write

# How long an example takes is the machine's affair, and what else it does.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

ROOT = Path(__file__).parent.parent
STARTER_COLUMNS = Columns(
    text=("subject", "body"),
    label="queue",
    also=("urgency", "sentiment"),
    id="id",
)


Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """A file or folder that is made once for all processes that run tests beside each other.

    ``once("name", make)`` has ``make`` write it at the path that it is given, unless another
    process did, and waits while one does. What it gives is read by many tests: none changes it.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each of them has a folder of its own in there
        root = root.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        at = root / "once" / name
        at.parent.mkdir(exist_ok=True)
        with at.with_name(f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not at.exists():
                draft = at.parent / "draft" / name
                draft.parent.mkdir(exist_ok=True)
                make(draft)
                draft.rename(at)
        return at

    return made


@pytest.fixture(scope="session")
def starter_file(once: Once) -> Path:
    """500 generated tickets."""
    return once("starter.csv.gz", lambda path: write(path, 500, seed=3))


def quick(file: Path, out: Path, options: Options) -> None:
    """Train, without what 50 gate tickets cannot show or what has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.export.INT8_COST", 1.0)  # a single other answer is more than it may
        patch.setattr("train.few.FEW", 0)
        train(file, out, options, say=lambda line: None)


@pytest.fixture(scope="session")
def tiny_bundle(starter_file: Path, once: Once) -> Path:
    """A real bundle with both stages, int8 encoder included; too little trained to be good."""
    options = Options(
        STARTER_COLUMNS, minutes=0.1, tokens=64, promise=Promise(0.8, 0.6), quiet=True
    )
    return once("tiny", lambda out: quick(starter_file, out, options))


@pytest.fixture(scope="session")
def reader_bundle(starter_file: Path, encoder_folder: Callable[[str], Path], once: Once) -> Path:
    """A real bundle with all four stages, the package's own reader in the last one."""
    options = Options(
        STARTER_COLUMNS,
        0.03,
        str(encoder_folder("bert")),
        tokens=48,
        promise=Promise(0.8, 0.6),
        llm=LLMSettings(),
        quiet=True,
    )
    return once("reader", lambda out: quick(starter_file, out, options))


@pytest.fixture(scope="session")
def open_bundle(reader_bundle: Path, once: Once) -> Path:
    """The same with gates of our own: only the llm stage settles, and all tickets reach it."""
    made = Bundle.open(reader_bundle)
    weights = [(1.0,), (0.5, 1.0), (0.5, 1.0, 0.5), (0.5, 1.0, 0.5, 1.0)]
    gates = [
        Gate.even(
            stage,
            dict.fromkeys(made.manifest.heads, Join(its)),
            NEVER if stage != "llm" else 0.3,
            len(made.manifest.heads[QUEUE]),
        )
        for stage, its in zip(made.manifest.stages, weights, strict=True)
    ]
    # Nor does anybody seem to belong to no queue: what the stages say is all that counts.
    files = {name: made.read(name) for name in made.files if not name.startswith("scope/")}
    files["gates.json"] = json.dumps(Gates(tuple(gates)).to_dict()).encode()
    return once("open", lambda out: write_bundle(out, made.manifest, files))


@pytest.fixture(scope="session")
def linear_bundle(once: Once) -> Path:
    """A real bundle of the linear stage alone, of few tickets, so that it is small."""
    file = once("few.csv", lambda path: write(path, 300, seed=4))
    options = Options(STARTER_COLUMNS, minutes=0, promise=Promise(0.5, 0.6), quiet=True)
    return once("linear-only", lambda out: quick(file, out, options))


@pytest.fixture
def seal() -> Callable[[Path], None]:
    """Bring the hashes of a bundle that was tampered with in line with its files."""

    def reseal(folder: Path) -> None:
        file = folder / "bundle.json"
        plain = json.loads(file.read_text())
        for name in plain["files"]:
            plain["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        file.write_text(json.dumps(plain))

    return reseal


class FakeStage:
    """A stage that is sure of the queue whose name is in the text, as sure as it was told to be."""

    def __init__(self, name: str, sure: float, heads: Heads) -> None:
        self.name, self.sure, self.heads = name, sure, heads
        self.asked: list[str] = []
        """Every text that it was ever asked about."""

    def predict(self, texts: Sequence[str]) -> Probabilities:
        self.asked += texts
        out: Probabilities = {}
        for name, classes in self.heads.items():
            rest = (1 - self.sure) / (len(classes) - 1)
            out[name] = np.full((len(texts), len(classes)), rest, dtype=np.float32)
            for row, text in enumerate(texts):
                at = next((k for k, value in enumerate(classes) if value in text), 0)
                out[name][row, at] = self.sure
        return out


HEADS: Heads = {QUEUE: ("access", "billing", "bug"), "urgency": ("low", "high")}


@pytest.fixture
def fake_cascade() -> Callable[..., Cascade]:
    """A cascade of fake stages, each given by its name, its sureness and its gate's threshold."""

    def build(*stages: tuple[str, float, float], heads: Heads = HEADS) -> Cascade:
        gates = [
            # Only the stage itself counts, so that what it says is what the cascade says.
            Gate.even(
                name,
                dict.fromkeys(heads, Join((0.0,) * at + (1.0,))),
                threshold,
                len(heads[QUEUE]),
            )
            for at, (name, _, threshold) in enumerate(stages)
        ]
        fakes = [FakeStage(name, sure, heads) for name, sure, _ in stages]
        return Cascade(fakes, Gates(tuple(gates)), heads, "fake-0")

    return build


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def command() -> Run:
    """The real command line in a process of its own: ``command("route", "text", ...)``."""

    def run(*args: str | Path, **how: object) -> subprocess.CompletedProcess[str]:
        code = "from cascade.cli import main; main()"
        line = [sys.executable, "-c", code, *map(str, args)]
        return subprocess.run(line, capture_output=True, text=True, timeout=120, **how)

    return run


@pytest.fixture(scope="session")
def encoder_folder(once: Once) -> Callable[[str], Path]:
    """A folder with a tiny encoder of random weights, and a tokenizer that knows the tickets."""
    return lambda kind: once(kind, lambda folder: _write_encoder(kind, folder))


def _write_encoder(kind: str, folder: Path) -> None:
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import AutoModel, PreTrainedTokenizerFast
    from transformers.models.bert import BertConfig
    from transformers.models.distilbert import DistilBertConfig
    from transformers.models.roberta import RobertaConfig

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    texts = [f"{ticket.subject} {ticket.body}" for ticket in generate(300, seed=17)]
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=600, special_tokens=special)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    size = {"vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": 80}
    wide = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    wide["intermediate_size"] = 64
    config = {
        "bert": lambda: BertConfig(**size, **wide),
        "distilbert": lambda: DistilBertConfig(
            **size, dim=32, n_layers=2, n_heads=2, hidden_dim=64
        ),
        "roberta": lambda: RobertaConfig(**size, **wide, pad_token_id=0),
    }[kind]()
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)


@pytest.fixture(scope="session")
def data() -> Iterator[Path]:
    """The folder of public data sets; the test is skipped where there is none."""
    folder = Path(os.environ.get("CASCADE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no public data sets in {folder} (set CASCADE_DATA)")
    yield folder
