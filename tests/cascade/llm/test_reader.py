"""Readers in the process: the one that the package brings, and any causal ONNX model in a folder.

The other model is built here: an embedding and an output matrix, so that each position's logits
depend on its own token, with the mean of all earlier ones added where it should look back.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from cascade.errors import InputError
from cascade.llm.base import MAX_CANDIDATES, Example, NoAnswer, Question
from cascade.llm.prompt import CODES
from cascade.llm.reader import BUILT_IN, MODEL, TOKENIZER, Reader

EXAMPLES = (
    Example("where is my refund for the double payment", "Billing"),
    Example("please reset my forgotten password", "Access"),
    Example("the printer on the second floor has a paper jam", "Hardware"),
)
QUESTION = Question("printer paper jam again", ("Access", "Billing", "Hardware"), EXAMPLES)


def soon() -> float:
    return time.monotonic() + 60


# --- the built-in reader ---


@pytest.fixture(scope="module")
def built_in() -> Reader:
    return Reader()


def test_it_reads_the_queue_off_the_examples(built_in: Reader) -> None:
    answer = built_in.ask(QUESTION, soon())
    assert sum(answer.probabilities) == pytest.approx(1)
    assert int(np.argmax(answer.probabilities)) == 2
    assert 0 < answer.mass <= 1


def test_it_knows_no_queue_but_from_the_examples(built_in: Reader) -> None:
    """The same examples under other names: the answer follows."""
    for named in itertools.permutations(["Red", "Green", "Blue"]):
        examples = tuple(Example(e.text, n) for e, n in zip(EXAMPLES, named, strict=True))
        answer = built_in.ask(Question(QUESTION.ticket, ("Blue", "Green", "Red"), examples), soon())
        best = ("Blue", "Green", "Red")[int(np.argmax(answer.probabilities))]
        assert best == named[2]


def test_none_of_the_examples_speaks_for_the_queues_without_one(built_in: Reader) -> None:
    more = replace(QUESTION, candidates=(*QUESTION.candidates, "Lunch", "Sport"))
    near = built_in.ask(more, soon()).probabilities
    far = built_in.ask(replace(more, ticket="what does the canteen cook"), soon()).probabilities
    assert near[3] == near[4]
    assert far[3] == far[4] > near[3]


def test_a_ticket_like_none_of_the_examples_has_no_answer(built_in: Reader) -> None:
    with pytest.raises(NoAnswer) as caught:
        built_in.ask(replace(QUESTION, ticket="quantum canteen giraffe opera"), soon())
    assert caught.value.kind == "unsure"
    assert "giraffe" not in caught.value.reason


@settings(max_examples=25)
@given(
    st.text(max_size=300),
    st.integers(2, MAX_CANDIDATES),
    st.lists(st.text(max_size=200), max_size=10),
)
def test_any_question_has_a_distribution_or_a_reason(
    ticket: str, queues: int, texts: list[str]
) -> None:
    names = tuple(f"queue {n}" for n in range(queues))
    examples = tuple(Example(text, names[n % queues]) for n, text in enumerate(texts))
    try:
        answer = one_reader().ask(Question(ticket, names, examples), soon())
    except NoAnswer as no:
        assert no.kind == "unsure"
    else:
        assert len(answer.probabilities) == queues
        assert sum(answer.probabilities) == pytest.approx(1)
        assert min(answer.probabilities) >= 0


@cache
def one_reader() -> Reader:
    """One for all examples of hypothesis."""
    return Reader()


def test_its_name_says_which_version_it_is(built_in: Reader) -> None:
    kind, version = built_in.name.split()
    assert kind == "reader"
    assert len(version) == 8
    assert Reader(BUILT_IN).name == built_in.name


def test_the_same_question_has_the_same_answer(built_in: Reader) -> None:
    assert built_in.ask(QUESTION, soon()) == Reader().ask(QUESTION, soon())


def test_after_the_deadline_it_is_not_asked(built_in: Reader) -> None:
    with pytest.raises(NoAnswer) as caught:
        built_in.ask(QUESTION, time.monotonic())
    assert caught.value.kind == "late"


def test_it_breaks_off_at_the_deadline(built_in: Reader) -> None:
    long = Example("word " * 48, "Access")
    question = replace(QUESTION, examples=(long,) * 20)
    began = time.monotonic()
    with pytest.raises(NoAnswer) as caught:
        built_in.ask(question, began + 0.1)
    assert time.monotonic() - began < 0.5
    assert (caught.value.kind, caught.value.reason) == (
        "late",
        "the reader did not answer in time",
    )


# --- any causal model in a folder ---

WORDS = ["[UNK]", "Answer", ":", "printer", "refund", "ticket", *CODES]


def tokenizer(words: list[str]) -> Tokenizer:
    made = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


Build = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Build:
    """Write a model: ``output[t]`` are the logits where the token ``t`` stands last.

    The logits of a position are those of its own token plus the mean over all tokens so far.
    """

    def build(
        output: np.ndarray,
        *,
        words: list[str] = WORDS,
        inputs: tuple[str, ...] = ("input_ids", "attention_mask", "position_ids"),
        positions: int = 4096,
        kind: int = TensorProto.INT64,
        name: str = "tiny",
    ) -> Path:
        path = tmp_path / name
        path.mkdir()
        tokenizer(words).save(str(path / TOKENIZER))
        nodes = [
            helper.make_node("Gather", ["table", "input_ids"], ["own"]),
            helper.make_node("Gather", ["zeros", inputs[-1]], ["at"]),
            helper.make_node("Add", ["own", "at"], ["placed"]),
            helper.make_node("ReduceMean", ["own"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Add", ["placed", "mean"], ["logits"]),
        ]
        weights = [
            numpy_helper.from_array(output.astype(np.float32), "table"),
            numpy_helper.from_array(np.zeros((positions, 1), dtype=np.float32), "zeros"),
        ]
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info(i, kind, [1, "tokens"]) for i in inputs],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "tokens", None])],
            weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        onnx.save(model, path / MODEL)
        return path

    return build


def table(**likes: str) -> np.ndarray:
    """Logits by which A, B and C are likely, one of them more so with the words named."""
    made = np.zeros((len(WORDS), len(WORDS)))
    made[:, [WORDS.index(code) for code in "ABC"]] = 8.0
    for word, code in likes.items():
        made[WORDS.index(word), WORDS.index(code)] += 400.0
    return made


def test_a_model_says_which_code_comes_next(folder: Build) -> None:
    reader = Reader(folder(table(printer="C", refund="B")))
    assert reader.name == "tiny"
    for ticket, best in (("printer printer", 2), ("refund refund", 1)):
        answer = reader.ask(Question(ticket, QUESTION.candidates), soon())
        assert int(np.argmax(answer.probabilities)) == best
        assert sum(answer.probabilities) == pytest.approx(1)
        assert answer.mass > 0.5


def test_its_mass_is_what_falls_on_the_codes(folder: Build) -> None:
    reader = Reader(folder(np.zeros((len(WORDS), len(WORDS)))))
    with pytest.raises(NoAnswer) as caught:  # 3 of 26 words are codes of the question
        reader.ask(QUESTION, soon())
    assert caught.value.kind == "unsure"
    likely = np.zeros((len(WORDS), len(WORDS)))
    likely[:, [WORDS.index(code) for code in "ABC"]] = 5.0
    answer = Reader(folder(likely, name="other")).ask(QUESTION, soon())
    weight = 3 * np.exp(10.0)
    assert answer.mass == pytest.approx(weight / (weight + len(WORDS) - 3), abs=1e-4)
    assert answer.probabilities == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("inputs", [("input_ids",), ("input_ids", "attention_mask")])
def test_a_model_may_take_fewer_inputs(folder: Build, inputs: tuple[str, ...]) -> None:
    reader = Reader(folder(table(), inputs=inputs))
    assert len(reader.ask(QUESTION, soon()).probabilities) == 3


def test_a_model_may_take_shorter_integers(folder: Build) -> None:
    assert Reader(folder(table(), kind=TensorProto.INT32)).ask(QUESTION, soon())


def test_a_models_weights_may_lie_beside_it(folder: Build) -> None:
    path = folder(table(printer="C"))
    onnx.save_model(
        onnx.load(path / MODEL),
        path / MODEL,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    answer = Reader(path).ask(Question("printer printer", QUESTION.candidates), soon())
    assert int(np.argmax(answer.probabilities)) == 2


def test_a_prompt_that_the_model_cannot_read_has_no_answer(folder: Build) -> None:
    reader = Reader(folder(table(), positions=10))
    with pytest.raises(NoAnswer) as caught:
        reader.ask(replace(QUESTION, ticket="zebrafalcon"), soon())
    assert caught.value.kind == "failed"
    assert "zebrafalcon" not in caught.value.reason


def test_what_is_not_a_number_is_no_answer(folder: Build) -> None:
    reader = Reader(folder(np.full((len(WORDS), len(WORDS)), np.nan)))
    with pytest.raises(NoAnswer) as caught:
        reader.ask(QUESTION, soon())
    assert caught.value.kind == "nonsense"


def test_the_budget_of_tokens_is_kept(folder: Build) -> None:
    reader = Reader(folder(table()), budget=300)
    many = replace(QUESTION, ticket="printer " * 5_000)
    assert reader.ask(many, soon())
    with pytest.raises(NoAnswer) as caught:
        Reader(folder(table(), name="other"), budget=100).ask(many, soon())
    assert caught.value.kind == "refused"


def test_a_tokenizers_own_limits_do_not_cut_the_prompt(folder: Build) -> None:
    path = folder(table(printer="C"))
    made = Tokenizer.from_file(str(path / TOKENIZER))
    made.enable_truncation(4)
    made.enable_padding(length=4)
    made.save(str(path / TOKENIZER))
    answer = Reader(path).ask(Question("printer printer", QUESTION.candidates), soon())
    assert int(np.argmax(answer.probabilities)) == 2


# --- folders that hold no model that can be asked ---


def empty(path: Path) -> None:
    (path / MODEL).unlink()


def no_tokenizer(path: Path) -> None:
    (path / TOKENIZER).write_text("{}")


def no_model(path: Path) -> None:
    (path / MODEL).write_bytes(b"not a model")


def no_letters(path: Path) -> None:
    tokenizer(["[UNK]", "Answer"]).save(str(path / TOKENIZER))


def more_words(path: Path) -> None:
    tokenizer([*WORDS, *(f"word{n}" for n in range(50))]).save(str(path / TOKENIZER))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (empty, "model.onnx: no such file"),
        (no_tokenizer, "tokenizer.json: cannot be read"),
        (no_model, "model.onnx: cannot be loaded (InvalidProtobuf)"),
        (no_letters, "tokenizer.json: has no single token for each of the letters"),
        (more_words, "model.onnx: gives 26 logits for a token, not 76"),
    ],
)
def test_a_folder_without_a_usable_model_is_named(
    folder: Build, spoil: Callable[[Path], None], message: str
) -> None:
    path = folder(table())
    spoil(path)
    with pytest.raises(InputError) as caught:
        Reader(path)
    assert str(caught.value).startswith(f"{path}/{message}")
    assert "\n" not in str(caught.value)


def test_a_model_with_a_cache_is_refused(folder: Build) -> None:
    path = folder(table(), inputs=("input_ids", "past_key_values.0.key"))
    with pytest.raises(InputError, match="export it without a cache"):
        Reader(path)
