"""The serving path of the linear stage: scikit-learn's probabilities, one ticket at a time."""

from __future__ import annotations

import time
from copy import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from cascade.clean import clean
from cascade.errors import BundleError
from cascade.stages import linear
from cascade.stages.base import SIGNALS, Heads, Probabilities
from cascade.stages.linear import LinearStage, NGrams, Vectorizer
from train.starter import generate

TICKETS = list(generate(300, seed=5))
TEXTS = [clean(f"{ticket.subject}\n{ticket.body}") for ticket in TICKETS]
QUEUES = tuple(sorted({ticket.queue for ticket in TICKETS}))
URGENCIES = tuple(sorted({ticket.urgency for ticket in TICKETS}))
ODD = [
    "",
    " ",
    "a",
    "I",
    "no known wörd: qqqqzzzz",
    "vpn " * 500,
    "VPN vpn Vpn",
    "Straße İstanbul ﬁle ǅ 发票 🙂",
    "under_score 3rd a.b.c e-mail",
    "tab\tand\u00a0space\u3000and\nline",
    "x" * 5000,
    "\0",
]
MANY = ODD + TEXTS[:40]
WORDS = (NGrams("word", 1, 2),)
BOTH = (NGrams("word", 1, 2), NGrams("char_wb", 2, 5))
SETTINGS = [(WORDS, 2), (BOTH, 2), (WORDS, 6), (BOTH, 6)]


class Pair:
    """A stage, and the scikit-learn models that it must equal."""

    def __init__(self, kinds: tuple[NGrams, ...], classes: int) -> None:
        self.kinds = kinds
        self.models = [
            TfidfVectorizer(
                analyzer=kind.analyzer,
                ngram_range=(kind.shortest, kind.longest),
                sublinear_tf=True,
                dtype=np.float32,
            ).fit(TEXTS)
            for kind in kinds
        ]
        queues = np.asarray([QUEUES.index(t.queue) % classes for t in TICKETS])
        urgencies = np.asarray([URGENCIES.index(t.urgency) for t in TICKETS])
        self.heads: Heads = {"queue": QUEUES[:classes], "urgency": URGENCIES}
        matrix = self._matrix(TEXTS)
        self.regressions = {
            "queue": LogisticRegression(C=10).fit(matrix, queues),
            "urgency": LogisticRegression(C=10).fit(matrix, urgencies),
        }
        coefficients, intercepts = {}, {}
        for name, model in self.regressions.items():
            weights, bias = model.coef_, model.intercept_
            if len(weights) == 1:
                weights, bias = np.vstack([-weights / 2, weights / 2]), np.hstack([-bias, bias]) / 2
            coefficients[name] = weights.T.astype(np.float32)
            intercepts[name] = bias.astype(np.float32)
        vectorizers = [
            Vectorizer(kind, tuple(model.get_feature_names_out()), model.idf_.astype(np.float32))
            for kind, model in zip(kinds, self.models, strict=True)
        ]
        self.stage = LinearStage(self.heads, vectorizers, coefficients, intercepts)
        self.whole = self.stage.predict(MANY)

    def _matrix(self, texts: list[str]) -> NDArray[np.float32]:
        return hstack([model.transform(texts) for model in self.models], format="csr")

    def expected(self, texts: list[str], head: str) -> NDArray[np.float64]:
        """In double precision; scikit-learn's own sums in single precision are off by 1e-6."""
        model = copy(self.regressions[head])
        model.coef_, model.intercept_ = model.coef_.astype(float), model.intercept_.astype(float)
        return np.asarray(model.predict_proba(self._matrix(texts).astype(float)))


PAIRS: dict[object, Pair] = {}


@pytest.fixture(
    scope="module", params=SETTINGS, ids=["words-2", "characters-2", "words-6", "characters-6"]
)
def pair(request: pytest.FixtureRequest) -> Pair:
    if request.param not in PAIRS:
        PAIRS[request.param] = Pair(*request.param)
    return PAIRS[request.param]


@pytest.mark.parametrize("texts", [TEXTS[:100], ODD], ids=["tickets", "odd"])
def test_the_probabilities_are_those_of_scikit_learn(pair: Pair, texts: list[str]) -> None:
    served = pair.stage.predict(texts)
    for head in ("queue", "urgency"):
        assert served[head].dtype == np.float32
        assert np.abs(served[head] - pair.expected(texts, head)).max() < 1e-7


