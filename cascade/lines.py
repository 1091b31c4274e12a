"""The lines of a text file, bounded, and CSV records from them of which a bad one costs itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cascade.ticket import MAX_CHARACTERS

MAX_RECORD = 2 * MAX_CHARACTERS
"""Longest row that is read, in characters."""
TOO_LONG = f"longer than {MAX_RECORD:,} characters"
ENDS = ("\n", "\r")


class Lines:
    """The physical lines of a file, numbered, bounded, and able to be given back."""

    def __init__(self, handle: IO[str], path: Path) -> None:
        self.path = path
        self.line = 0
        """Number of the line that was handed out last."""
        self.record: list[str] = []
        """Lines handed out since `start_record`."""
        self._handle = handle
        self._returned: list[str] = []

    def start_record(self) -> None:
        self.record.clear()

    def give_back(self, count: int) -> None:
        """Give back the last ``count`` lines of the record: they will be handed out again."""
        if count:
            self._returned.extend(reversed(self.record[-count:]))
            self.line -= count

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._returned:
            text = self._returned.pop()
        else:
            text = self._handle.readline(MAX_RECORD)
            if len(text) == MAX_RECORD and not text.endswith(ENDS):
                while (rest := self._handle.readline(MAX_RECORD)) and not rest.endswith(ENDS):
                    pass  # the rest of a line that is too long to be a ticket
        if not text:
            raise StopIteration
        self.line += 1
        self.record.append(text)
        return text


def csv_records(lines: Lines, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Records with their first line; a text in place of the fields says what is wrong."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.start_record()
        first = lines.line + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # A quote that is never closed swallows the rows behind it: only its own line is bad,
            # and reading goes on with the next line.
            swallowed = len(lines.record) - 1
            lines.give_back(swallowed)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            too_long = "limit" in str(error) and not swallowed
            yield first, TOO_LONG if too_long else "a quote is not closed or not doubled"
            continue
        if fields:
            yield first, fields
