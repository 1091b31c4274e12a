"""Feedback as a table for the next training: where tickets belong, beside what was predicted."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from cascade.errors import InputError
from cascade.files import table_format
from serve.store import Store, feedback

COLUMNS = (
    "id",
    "text",
    "queue",
    "predicted",
    "stage",
    "confidence",
    "action",
    "source",
    "by",
    "bundle",
    "created",
    "new_queue",
)
"""``id`` is the ticket's own; ``new_queue`` whether the bundle does not have the queue."""
CHUNK = 1000

Row = dict[str, Any]
Write = Callable[[Sequence[Row]], object]


@dataclass(slots=True)
class Tally:
    """What was written.

    Attributes:
        rows: all of it.
        wrong: where the prediction was another queue.
        silent: without a text.
        new: queues that the bundle does not have.
    """

    rows: int = 0
    wrong: int = 0
    silent: int = 0
    new: set[str] = field(default_factory=set)

    def count(self, row: Row) -> Row:
        """Count a row, and give it back."""
        self.rows += 1
        self.wrong += row["predicted"] not in (None, row["queue"])
        self.silent += row["text"] is None
        if row["new_queue"]:
            self.new.add(row["queue"])
        return row


def export(store: Store, out: Path, queues: Sequence[str], since: float, text_only: bool) -> Tally:
    """Write the newest feedback on each decision.

    The file is there as a whole or not at all.

    Args:
        out: CSV, TSV, JSONL or Parquet, as its name says.
        queues: those of the bundle.
        since: no older feedback, in seconds since 1970.
        text_only: only tickets whose text is kept.

    Raises:
        InputError: the file cannot be written.
    """
    tally = Tally()
    part = out.with_name(out.name + ".part")
    try:
        part.touch(mode=0o600)  # it may hold what customers wrote
        with store.read() as connection, _table(part, out) as write:
            found = feedback.newest(connection, since, with_text=text_only)
            rows = (tally.count(_row(row, queues)) for row in found)
            while chunk := list(islice(rows, CHUNK)):
                write(chunk)
        part.replace(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from None
    finally:
        part.unlink(missing_ok=True)
    return tally


def _row(row: Any, queues: Sequence[str]) -> Row:
    created = datetime.fromtimestamp(row.created, UTC)
    return {
        "id": row.ticket,
        "text": row.text,
        "queue": row.queue,
        "predicted": row.its_queue,
        "stage": row.its_stage,
        "confidence": None if row.its_confidence is None else round(row.its_confidence, 6),
        "action": row.its_action,
        "source": row.source,
        "by": row.by,
        "bundle": row.its_bundle,
        "created": created.isoformat(timespec="seconds"),
        "new_queue": row.queue not in queues,
    }


@contextmanager
def _table(part: Path, out: Path) -> Iterator[Write]:
    """What writes rows into ``part``, in the format that the name of ``out`` tells."""
    kind = table_format(out)
    with ExitStack() as stack:
        if kind == "Parquet":
            yield stack.enter_context(_parquet(part))
            return
        raw: Any = stack.enter_context(part.open("wb"))
        if out.suffix.lower() == ".gz":
            raw = stack.enter_context(gzip.GzipFile(fileobj=raw, mode="wb"))
        file = stack.enter_context(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
        yield _jsonl(file) if kind == "JSONL" else _csv(file, "\t" if kind == "TSV" else ",")


def _csv(file: IO[str], delimiter: str) -> Write:
    # With the line ends of RFC 4180 a lone carriage return in a text is quoted, too.
    writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    return lambda rows: writer.writerows(
        {**row, "new_queue": "yes" if row["new_queue"] else ""} for row in rows
    )


def _jsonl(file: IO[str]) -> Write:
    return lambda rows: file.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)


@contextmanager
def _parquet(part: Path) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"confidence": pa.float64(), "new_queue": pa.bool_()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    with pq.ParquetWriter(part, schema) as writer:
        yield lambda rows: writer.write_table(pa.Table.from_pylist(list(rows), schema))
