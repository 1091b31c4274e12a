"""The encoder stage: which tokens are kept, and one ticket at a time whatever the batch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from cascade.bundle import Bundle
from cascade.clean import clean
from cascade.errors import BundleError
from cascade.stages.base import SIGNALS
from cascade.stages.encoder import EncoderStage, TokenWindow
from train.starter import generate

TEXTS = [clean(f"{t.subject}\n{t.body}") for t in generate(40, seed=31)]
CLS, SEP, UNKNOWN, FIRST = 0, 1, 2, 3


def words_tokenizer(special: bool = True) -> Tokenizer:
    """One token for each of the words w0 to w999, whose id is 3 more than its number."""
    vocabulary = {"[CLS]": CLS, "[SEP]": SEP, "[UNK]": UNKNOWN}
    vocabulary |= {"a": 1003} | {f"w{n}": FIRST + n for n in range(1000)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
        )
    return tokenizer


def numbered(n: int) -> str:
    return " ".join(f"w{i}" for i in range(n))


# --- the window ---


def test_a_short_text_is_kept_whole_between_the_special_tokens() -> None:
    window = TokenWindow(words_tokenizer(), 10, 0.75)
    assert window(numbered(8)) == [CLS, *range(FIRST, FIRST + 8), SEP]
    assert window("") == [CLS, SEP]


def test_of_a_long_text_the_head_and_the_tail_are_kept() -> None:
    window = TokenWindow(words_tokenizer(), 10, 0.75)
    head, tail = range(FIRST, FIRST + 6), range(FIRST + 98, FIRST + 100)
    assert window(numbered(100)) == [CLS, *head, *tail, SEP]


@given(st.integers(0, 300), st.integers(3, 64), st.floats(0, 1))
def test_there_are_never_more_tokens_than_the_cap(words: int, cap: int, head_share: float) -> None:
    ids = TokenWindow(words_tokenizer(), cap, head_share)(numbered(words))
    assert len(ids) == min(words + 2, cap)
    assert (ids[0], ids[-1]) == (CLS, SEP)
    assert ids[1:-1] == sorted(set(ids[1:-1])), "in order, none twice"


def test_a_gigantic_text_is_not_tokenised_whole() -> None:
    """Its first and last words are those of the window all the same."""
    window = TokenWindow(words_tokenizer(), 64, 0.5)
    text = numbered(500) + " x" * 500_000 + " " + numbered(500)
    ids = window(text)
    assert ids[:32] == [CLS, *range(FIRST, FIRST + 31)]
    assert ids[-32:] == [*range(FIRST + 469, FIRST + 500), SEP]


def test_a_tokenizer_without_special_tokens_is_fine() -> None:
    assert TokenWindow(words_tokenizer(special=False), 10, 0.5)("w0 w1") == [FIRST, FIRST + 1]


def test_truncation_and_padding_of_the_file_do_not_count() -> None:
    tokenizer = words_tokenizer()
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=50)
    assert len(TokenWindow(tokenizer, 10, 0.75)(numbered(8))) == 10
    assert len(TokenWindow(tokenizer, 10, 0.75)("w0")) == 3


# --- the stage ---


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


@pytest.fixture(scope="module")
def stage(bundle: Bundle) -> EncoderStage:
    return load(bundle)


def load(bundle: Bundle, threads: int = 1, **instead: bytes) -> EncoderStage:
    """The bundle's stage, some of its files replaced."""
    files = {name.replace(".", "_"): data for name, data in instead.items()}

    def read(name: str) -> bytes:
        return files.get(name.replace(".", "_")) or bundle.read(f"encoder/{name}")

    return EncoderStage.from_files(read, bundle.manifest.heads, threads)


