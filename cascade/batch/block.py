"""A block: rows of one file that are scored together, and what comes of them.

This is all that is done to a ticket between reading and writing, and it knows neither of files nor
of processes: every engine calls `answer`. A block travels as an Arrow record batch, which costs a
quarter of a microsecond a ticket at each end (as JSON: 0.9; Python 3.11, tickets of 35 words).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cascade.batch.columns import CONFIDENCE, output_types
from cascade.batch.tables import Columns, Format, encode
from cascade.errors import CascadeError
from cascade.ticket import Ticket

if TYPE_CHECKING:
    from cascade.decision import Decision
    from cascade.router import Cascade

ROWS = 256
"""Rows of a block, all but a file's last one."""
CHARACTERS = 4_000_000
"""A block ends earlier where its texts reach so many: tickets may be long, memory is not."""
SCHEMA = pa.schema(
    [("line", pa.int64()), ("id", pa.string()), ("text", pa.string()), ("reason", pa.string())]
)
"""Rows as they are read: a bad one has no text, but a reason why it cannot be scored."""
DIGITS = 6
"""Of a confidence in files."""

FAILED = b"!"
"""What a `failure` begins with, and nothing else that is sent."""

Bad = list[tuple[int, str]]
"""Rows that cannot be scored: line and reason."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one file.

    Attributes:
        job: number of the file in its run.
        share: of the file that is read up to here, in [0, 1].
        last: no rows of the file follow; such a block may be empty.
        format: in which its decisions are written.
        rows: a record batch of `SCHEMA`.
    """

    job: int
    share: float
    last: bool
    format: Format
    rows: pa.RecordBatch

    def to_bytes(self) -> bytes:
        """For another process."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, SCHEMA) as stream:
            stream.write_batch(self.rows)
        return _packed([self.job, self.share, self.last, self.format], sink.getvalue())

    @classmethod
    def from_bytes(cls, data: bytes) -> Block:
        """What `to_bytes` made."""
        (job, share, last, format), rows = _unpacked(data)
        with pa.ipc.open_stream(rows) as stream:
            return cls(job, share, last, Format(*format), stream.read_next_batch())


@dataclass(frozen=True, slots=True)
class Scored:
    """What comes of a `Block`, whose first three attributes it takes over.

    Attributes:
        rows: how many there were, good and bad.
        bad: those that cannot be scored.
        settled: decisions by the stage that settled them.
        data: the decisions, encoded for the file they go to.
    """

    job: int
    share: float
    last: bool
    rows: int
    bad: Bad
    settled: dict[str, int]
    data: bytes

    def to_bytes(self) -> bytes:
        """For another process."""
        return _packed(
            [self.job, self.share, self.last, self.rows, self.bad, self.settled], self.data
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Scored:
        """What `to_bytes` made.

        Raises:
            CascadeError: this is a `failure`.
        """
        if data.startswith(FAILED):
            raise CascadeError(data.removeprefix(FAILED).decode())
        (job, share, last, rows, bad, settled), encoded = _unpacked(data)
        return cls(job, share, last, rows, [(at, why) for at, why in bad], settled, encoded)


def failure(error: CascadeError) -> bytes:
    """What is sent in place of what came of a block."""
    return FAILED + str(error).encode()


def answer(cascade: Cascade, block: Block) -> Scored:
    """Score a block, and encode its decisions for their file."""
    columns, bad, settled = score_block(cascade, block.rows)
    data = encode(block.format, columns, output_types(cascade.heads))
    return Scored(block.job, block.share, block.last, block.rows.num_rows, bad, dict(settled), data)


def score_block(cascade: Cascade, rows: pa.RecordBatch) -> tuple[Columns, Bad, Counter[str]]:
    """Route the tickets of a record batch of `SCHEMA`.

    Returns:
        The columns of the output, by name, one value a decision; the rows that cannot be scored;
        and the number of decisions by the stage that settled them.
    """
    lines, ids, texts, reasons = (column.to_pylist() for column in rows.columns)
    bad = [(line, why) for line, why in zip(lines, reasons, strict=True) if why is not None]
    good = [at for at, why in enumerate(reasons) if why is None]
    decisions = cascade.route([Ticket(texts[at], ids[at]) for at in good])
    columns = _columns(decisions, [lines[at] for at in good], list(cascade.heads)[1:])
    return columns, bad, Counter(columns["stage"])


def _columns(decisions: list[Decision], lines: list[int], labels: list[str]) -> Columns:
    second = [d.alternatives[0] if d.alternatives else None for d in decisions]
    columns: Columns = {
        "id": [d.id for d in decisions],
        "line": lines,
        "queue": [d.queue for d in decisions],
        "confidence": [round(d.confidence, DIGITS) for d in decisions],
        "action": [d.action for d in decisions],
        "stage": [d.stage for d in decisions],
        "alternative": [its.queue if its else None for its in second],
        "alternative_confidence": [
            round(its.confidence, DIGITS) if its else None for its in second
        ],
    }
    for name in labels:
        columns[name] = [d.labels[name].value for d in decisions]
        columns[f"{name}{CONFIDENCE}"] = [
            round(d.labels[name].confidence, DIGITS) for d in decisions
        ]
    columns["reason"] = [d.reason for d in decisions]
    columns["bundle"] = [d.bundle for d in decisions]
    return columns


def _packed(head: Any, data: bytes | pa.Buffer) -> bytes:
    """One line of JSON, and bytes behind it."""
    return b"".join((json.dumps(head).encode("ascii"), b"\n", data))


def _unpacked(data: bytes) -> tuple[Any, bytes]:
    head, _, rest = data.partition(b"\n")
    return json.loads(head), rest
