"""N-grams of texts, found by number: what the linear stage reads a text with.

Tickets repeat their words, so no n-gram is built as a string twice. Words are numbered by a dict. A
word n-gram is the number of the n-gram less its last word, and the number of that word, looked up
for a whole batch at once: a trie of which each level is a table. Character n-grams never cross a
word, so those of a word are looked up once and remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cascade.stages.table import Table

WORD = re.compile(r"(?u)\b\w\w+\b")
LONGEST_NGRAM = 10
LONGEST_REMEMBERED = 40
"""Characters of the longest words whose n-grams are remembered."""
MOST_REMEMBERED = 2**15
"""Words whose n-grams are remembered, about 10 MiB; then it starts anew."""

_ROW = np.dtype(np.int32)
_END = " "  # behind a text's words, so that no n-gram reaches into the next text
_SPACES = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}


@dataclass(frozen=True, slots=True)
class NGrams:
    """One vectoriser: scikit-learn's ``TfidfVectorizer(sublinear_tf=True)`` of that analyser."""

    analyzer: Literal["word", "char_wb"]
    shortest: int
    longest: int

    def check(self) -> None:
        """Raise `ValueError` unless these are n-grams that training makes."""
        if self.analyzer not in ("word", "char_wb") or not (
            1 <= self.shortest <= self.longest <= LONGEST_NGRAM
        ):
            raise ValueError("n-grams of an unknown kind")

    def split(self, text: str) -> Iterator[str]:
        """The n-grams of a lower-case text, repeated as often as they occur."""
        if self.analyzer == "char_wb":
            return chain.from_iterable(self.of_word(word) for word in text.split())
        found = words(text)
        return (
            " ".join(found[at : at + n])
            for n in range(self.shortest, self.longest + 1)
            for at in range(len(found) - n + 1)
        )

    def of_word(self, word: str) -> Iterator[str]:
        """The n-grams of one word and the spaces around it."""
        padded = f" {word} "
        for n in range(self.shortest, self.longest + 1):
            last = len(padded) - n
            if last <= 0:
                # A word that is no longer than n counts once, as scikit-learn has it.
                yield padded
                break
            for at in range(last + 1):
                yield padded[at : at + n]


def words(text: str) -> list[str]:
    """The words of two characters or more of a lower-case text: what `WORD` finds."""
    if text.isascii():  # in half the time
        return [word for word in text.translate(_SPACES).split() if len(word) > 1]
    return WORD.findall(text)


class Found(NamedTuple):
    """The known n-grams of ``n`` texts, each as often as it occurs.

    Attributes:
        texts, rows: ``(m,)``, the number of the text and the row of the n-gram.
        known: ``(n,)``, share of each text's words that are terms; 0 where it has no words.
    """

    texts: NDArray[np.int64]
    rows: NDArray[np.int32]
    known: NDArray[np.float64]


class Counted(NamedTuple):
    """The known n-grams of texts, each once, ordered by text and row.

    Attributes:
        texts: ``(p,)``, numbers of the texts that have any.
        starts: ``(p,)``, where those of each text begin.
        lengths: ``(p,)``, how many each text has.
        rows, counts: ``(m,)``, the row of the n-gram and how often it occurs.
    """

    texts: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    rows: NDArray[np.int64]
    counts: NDArray[np.int64]


def count(found: Found, rows: int) -> Counted:
    """Count n-grams, by one sort of numbers for all texts.

    Args:
        rows: how many there are; all numbers of rows are below it.
    """
    bits = rows.bit_length()
    # Small numbers are sorted in half the time of large ones.
    small = np.min_scalar_type(len(found.known) << bits)
    keys = ((found.texts << bits) + found.rows).astype(small)
    keys.sort()
    bounds = _bounds(keys)
    keys = keys.take(bounds[:-1]).astype(np.int64)
    texts = keys >> bits
    groups = _bounds(texts)
    starts = groups[:-1]
    return Counted(
        texts[starts],
        starts,
        groups[1:] - starts,
        keys & ((1 << bits) - 1),
        bounds[1:] - bounds[:-1],
    )


def _bounds(ordered: NDArray[np.integer]) -> NDArray[np.int64]:
    """Where each run of equal numbers begins, and the end."""
    new = np.empty(len(ordered) + 1, dtype=np.bool_)
    new[0] = new[-1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:-1])
    return new.nonzero()[0]


