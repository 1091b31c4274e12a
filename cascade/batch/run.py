"""A run: every file of it is read, scored by an engine, and written, and a journal kept.

Decisions go to ``OUT.part``; with every block of rows a journal beside it notes how far both files
are. When all is done ``OUT.part`` becomes ``OUT``. A run that was interrupted goes on from the
journals when the same command is given again.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from os import SEEK_END, environ
from pathlib import Path
from typing import Any, Protocol

from cascade.batch.block import Scored
from cascade.batch.columns import Types, output_types
from cascade.batch.jobs import Job
from cascade.batch.journal import Journal, State, Summary
from cascade.batch.tables import Format, encode, finish, header
from cascade.errors import InputError
from cascade.llm.settings import LLMSettings
from cascade.stages.base import Heads

BAD_ROWS: Types = {"line": int, "reason": str}
"""Columns of ``OUT.errors.csv``."""

Progress = Callable[[Summary, float], None]
"""Is told after each block what was done, and the share of all files that was read."""


class Engine(Protocol):
    """Who scores: this process, others, other machines."""

    @property
    def bundle_id(self) -> str:
        """Id of the bundle that scores."""
        ...

    @property
    def heads(self) -> Heads:
        """Its heads."""
        ...

    def __call__(self, jobs: Sequence[Job]) -> Generator[Scored, None, None]:
        """Score the blocks of all jobs; what comes of them, in their order.

        Closing it before its end gives up the rest.

        Raises:
            CascadeError: a file cannot be read on, the bundle cannot be loaded, or who scores
                fails again and again. What could be scored before has been handed out.
        """
        ...


class _Output:
    """The files of one job: decisions, rows that could not be scored, and the journal."""

    def __init__(self, job: Job, engine: Engine) -> None:
        self.out, self._types = job.out, output_types(engine.heads)
        self._format = Format.of(job.out)
        self.size = job.source.stat().st_size
        self._part = job.out.with_name(f"{job.out.name}.part")
        self._errors = errors_file(job.out)
        self._journal = Journal(job.out.with_name(f"{job.out.name}.part.json"), _key(job, engine))
        self._open = False
        self.state = State()

    def load(self) -> None:
        """Take up where an interrupted run was."""
        self.state = self._journal.load((self._part, self._errors), self.out)

    def add(self, scored: Scored) -> None:
        """Append what came of a block, and note it."""
        with _writing(self.out):
            if not self._open:
                self._start()
            bad: dict[str, list[Any]] = {
                "line": [line for line, _ in scored.bad],
                "reason": [reason for _, reason in scored.bad],
            }
            known = self.state.sizes
            sizes = (
                _append(self._part, scored.data, known[0]),
                _append(self._errors, encode(Format("CSV"), bad, BAD_ROWS), known[1]),
            )
            self.state.summary.add(scored.rows, len(scored.bad), scored.settled)
            self.state.sizes = sizes
            self._journal.save(self.state)
            if scored.last:
                self._finish()

    def forget(self) -> None:
        """The run is over: nobody will go on with it."""
        self._journal.forget()

    def _start(self) -> None:
        """Cut back to what the journal knows of; without one start anew."""
        known, bad = self.state.sizes
        self.state.sizes = (
            _begin(self._part, known, header(self._format, self._types)),
            _begin(self._errors, bad, header(Format("CSV"), BAD_ROWS)),
        )
        self._open = True

    def _finish(self) -> None:
        finish(self._format, self._part, self.out)
        if not self.state.summary.bad:
            self._errors.unlink()
        self.state.complete = True
        self._journal.save(self.state)


def score(
    engine: Engine,
    jobs: Sequence[Job],
    *,
    fresh: bool = False,
    progress: Progress = lambda summary, share: None,
) -> tuple[Summary, int]:
    """Route every ticket of some files.

    Args:
        jobs: the files; ``number`` is each one's place in here.
        fresh: start anew even where an interrupted run could go on.

    Returns:
        The summary of all files, and the number of rows that an earlier, interrupted run had done.

    Raises:
        CascadeError: see `Engine`.
        InputError: a file or a column cannot be used.
    """
    for job in jobs:
        job.check()
    outputs = [_Output(job, engine) for job in jobs]
    if not fresh:
        for output in outputs:
            output.load()
    done = [output.state.summary.rows for output in outputs]
    total = Summary()
    for output in outputs:
        summary = output.state.summary
        total.add(summary.rows, summary.bad, summary.settled)
    open_jobs = [
        replace(job, skip=rows)
        for job, output, rows in zip(jobs, outputs, done, strict=True)
        if not output.state.complete
    ]
    sizes = [max(output.size, 1) for output in outputs]
    read = sum(size for size, its in zip(sizes, outputs, strict=True) if its.state.complete)
    with closing(engine(open_jobs)) as results:
        for scored in results:
            outputs[scored.job].add(scored)
            total.add(scored.rows, len(scored.bad), scored.settled)
            progress(total, (read + scored.share * sizes[scored.job]) / sum(sizes))
            read += sizes[scored.job] * scored.last
    for output in outputs:
        output.forget()
    return total, sum(done)


def errors_file(out: Path) -> Path:
    """Where the rows that could not be scored are listed; not there if all could."""
    return out.with_name(f"{out.name}.errors.csv")


def bad_lines(out: Path, most: int) -> Iterator[tuple[int, str]]:
    """The first rows that could not be scored: line and reason."""
    errors = errors_file(out)
    if errors.is_file():
        with errors.open(encoding="utf-8", newline="") as file:
            for row in islice(csv.DictReader(file), most):
                yield int(row["line"]), row["reason"]


def _begin(path: Path, size: int, first: bytes) -> int:
    """Cut a file back, or begin it; its size then, in bytes."""
    with path.open("ab") as file:
        file.truncate(size)
        if not size:
            file.write(first)
        return file.seek(0, SEEK_END)


def _append(path: Path, data: bytes, size: int) -> int:
    """Append to a file that ends where we left it; its size then, in bytes.

    Raises:
        InputError: it ends elsewhere, or is away.
    """
    if not path.is_file() or path.stat().st_size != size:
        raise InputError(f"{path}: another run writes it as well; this one was stopped")
    with path.open("ab") as file:
        file.write(data)
        return file.tell()


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from None


def _key(job: Job, engine: Engine) -> dict[str, Any]:
    """What must be the same for an interrupted run to go on."""
    stat, llm = job.source.stat(), LLMSettings.read(environ)
    return {
        "bundle": engine.bundle_id,
        "llm": [llm.url, llm.model, llm.dialect],
        "source": str(job.source.resolve()),
        "bytes": stat.st_size,
        "modified": stat.st_mtime_ns,
        "columns": [*job.text, job.id_column],
        "encoding": job.encoding,
    }
