"""The pool of examples: past tickets with their queues, and the search for the nearest of them.

BM25 is bm25s, not rank-bm25: one query of 120 words takes 0.3 ms against 236 over 10,000 examples
(0.2 against 30 over 2,000), one of 900 words 1.3 ms against 956; of 10 words 0.05 against 32. Cut
down to the 12 rarest terms, rank-bm25 still takes 28 ms over 10,000 and looks at less.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cascade.errors import BundleError
from cascade.llm.base import Example
from cascade.llm.mask import mask
from cascade.stages.base import MALFORMED, QUEUE, Heads

FILE = "pool.json"
WORD = re.compile(r"(?u)\b\w\w+\b")
STEM = 5
"""Letters of a word that count: cutting there is a stemmer for any European language (McNamee and
Mayfield 2004). On train splits of banking77, hwu64, hint3 and CLINC150 the vote wins 0 to 3 points.
"""
SAME = 0.8
"""Two texts that share so much of their words (Jaccard) are near-duplicates of each other."""
LEAST_SHARE = 2
"""Examples that a queue may always have: one alone says little where tickets are much alike. The
right queue is then shown for 0.3 to 1.3 points more tickets than by the nearest alone (train splits
of banking77, hwu64, hint3 and CLINC150, 8 examples, 20 candidates); for 1 to 3 with a share of 1.
"""
LOOKED_AT = 8
"""Nearest examples that are looked at for each one shown, to have some of the rarer queues."""
KEPT = 256
"""Texts whose masking and search are kept: two stages ask for the same, call by call."""
KEPT_CHARACTERS = 20_000
"""Longest text that is kept, so that the kept ones never take more than some 40 MB."""
KEPT_ROWS = 64
"""Nearest examples that are kept of a search: what a vote or a prompt of 8 looks at."""


class Search(Protocol):
    """What the pool needs of a search engine."""

    def index(self, texts: Sequence[str]) -> None:
        """Take the texts that are searched from now on."""
        ...

    def search(self, text: str, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Row numbers and scores of at most ``k`` texts with a score above 0, best first.

        Equal scores are ordered by row number, so that the answer depends on nothing but the
        texts.
        """
        ...


