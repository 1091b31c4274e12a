"""The plain engine: blocks are scored in this process, one after the other."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from cascade.batch.block import Scored, answer
from cascade.batch.jobs import Job
from cascade.router import Cascade


class Here:
    """See `cascade.batch.run.Engine`."""

    def __init__(self, cascade: Cascade) -> None:
        self.bundle_id, self.heads = cascade.bundle_id, cascade.heads
        self._cascade = cascade

    def __call__(self, jobs: Sequence[Job]) -> Generator[Scored, None, None]:
        for job in jobs:
            for block in job.blocks():
                yield answer(self._cascade, block)