def test_every_head_gets_probabilities(stage: EncoderStage, bundle: Bundle) -> None:
    out = stage.predict(TEXTS)
    assert list(out) == [*bundle.manifest.heads, SIGNALS]
    for name, classes in bundle.manifest.heads.items():
        assert out[name].shape == (len(TEXTS), len(classes))
        assert out[name].dtype == np.float32
        assert np.allclose(out[name].sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_text_gives_the_same_bits_alone_and_in_any_batch(bundle: Bundle, threads: int) -> None:
    """int8 activations are scaled over the whole input, so this holds only as no text is padded
    or joined with another in one run."""
    stage = load(bundle, threads)
    texts = [*TEXTS, "", "vpn", "x" * 10_000]
    together = stage.predict(texts)
    backwards = stage.predict(texts[::-1])
    for row, text in enumerate(texts):
        alone = stage.predict([text])
        for head in together:
            assert np.array_equal(alone[head][0], together[head][row])
            assert np.array_equal(backwards[head][-1 - row], together[head][row])


def test_no_texts_give_no_rows(stage: EncoderStage) -> None:
    assert all(len(rows) == 0 for rows in stage.predict([]).values())


def test_the_cap_of_the_bundle_is_kept(stage: EncoderStage) -> None:
    assert stage.window.cap == 64
    assert max(len(stage.window(text)) for text in TEXTS) == 64


@pytest.mark.parametrize(
    "config",
    [
        {},
        [],
        {"cap": 64},
        {"cap": "many", "head_share": 0.5},
        {"cap": 2, "head_share": 0.5},
        {"cap": 10**9, "head_share": 0.5},
        {"cap": 64, "head_share": 1.5},
        {"cap": 64, "head_share": float("nan")},
    ],
)
def test_a_config_that_makes_no_sense(bundle: Bundle, config: object) -> None:
    with pytest.raises(BundleError, match="encoder: damaged"):
        load(bundle, config_json=json.dumps(config).encode())


@pytest.mark.parametrize("junk", [b"{}", b"\xff", b"[" * 100_000, b"null"])
def test_a_tokenizer_that_is_none(bundle: Bundle, junk: bytes) -> None:
    with pytest.raises(BundleError, match="encoder: damaged"):
        load(bundle, tokenizer_json=junk)


@pytest.mark.parametrize("junk", [b"{}", b"\xff" * 1000, b"\0"])
def test_a_model_that_is_none(bundle: Bundle, junk: bytes) -> None:
    with pytest.raises(BundleError, match=r"encoder: model\.onnx cannot be loaded"):
        load(bundle, model_onnx=junk)


def test_a_model_of_other_classes_is_refused(bundle: Bundle) -> None:
    heads = {**bundle.manifest.heads, "mood": ("good", "bad")}
    with pytest.raises(BundleError, match="one score for each class"):
        EncoderStage.from_files(lambda name: bundle.read(f"encoder/{name}"), heads)


def without_features(bundle: Bundle) -> bytes:
    """The bundle's model as it was exported before features were served."""
    graph = onnx.load_from_string(bundle.read("encoder/model.onnx"))
    (features,) = (output for output in graph.graph.output if output.name == "features")
    graph.graph.output.remove(features)
    return bytes(graph.SerializeToString())


def test_the_signals_are_the_energy_and_the_features_that_it_judges_by(
    stage: EncoderStage, bundle: Bundle
) -> None:
    signals = stage.predict(TEXTS)[SIGNALS]
    assert signals.dtype == np.float32
    assert signals.shape == (len(TEXTS), 1 + 384)
    width = len(bundle.manifest.heads["queue"])
    for text, row in zip(TEXTS, signals, strict=True):
        ids = np.asarray([stage.window(text)])
        logits, features = stage._session.run(None, {"input_ids": ids})
        assert row[0] == pytest.approx(np.log(np.exp(logits[0, :width]).sum()), rel=1e-5)
        assert np.array_equal(row[1:], features[0])


def test_a_model_without_features_answers_the_same_without_signals(
    bundle: Bundle, stage: EncoderStage
) -> None:
    old = load(bundle, model_onnx=without_features(bundle)).predict(TEXTS)
    assert list(old) == list(bundle.manifest.heads)
    for head, rows in old.items():
        assert np.array_equal(rows, stage.predict(TEXTS)[head])


def test_a_model_of_other_outputs_is_refused(bundle: Bundle) -> None:
    graph = onnx.load_from_string(bundle.read("encoder/model.onnx"))
    graph.graph.output.reverse()
    with pytest.raises(BundleError, match="does not have the outputs of an encoder"):
        load(bundle, model_onnx=graph.SerializeToString())


def test_the_session_runs_on_one_thread(stage: EncoderStage) -> None:
    options = stage._session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert stage._session.get_providers() == ["CPUExecutionProvider"]