class WordIndex:
    """Finds terms of one or more words.

    Args:
        ngrams: of which kind they are.
        terms: words joined by a space.
        first: row of the first term; the others follow.
    """

    def __init__(self, ngrams: NGrams, terms: Sequence[str], first: int) -> None:
        parts = " ".join(terms).split(" ")
        lengths = np.fromiter(map(str.count, terms, repeat(" ")), dtype=np.int64) + 1
        numbers = {word: at for at, word in enumerate(dict.fromkeys(parts))}
        flat = np.fromiter(map(numbers.__getitem__, parts), dtype=np.int64, count=len(parts))
        starts = np.cumsum(lengths) - lengths
        self._number, self._unknown = numbers.get, len(numbers)
        nodes = flat[starts]
        self._rows = _rows_of(nodes, (lengths == 1) & (ngrams.shortest == 1), len(numbers), first)
        self._levels: list[_Level] = []
        for n in range(2, ngrams.longest + 1):
            longer = lengths >= n
            if not longer.any():
                break
            keys = self._keys(nodes[longer], flat[starts[longer] + n - 1])
            keys, nodes[longer] = np.unique(keys, return_inverse=True)
            ends = (lengths == n) & (n >= ngrams.shortest)
            self._levels.append(_Level(Table(keys), _rows_of(nodes, ends, len(keys), first)))

    def find(self, texts: Sequence[str]) -> Found:
        """The terms in lower-case texts."""
        parts = [[*words(text), _END] for text in texts]
        lengths = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
        every = map(self._number, chain.from_iterable(parts), repeat(self._unknown))
        numbers = np.fromiter(every, dtype=np.int64)
        owners = np.arange(len(texts)).repeat(lengths)
        levels = [self._rows.take(numbers)]
        known = np.bincount(owners, levels[0] >= 0, len(texts)) / np.maximum(lengths - 1, 1)
        nodes = numbers
        for n, level in enumerate(self._levels, start=2):
            nodes = level.table.find(self._keys(nodes[:-1], numbers[n - 1 :]))
            levels.append(level.rows.take(nodes))
        rows = np.concatenate(levels)
        hits = (rows >= 0).nonzero()[0]
        owners = np.concatenate([owners[: len(level)] for level in levels])
        return Found(owners.take(hits), rows.take(hits), known)

    def _keys(self, nodes: NDArray[np.int64], words: NDArray[np.int64]) -> NDArray[np.int64]:
        """One number for an n-gram: that of its node less the last word, and that word's."""
        return nodes * (self._unknown + 1) + words


class _Level(NamedTuple):
    """The n-grams of some length that terms begin with: a level of the trie.

    Attributes:
        table: of ``m`` numbers: see `WordIndex._keys`.
        rows: ``(m + 1,)``, -1 for an n-gram that is no term, and at the end.
    """

    table: Table
    rows: NDArray[np.int32]


def _rows_of(
    nodes: NDArray[np.int64], ends: NDArray[np.bool_], m: int, first: int
) -> NDArray[np.int32]:
    """``(m + 1,)``, the row of the term that ends at each node; -1 for none, and at the end."""
    rows = np.full(m + 1, -1, dtype=_ROW)
    rows[nodes[ends]] = first + np.flatnonzero(ends)
    return rows


class CharacterIndex:
    """Finds terms of characters.

    Args: see `WordIndex`.
    """

    def __init__(self, ngrams: NGrams, terms: Sequence[str], first: int) -> None:
        self._of_word = ngrams.of_word
        self._row = {term: at for at, term in enumerate(terms, start=first)}
        self._rows = _Memory(self._look_up)

    def find(self, texts: Sequence[str]) -> Found:
        """The terms in lower-case texts; it knows no words."""
        rows = self._rows.__getitem__
        parts = [b"".join(map(rows, text.split())) for text in texts]
        lengths = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts)) // _ROW.itemsize
        owners = np.repeat(np.arange(len(texts)), lengths)
        return Found(owners, np.frombuffer(b"".join(parts), dtype=_ROW), np.zeros(len(texts)))

    def _look_up(self, word: str) -> bytes:
        rows = [self._row[term] for term in self._of_word(word) if term in self._row]
        return np.asarray(rows, dtype=_ROW).tobytes()


class _Memory(dict[str, bytes]):
    """Remembers what was found for words; of bounded size."""

    def __init__(self, find: Callable[[str], bytes]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, word: str) -> bytes:
        found = self._find(word)
        if len(word) <= LONGEST_REMEMBERED:
            if len(self) >= MOST_REMEMBERED:
                self.clear()
            self[word] = found
        return found
