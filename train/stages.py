"""Making the stages of a bundle, one after the other."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cascade.errors import MissingExtraError, TrainingError
from cascade.llm.settings import LLMSettings
from cascade.machine import cores
from cascade.queues import describe
from cascade.stages.base import QUEUE, Adviser, Heads, Probabilities, Stage
from cascade.stages.llm import LLMStage
from train.examples import choose_pool, fit_neighbours
from train.linear import LinearFit
from train.options import Options
from train.took import FINE_TUNING, Took

INT8_ROWS = 2_000
"""Most gate tickets that int8 is compared with float32 on."""
HEAD_SHARE = 0.75
"""Share of a long ticket's tokens that come from its start, the rest from its end."""


@dataclass(slots=True)
class Made:
    """What is there so far: stages with the files that hold them, notes for the card, the time."""

    stages: list[Stage | Adviser] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    took: Took = field(default_factory=Took)

    def add(
        self, stage: Stage | Adviser, files: Mapping[str, bytes], notes: dict[str, Any]
    ) -> None:
        """Add a stage and its files, which come into a folder of its name."""
        self.stages.append(stage)
        self.put(stage.name, files)
        self.notes[stage.name] = notes

    def put(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Add files to a folder."""
        self.files |= {f"{folder}/{name}": data for name, data in files.items()}


def add_encoder(
    made: Made,
    train_on: tuple[list[str], dict[str, NDArray[np.int64]], LinearFit],
    judge_on: tuple[list[str], NDArray[np.int64]],
    heads: dict[str, tuple[str, ...]],
    options: Options,
    checkpoint_file: Path,
    say: Callable[[str], None],
) -> None:
    """Fine-tune, export and add the encoder stage."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError("torch", "train") from None
    from tokenizers import Tokenizer

    from cascade.stages.encoder import EncoderStage, TokenWindow
    from train import distil
    from train.bert import Encoder, most_tokens, pretrained
    from train.encoder import Interrupted
    from train.export import export
    from train.few import teach
    from train.recipe import Lessons

    texts, targets, linear = train_on
    torch.manual_seed(options.seed)
    torch.set_num_threads(cores())
    backbone, tokenizer, name = pretrained(options.encoder)
    if options.layers:
        distil.check(backbone, options.layers)
    most = min(options.tokens, most_tokens(backbone))
    window = TokenWindow(Tokenizer.from_str(tokenizer), most, HEAD_SHARE)
    width = sum(len(classes) for classes in heads.values())
    ids = [np.asarray(window(text), dtype=np.int32) for text in texts]
    lessons = Lessons(ids, targets, linear.out_of_fold[QUEUE])
    made.took.lap("tokens for the encoder")
    say(f"fine-tuning {name} on up to {len(texts):,} tickets, {options.minutes:g} minutes at most")
    model, taught = teach(
        lambda dropout: Encoder(copy.deepcopy(backbone), width, dropout),
        lessons,
        heads,
        options.minutes * (1 - distil.LEAST if options.layers else 1),
        checkpoint_file=checkpoint_file,
        say=say,
        seed=options.seed,
        quiet=options.quiet,
    )
    if options.layers:
        say(f"teaching {options.layers} layers what all of them say")
        left = max(options.minutes - taught["minutes"], options.minutes * distil.LEAST)
        how = distil.Distillation(left, options.layers)
        try:
            model, taught["student"] = distil.distil(
                model, lessons, heads, how, seed=options.seed, quiet=options.quiet
            )
        except KeyboardInterrupt:
            if not checkpoint_file.is_file():
                raise
            raise Interrupted from None  # the teacher's checkpoint stands
    made.took.lap(FINE_TUNING)
    say("exporting to ONNX")
    rows = np.random.default_rng(options.seed).permutation(len(judge_on[0]))[:INT8_ROWS]
    exported = export(
        model, window, heads, [judge_on[0][i] for i in rows], judge_on[1][rows], threads=cores()
    )
    cost = exported.notes["int8_macro_f1_cost"]
    if exported.precision == "float32":
        say(f"int8 would cost {cost} macro-F1, more than is allowed: the encoder stays float32")
    else:
        say(f"int8 costs {cost} macro-F1 against float32")
    config = {"cap": most, "head_share": HEAD_SHARE, "precision": exported.precision}
    files = {
        "model.onnx": exported.model,
        "tokenizer.json": tokenizer.encode(),
        "config.json": json.dumps(config, indent=2).encode(),
    }
    stage = EncoderStage(exported.model, window, heads, cores())
    made.add(stage, files, {"base": name, **config, **exported.notes})
    made.notes["encoder training"] = taught
    made.took.lap("exporting")


def add_examples(
    made: Made,
    texts: Sequence[str],
    targets: dict[str, NDArray[np.int64]],
    heads: Heads,
    linear: LinearFit,
    options: Options,
    say: Callable[[str], None],
) -> None:
    """Choose the pool of examples, and add the neighbours' vote and the llm stage on it."""
    pool = choose_pool(texts, targets, heads, linear.out_of_fold[QUEUE], seed=options.seed)
    say(f"chose {len(pool):,} examples")
    made.put("examples", pool.to_files())
    neighbours = fit_neighbours(pool, seed=options.seed)
    made.add(neighbours, neighbours.to_files(), {"examples": len(pool), "k": neighbours.vote.k})
    settings = options.llm or LLMSettings()
    # Answers given in training are none that a bundle could ask for again: it has no id yet.
    backend = settings.connect("training")
    llm = LLMStage(backend, pool, describe(pool, options.queues), threads=cores())
    say(f"asking {backend.name} in the llm stage")
    made.took.lap("examples")
    made.add(llm, llm.to_files(), {"backend": backend.name})


def witness(stage: Stage | Adviser, texts: Sequence[str], quiet: bool) -> Probabilities | Asking:
    """What the gates are fitted on: a stage's probabilities, or a way to ask an adviser."""
    return Asking(stage, texts, quiet) if isinstance(stage, Adviser) else stage.predict(texts)


class Asking:
    """Asks an adviser about rows of ``n`` texts: `train.witnesses.Ask`.

    Raises `TrainingError` where nobody is there to answer.
    """

    def __init__(self, stage: Adviser, texts: Sequence[str], quiet: bool) -> None:
        self.name, self._stage = stage.name, stage
        self._texts, self._quiet = texts, quiet
        self._asked, self._seconds = 0, 0.0

    @property
    def ms(self) -> float:
        """Milliseconds a ticket so far, several at a time; 0 where none was asked about."""
        return 1000 * self._seconds / max(self._asked, 1)

    def __call__(
        self, rows: NDArray[np.int64], joined: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], list[bool]]:
        said = np.empty_like(joined)
        answered: list[bool] = []
        size = 4 * cores()
        starts = range(0, len(rows), size)
        began = time.perf_counter()
        for start in tqdm(starts, desc=f"asking {self.name}", unit="batch", disable=self._quiet):
            part = slice(start, start + size)
            advice = self._stage.advise(
                [self._texts[row] for row in rows[part]], joined[part], None
            )
            said[part] = advice.probabilities[QUEUE]
            answered += [not reason for reason in advice.reasons]
        self._seconds += time.perf_counter() - began
        self._asked += len(rows)
        counts = self._stage.state["counts"]
        if counts and not counts.keys() & {"answered", "unsure"}:
            told = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
            raise TrainingError(
                f"the {self.name} stage had no answer to any ticket ({told}): see cascade llm "
                "check, or leave the stage out with --llm none"
            )
        return said, answered
