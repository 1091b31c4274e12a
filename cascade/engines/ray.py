"""The engine for many machines: Ray Data.

Files are read by tasks, a task a file; their blocks are scored by actors, each of which has loaded
the bundle; what comes back is written here, in the order of the blocks. So the outcome is that of
one machine, byte for byte. Ray does again what a worker was at when it died.

The bundle and the files are opened where the work is done: all machines see them under the same
path. Nothing is reported to anybody: Ray's usage statistics and its dashboard are off.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cascade.batch.block import Scored, failure
from cascade.batch.jobs import Job
from cascade.engines.worker import TRIES, Worker
from cascade.errors import CascadeError, InputError, MissingExtraError
from cascade.llm.settings import LLMSettings
from cascade.loading import open_bundle

LOCAL = not os.environ.get("RAY_ADDRESS")
"""Whether the cluster is one of our own."""

# Ray reads its environment when it is imported.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
if LOCAL:
    # What Ray does by default on two other systems: listen on the loopback interface alone.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    # Other users of this machine know no token; ours lives no longer than the cluster.
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}

try:
    import ray
    import ray.data
except ModuleNotFoundError:
    raise MissingExtraError("Ray Data", "ray") from None

if TYPE_CHECKING:
    from ray.data import Dataset

OBJECTS = 256 * 2**20
"""Bytes that blocks on their way may take on a local cluster; one is a few dozen kB."""
PATIENCE = 5
"""Seconds to wait for the machine that ``RAY_ADDRESS`` names."""
READER = 0.5
"""Cores that reading a file takes of the cluster. Other than those of a worker, as Ray would make
one task of both."""


class Ray:
    """See `cascade.batch.run.Engine`.

    The cluster is that of ``RAY_ADDRESS``; without one, a cluster on this machine is started, which
    listens on the loopback interface alone, and stopped at the end.

    Args:
        bundle: its folder.
        workers: how many processes score.

    Raises:
        BundleError: the bundle is missing, damaged or too new.
    """

    def __init__(self, bundle: Path, workers: int) -> None:
        opened = open_bundle(bundle)
        self.bundle_id, self.heads = opened.id, opened.manifest.heads
        self._bundle, self._workers = bundle.resolve(), workers

    def __call__(self, jobs: Sequence[Job]) -> Generator[Scored, None, None]:
        if not jobs:
            return
        with _cluster(self._workers):
            scored: Any = self._scored(jobs).iter_batches(batch_size=None, batch_format="pyarrow")
            try:
                for table in scored:
                    for data in table.column("data").to_pylist():
                        yield Scored.from_bytes(data)
            except ray.exceptions.RayError as error:
                told = str(error).splitlines()[0]
                raise CascadeError(
                    f"{TRIES} workers that scored a block died, or the cluster did: {told}; the "
                    "same command goes on from here"
                ) from None

    def _scored(self, jobs: Sequence[Job]) -> Dataset:
        """A data set with what comes of each block, a row each, in order."""
        here = [replace(job, source=job.source.resolve()) for job in jobs]
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # ours tells how far it is
        context.target_max_block_size = 1  # each block travels alone, so that all workers have one
        files = ray.data.from_items([{"at": at} for at in range(len(jobs))])
        read = partial(_read, jobs=here)
        blocks = files.map_batches(read, batch_size=1, batch_format="pyarrow", num_cpus=READER)
        return blocks.map_batches(
            _Actor,
            # The environment of other machines is another one.
            fn_constructor_args=(self._bundle, self.bundle_id, LLMSettings.read(os.environ)),
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=self._workers),
            ray_remote_args_fn=_lives,
        )


def _lives() -> dict[str, Any]:
    """By default Ray would try a block that kills its worker again for ever."""
    return {"max_restarts": -1, "max_task_retries": TRIES - 1}


def _read(files: Any, jobs: Sequence[Job]) -> Iterator[pa.Table]:
    """The blocks of some files, a row each, and a row for a file that cannot be read on."""
    for at in files.column("at").to_pylist():
        try:
            for block in jobs[at].blocks():
                yield pa.table({"data": [block.to_bytes()]})
        except CascadeError as error:
            yield pa.table({"data": [failure(error)]})


class _Actor:
    """A worker in one of Ray's processes."""

    def __init__(self, bundle: Path, bundle_id: str, llm: LLMSettings) -> None:
        self._worker = Worker(bundle, bundle_id, llm)

    def __call__(self, blocks: pa.Table) -> pa.Table:
        return pa.table(
            {"data": [self._worker(data) for data in blocks.column("data").to_pylist()]}
        )


@contextmanager
def _cluster(workers: int) -> Iterator[None]:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    # A folder of our own, so that nothing is left of what a local cluster writes.
    with tempfile.TemporaryDirectory(prefix="cascade-ray-", ignore_cleanup_errors=True) as folder:
        if LOCAL:
            ray.init(
                "local",
                num_cpus=workers + 1,
                object_store_memory=OBJECTS,
                include_dashboard=False,
                _temp_dir=folder,
                **quiet,
            )
        else:
            _check(os.environ["RAY_ADDRESS"])
            ray.init(os.environ["RAY_ADDRESS"], **quiet)
        try:
            untyped: Any = ray
            cores = untyped.cluster_resources().get("CPU", 0)
            if cores < workers + READER:  # some workers would be waited for in vain
                raise InputError(f"the cluster has {cores:g} cores: fewer --workers than that")
            yield
        finally:
            ray.shutdown()


def _check(address: str) -> None:
    """Whether somebody answers, in seconds: Ray itself would try for minutes.

    Raises:
        InputError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=PATIENCE).close()
        except OSError as error:
            why = error.strerror or error
            raise InputError(f"RAY_ADDRESS={address}: no cluster answers there ({why})") from None
