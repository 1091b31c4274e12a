"""Tickets to time: starter tickets or those of a file, as they come or of a fixed length."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from random import Random

from cascade.errors import InputError
from cascade.files import Row, read_rows
from cascade.ticket import join_parts
from train.starter import generate

LENGTHS = (10, 30, 60, 120, 250, 500, 900)
"""Words: from a line to the longest tickets that help desks get."""
DIFFERENT = 100
"""Tickets that have to be long enough before only such are cut; else shorter ones are joined."""
READ = 50_000
"""Tickets of a file that are read, however large it is."""
GAP = "\n\n"
_WORD = re.compile(r"\S+")


def starter(rows: int, seed: int = 0) -> list[str]:
    """Generated tickets: subject and body."""
    return [f"{its.subject}{GAP}{its.body}" for its in generate(rows, seed=seed)]


def of_file(file: Path, columns: Sequence[str], most: int) -> list[str]:
    """Tickets of a file, drawn at random from its first `READ`.

    Blank ones and rows that cannot be read do not count.

    Raises:
        InputError: the file or a column cannot be used, or no ticket is left; the message says
            what to do.
    """
    rows = (row for row in read_rows(file, columns) if isinstance(row, Row))
    joined = (join_parts(row.values[name] for name in columns) for row in rows)
    texts = list(islice((text for text in joined if text.strip()), READ))
    if not texts:
        named = ", ".join(columns)
        raise InputError(f"{file}: no ticket in column {named}; name another with --text")
    return Random(0).sample(texts, min(most, len(texts)))


def of_length(texts: Sequence[str], words: int, number: int) -> list[str]:
    """So many texts of exactly so many words (runs of characters that are no blanks).

    Longer texts are cut behind the last word. Where few are long enough, texts are joined until
    they are, with an empty line between.

    Args:
        texts: each with at least one word.
    """
    enough = [text for text in texts if sum(1 for _ in _WORD.finditer(text)) >= words]
    stream = repeated(enough if len(enough) >= DIFFERENT else texts)
    return [_cut(stream, words) for _ in range(number)]


def _cut(stream: Iterator[str], words: int) -> str:
    """The first words of the next texts of a stream, as many texts as it takes."""
    parts = []
    while words:
        text = next(stream)
        ends = [found.end() for found in islice(_WORD.finditer(text), words)]
        parts.append(text[: ends[-1]])
        words -= len(ends)
    return GAP.join(parts)


def repeated(texts: Sequence[str]) -> Iterator[str]:
    """The texts again and again, each time with one more letter of their beginning a capital.

    So nothing that remembers answers has an easy time, and the answers are the same: neither the
    linear stage nor the usual encoders know capitals.
    """
    for capitals in count():
        for text in texts:
            yield text[:capitals].upper() + text[capitals:]


def with_words(texts: Iterable[str]) -> list[str]:
    """Those that have any, as cleaning leaves nothing of some."""
    return [text for text in texts if _WORD.search(text)]
