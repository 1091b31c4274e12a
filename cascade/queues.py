"""What belongs into each queue, in words for a prompt.

A company can say it itself, in ``queues.toml``:

    [queues]
    Billing = "invoices, payments, refunds"
    "VPN & Wi-Fi" = "no connection, slow network, access points"

Of a queue that nobody described, the words that tell it from the others stand in.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cascade.errors import InputError
from cascade.examples import Pool
from cascade.stages.base import QUEUE
from cascade.toml import read_toml

WORDS = 8
LEAST_EXAMPLES = 2
"""A word that only one ticket has (a name, say) tells nothing of its queue."""
LEAST_LIFT = 1.5
"""Nor does one that is little more frequent in the queue than in the others."""
_TOKEN = re.compile(r"<\w+>")
_WORD = re.compile(r"[^\W\d_]{3,}")


def describe(pool: Pool, path: Path | None = None) -> dict[str, str]:
    """A description of each queue that has one: the file's, else its telling words.

    Raises:
        InputError: as `read_descriptions`.
    """
    written = read_descriptions(path, pool.heads[QUEUE]) if path else {}
    return {**telling_words(pool), **written}


def read_descriptions(path: Path, queues: Sequence[str]) -> dict[str, str]:
    """Read ``queues.toml``: descriptions of some or all of the queues, each as one line.

    Raises:
        InputError: it cannot be read, is no such file, or names a queue that there is not; the
            message names the file and the nearest queue.
    """
    plain = read_toml(path)
    table = plain.get("queues")
    if not isinstance(table, dict) or len(plain) > 1:
        raise InputError(f'{path}: it should hold one table, [queues], of lines Queue = "text"')
    for name, text in table.items():
        if name not in queues:
            near = difflib.get_close_matches(name, queues, n=1, cutoff=0) or [""]
            raise InputError(f"{path}: there is no queue {name!r}; did you mean {near[0]!r}?")
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{path}: the description of {name!r} should be a text in quotes")
    return {name: " ".join(text.split()) for name, text in table.items()}


def telling_words(pool: Pool, count: int = WORDS) -> dict[str, str]:
    """For each queue at most ``count`` words that its examples have and the others have not.

    Each word is weighed by p log(p / q)², where p is the share of the queue's examples that have
    it and q the mean share over all queues: class-based TF-IDF (Grootendorst 2022), but 0 for a
    word that all queues have alike, and squared, as else "you" and "with" tell long tickets.
    """
    queues = pool.heads[QUEUE]
    having = [Counter[str]() for _ in queues]
    sizes = np.bincount(pool.labels[QUEUE], minlength=len(queues))
    for text, number in zip(pool.texts, pool.labels[QUEUE], strict=True):
        having[number].update(set(_WORD.findall(_TOKEN.sub(" ", text.lower()))))
    mean: defaultdict[str, float] = defaultdict(float)
    for words, size in zip(having, sizes, strict=True):
        for word, examples in words.items():
            mean[word] += examples / size / np.count_nonzero(sizes)
    told = {}
    for queue, words, size in zip(queues, having, sizes, strict=True):
        weights = {
            word: examples / size * float(np.log(examples / size / mean[word])) ** 2
            for word, examples in words.items()
            if examples >= LEAST_EXAMPLES and examples / size >= LEAST_LIFT * mean[word]
        }
        best = sorted(weights, key=lambda word: (-weights[word], word))[:count]
        if best:
            told[queue] = ", ".join(best)
    return told
