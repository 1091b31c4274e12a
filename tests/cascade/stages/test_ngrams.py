"""N-grams are split as scikit-learn splits them, and found as often as they are split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from cascade.stages import ngrams
from cascade.stages.ngrams import WORD, CharacterIndex, NGrams, WordIndex, count, words

KINDS = [
    NGrams("word", 1, 1),
    NGrams("word", 1, 2),
    NGrams("word", 2, 4),
    NGrams("char_wb", 1, 3),
    NGrams("char_wb", 2, 5),
    NGrams("char_wb", 4, 7),
]
FEW = st.lists(st.sampled_from(["vpn", "reset", "of", "a", "x-y", "straße", "?"])).map(" ".join)
TEXTS = st.one_of(FEW, st.text(max_size=80), st.text(st.characters(max_codepoint=127)))


def index(kind: NGrams, terms: Sequence[str], first: int = 0) -> WordIndex | CharacterIndex:
    return (WordIndex if kind.analyzer == "word" else CharacterIndex)(kind, terms, first)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@given(text=TEXTS)
def test_any_text_is_split_as_scikit_learn_splits_it(kind: NGrams, text: str) -> None:
    model = TfidfVectorizer(analyzer=kind.analyzer, ngram_range=(kind.shortest, kind.longest))
    assert Counter(kind.split(text.lower())) == Counter(model.build_analyzer()(text))


@given(TEXTS)
def test_the_words_of_a_text_are_those_of_the_pattern(text: str) -> None:
    assert words(text.lower()) == WORD.findall(text.lower())


@pytest.mark.parametrize("kind", KINDS, ids=str)
@given(past=st.lists(TEXTS, max_size=4), texts=st.lists(TEXTS, max_size=4), first=st.integers(0, 9))
def test_terms_are_found_as_often_as_a_text_has_them(
    kind: NGrams, past: list[str], texts: list[str], first: int
) -> None:
    lower = [text.lower() for text in texts]
    terms = sorted({term for text in past for term in kind.split(text.lower())})[::2]
    counted = count(index(kind, terms, first).find(lower), first + len(terms))
    told = dict(zip(range(len(texts)), [Counter[str]() for _ in texts], strict=True))
    for text, start, length in zip(*counted[:3], strict=True):
        part = slice(start, start + length)
        for row, often in zip(counted.rows[part], counted.counts[part], strict=True):
            told[text][terms[row - first]] += often
    expected = [Counter(t for t in kind.split(text) if t in set(terms)) for text in lower]
    assert list(told.values()) == expected
    assert counted.texts.tolist() == [at for at, its in enumerate(expected) if its]


@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(TEXTS, max_size=4))
def test_known_is_the_share_of_words_that_are_terms(past: list[str], texts: list[str]) -> None:
    terms = sorted({term for text in past for term in KINDS[1].split(text.lower())})
    found = index(KINDS[1], terms).find([text.lower() for text in texts])
    for text, known in zip(texts, found.known, strict=True):
        its = words(text.lower())
        assert known == sum(word in terms for word in its) / max(len(its), 1)


def test_where_no_single_words_are_terms_none_is_known() -> None:
    assert index(KINDS[2], ["vpn down", "vpn"]).find(["vpn down"]).known.tolist() == [0]


def test_characters_are_found_alike_when_the_memory_of_words_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = ["the printer prints", "a new printer", "the " + "long" * 30, "prints the new printer"]
    terms = sorted({term for text in texts for term in KINDS[4].split(text)})
    expected = index(KINDS[4], terms).find(texts)
    monkeypatch.setattr(ngrams, "MOST_REMEMBERED", 2)
    small = index(KINDS[4], terms)
    for found in (small.find(texts), small.find(texts)):
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_only_short_words_are_remembered_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngrams, "MOST_REMEMBERED", 3)
    looked_up: list[str] = []
    memory = ngrams._Memory(lambda word: looked_up.append(word) or word.encode())  # type: ignore[func-returns-value]
    long = "x" * (ngrams.LONGEST_REMEMBERED + 1)
    for word in ("a", "a", long, long, "b", "c", "d", "d"):
        assert memory[word] == word.encode()
    assert looked_up == ["a", long, long, "b", "c", "d"]
    assert len(memory) <= 3


@pytest.mark.parametrize(
    "kind",
    [NGrams("char", 1, 2), NGrams("word", 0, 1), NGrams("word", 2, 1), NGrams("word", 1, 11)],  # type: ignore[arg-type]
)
def test_kinds_that_training_does_not_make_are_refused(kind: NGrams) -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        kind.check()