class BM25:
    """Okapi BM25 in Lucene's form (Robertson and Zaragoza 2009; Lù 2024), over words cut to stems.

    A word of the query counts once, however often it is there: long tickets repeat themselves.
    """

    def __init__(self, k1: float = 1.5, b: float = 0.75) -> None:
        # Imported here: it loads scipy, which a bundle without examples does not need.
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)
        self._engine = bm25s.BM25(method="lucene", k1=k1, b=b)
        self._size = 0

    def index(self, texts: Sequence[str]) -> None:
        """See `Search.index`."""
        documents = [words(text) for text in texts]
        self._size = len(documents) if any(documents) else 0
        if self._size:
            self._engine.index(documents, show_progress=False)

    def search(self, text: str, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """See `Search.search`."""
        # Sorted: sums of float32 depend on their order, and a set's order on the process.
        known = self._engine.get_tokens_ids(sorted(set(words(text)))) if self._size else []
        if not known or k < 1:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        scores = self._engine.get_scores_from_ids(known)
        least = np.partition(scores, -k)[-k] if k < len(scores) else scores.min()
        rows = np.flatnonzero((scores >= least) & (scores > 0))
        rows = rows[np.argsort(-scores[rows], kind="stable")][:k]
        return rows.astype(np.int64), scores[rows].astype(np.float32)


def words(text: str) -> list[str]:
    """The lower-case words of two letters or more, cut after `STEM`, as BM25 sees a text."""
    return [word[:STEM] for word in WORD.findall(text.lower())]


class Pool:
    """Examples from the train split, and the search over them.

    Args:
        heads: the classes of each head, the queues first.
        texts: ``n`` cleaned and masked texts.
        labels: for ``queue``, and for any further head that is known, an ``(n,)`` array of class
            numbers, -1 where the label is missing (never so for the queue).

    Raises:
        BundleError: the labels do not fit the texts or the heads.
    """

    def __init__(
        self,
        heads: Heads,
        texts: Sequence[str],
        labels: Mapping[str, NDArray[np.int64]],
        search: Search | None = None,
    ) -> None:
        self.heads = heads
        self.texts = tuple(texts)
        self.labels = dict(labels)
        if QUEUE not in self.labels or (self.labels[QUEUE] < 0).any():
            raise BundleError("examples: one of them has no queue")
        for name, numbers in self.labels.items():
            if name not in heads or numbers.shape != (len(self.texts),):
                raise BundleError("examples: the labels do not fit the texts or the heads")
            if len(numbers) and not -1 <= numbers.min() <= numbers.max() < len(heads[name]):
                raise BundleError(f"examples: a label of {name!r} is not one of the bundle's")
        self._search = search or BM25()
        self._search.index(self.texts)
        self._masked = lru_cache(KEPT)(mask)
        self._nearest = lru_cache(KEPT)(partial(_read_only, self._search.search))

    def __len__(self) -> int:
        return len(self.texts)

    def nearest(self, text: str, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Row numbers and scores of at most ``k`` examples that share a word, best first.

        The arrays are not to be changed: the last few searches are kept, and shared.
        """
        if k > KEPT_ROWS or len(text) > KEPT_CHARACTERS:
            return self._search.search(text, k)
        rows, scores = self._nearest(text)
        return rows[:k], scores[:k]

    def masked(self, text: str) -> str:
        """A cleaned text, masked as the examples are; the last few are kept."""
        return mask(text) if len(text) > KEPT_CHARACTERS else self._masked(text)

    def few_shot(self, text: str, candidates: Sequence[str], k: int) -> tuple[Example, ...]:
        """Examples for a prompt.

        The nearest, but none that is the ticket itself, no two that are near-duplicates, and no
        queue with more than its share of ``k`` as long as other candidates have matches (among the
        `LOOKED_AT` times ``k`` nearest of all queues).

        Args:
            text: cleaned and masked.
            candidates: the queues that the examples may belong to.

        Returns:
            At most ``k``, the one most like the ticket last.
        """
        queues = self.heads[QUEUE]
        allowed = {number for number, queue in enumerate(queues) if queue in set(candidates)}
        share = max(LEAST_SHARE, -(-k // max(len(allowed), 1)))
        shown = Counter[int]()
        ranked: list[int] = []
        fair: list[int] = []
        rest: list[int] = []
        for row in self._different(text, allowed, LOOKED_AT * k):
            queue = int(self.labels[QUEUE][row])
            shown[queue] += 1
            (fair if shown[queue] <= share else rest).append(row)
            ranked.append(row)
            if len(fair) == k:
                break
        chosen = set((fair + rest)[:k])
        rows = [row for row in reversed(ranked) if row in chosen]
        return tuple(Example(self.texts[row], queues[self.labels[QUEUE][row]]) for row in rows)

    def _different(self, text: str, allowed: set[int], k: int) -> Iterator[int]:
        """The rows of the allowed queues among the ``k`` nearest, without near-duplicates."""
        ticket = words(text)
        seen: list[set[str]] = []
        for row in self.nearest(text, k)[0].tolist():
            if int(self.labels[QUEUE][row]) not in allowed:
                continue
            example = words(self.texts[row])
            bag = set(example)
            if example == ticket or any(_alike(bag, other) for other in seen):
                continue
            seen.append(bag)
            yield row

    def to_files(self) -> dict[str, bytes]:
        """The files of the bundle's folder ``examples/``."""
        labels = {name: numbers.tolist() for name, numbers in self.labels.items()}
        plain = {"texts": self.texts, "labels": labels}
        return {FILE: json.dumps(plain, ensure_ascii=False, indent=0).encode()}

    @classmethod
    def from_files(cls, read: Callable[[str], bytes], heads: Heads) -> Pool:
        """Load from a bundle; ``read`` gives a file's checked bytes.

        Raises:
            BundleError: the file does not hold what it should.
        """
        try:
            plain = json.loads(read(FILE))
            texts, labels = plain["texts"], plain["labels"]
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise TypeError("not a list of texts")
            arrays = {name: _whole_numbers(rows) for name, rows in labels.items()}
        except MALFORMED as error:
            raise BundleError(f"examples: damaged ({type(error).__name__})") from None
        return cls(heads, texts, arrays)


def _whole_numbers(plain: object) -> NDArray[np.int64]:
    numbers = np.asarray(plain)
    if numbers.size and numbers.dtype.kind != "i":
        raise TypeError("not a list of whole numbers")
    return numbers.astype(np.int64)


def _read_only(
    search: Callable[[str, int], tuple[NDArray[np.int64], NDArray[np.float32]]], text: str
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The `KEPT_ROWS` nearest; fewer are always the first of them."""
    rows, scores = search(text, KEPT_ROWS)
    rows.setflags(write=False)
    scores.setflags(write=False)
    return rows, scores


def _alike(some: set[str], others: set[str]) -> bool:
    common = len(some & others)
    return common >= SAME * (len(some) + len(others) - common)