@pytest.mark.parametrize("texts", [TEXTS[:50], ODD], ids=["tickets", "odd"])
def test_contributions_add_up_to_the_difference_of_the_logits(pair: Pair, texts: list[str]) -> None:
    """Log-probabilities and logits differ by a constant a row, so their differences are equal."""
    logs = np.log(pair.stage.predict(texts)["queue"])
    bias = np.log(pair.stage.predict([""])["queue"][0])
    for text, row in zip(texts, logs, strict=True):
        found = pair.stage.contributions(text, 1, 0)
        assert [kind for kind, _ in found] == list(pair.kinds)
        total = sum(sum(terms.values()) for _, terms in found)
        assert total == pytest.approx(row[1] - row[0] - (bias[1] - bias[0]), abs=1e-4)
        other_way = pair.stage.contributions(text, 0, 1)
        assert [{t: -v for t, v in terms.items()} for _, terms in other_way] == [
            terms for _, terms in found
        ]
        assert {term for _, terms in found for term in terms} <= {
            term for kind in pair.kinds for term in kind.split(text.lower())
        }


def bits(answers: Probabilities) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in answers.items()}


def test_a_text_gives_the_same_bits_alone_and_in_any_batch(pair: Pair) -> None:
    whole = pair.stage.predict(ODD + TEXTS[:50])
    for row, text in enumerate(ODD + TEXTS[:50]):
        alone = pair.stage.predict([text])
        assert bits(alone) == bits({name: array[row] for name, array in whole.items()})


@given(data=st.data())
def test_neither_order_nor_neighbours_nor_threads_change_a_bit(
    pair: Pair, data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.integers(0, len(MANY) - 1), max_size=30))
    cells, chunk = data.draw(st.integers(1, 3000)), data.draw(st.integers(1, 5000))
    threads = data.draw(st.sampled_from([1, None]))
    expected = bits({name: array[rows] for name, array in pair.whole.items()})
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(threads):
        patch.setattr(linear, "CELLS", cells)
        patch.setattr(linear, "CHUNK", chunk)
        assert bits(pair.stage.predict([MANY[row] for row in rows])) == expected


def test_no_texts_give_no_rows(pair: Pair) -> None:
    assert pair.stage.predict([])["urgency"].shape == (0, len(URGENCIES))


def test_the_signals_are_the_energy_and_the_share_of_known_words() -> None:
    vectorizer = Vectorizer(
        NGrams("word", 1, 2), ("reset", "vpn", "vpn reset"), np.ones(3, np.float32)
    )
    coefficients = np.asarray([[0, 0], [2, 0], [0, 0]], dtype=np.float32)
    intercepts = np.asarray([1, 3], dtype=np.float32)
    stage = LinearStage(
        {"queue": ("a", "b")}, [vectorizer], {"queue": coefficients}, {"queue": intercepts}
    )
    texts = ["vpn", "nothing of it", "VPN down again", "reset reset down", "", "?"]
    energy, known = stage.predict(texts)[SIGNALS].T
    assert energy[0] == pytest.approx(np.log(np.exp(3) + np.exp(3)))
    assert energy[1] == pytest.approx(np.log(np.exp(1) + np.exp(3)))
    assert known.tolist() == pytest.approx([1, 0, 1 / 3, 2 / 3, 0, 0])


def test_what_was_saved_gives_the_same_bits(pair: Pair) -> None:
    files = pair.stage.to_files()
    loaded = LinearStage.from_files(files.__getitem__, pair.heads)
    before, after = pair.stage.predict(ODD + TEXTS), loaded.predict(ODD + TEXTS)
    assert all(np.array_equal(before[head], after[head]) for head in before)
    assert loaded.to_files() == files


def test_heads_that_are_not_those_of_the_files_are_refused(pair: Pair) -> None:
    files = pair.stage.to_files()
    for heads in ({"queue": ("a", "b", "c")}, {**pair.heads, "mood": ("x", "y")}):
        with pytest.raises(BundleError, match="linear"):
            LinearStage.from_files(files.__getitem__, heads)


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "model.safetensors"])
@pytest.mark.parametrize("junk", [b"", b"{}", b"[1, 2]", b"\xff" * 100, b"[" * 100_000])
def test_files_that_are_not_a_stage(name: str, junk: bytes) -> None:
    pair = PAIRS.setdefault(SETTINGS[0], Pair(*SETTINGS[0]))
    files = {**pair.stage.to_files(), name: junk}
    with pytest.raises(BundleError, match="linear"):
        LinearStage.from_files(files.__getitem__, pair.heads)


def test_a_ticket_takes_well_under_a_few_milliseconds(pair: Pair) -> None:
    """The bound is loose, as tests run on busy machines; scikit-learn itself takes 4 to 6 ms."""
    texts = sorted(TEXTS, key=len)[100:200]
    pair.stage.predict(texts)
    times = []
    for text in texts:
        start = time.perf_counter()
        pair.stage.predict([text])
        times.append(time.perf_counter() - start)
    assert np.median(times) < 0.004
