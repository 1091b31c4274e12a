"""From a bundle's files to its stages and gates."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cached_property

from cascade.bundle import Bundle
from cascade.clean import VERSION as CLEAN_VERSION
from cascade.errors import BundleError
from cascade.examples import Pool
from cascade.gate import Gates
from cascade.llm.base import Backend
from cascade.scope import FOLDER, Scope
from cascade.stages.base import Adviser, Heads, Stage
from cascade.stages.linear import LinearStage
from cascade.stages.llm import LLMStage
from cascade.stages.neighbours import NeighboursStage

GATES = "gates.json"


def open_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Open a bundle whose files are all as they were written, and whose cleaning is this one.

    Raises:
        BundleError: it is missing, damaged or too new, or other cleaning would mean other answers.
    """
    bundle = Bundle.open(path)
    bundle.verify()
    if bundle.manifest.clean_version != CLEAN_VERSION:
        raise BundleError(
            f"{bundle.path}: trained with version {bundle.manifest.clean_version} of the "
            f"cleaning, this is version {CLEAN_VERSION}; train it again"
        )
    return bundle


def load_stages(
    bundle: Bundle, threads: int, llm: Callable[[str], Backend] | None
) -> list[Stage | Adviser]:
    """The stages of a bundle, in order.

    Args:
        threads: tickets of one call that a stage may work on at a time.
        llm: given the bundle's id, makes who answers in the llm stage; None for the built-in
            reader.

    Raises:
        BundleError: something is missing, damaged, or of a newer version.
    """
    loader = _Loader(bundle, threads, llm)
    return [loader.stage(name) for name in bundle.manifest.stages]


def load_gates(bundle: Bundle) -> Gates:
    """The gates of a bundle.

    Raises:
        BundleError: the file is missing, damaged, or of another version.
    """
    return Gates.from_dict(_json(bundle, GATES))


def load_scope(bundle: Bundle) -> Scope | None:
    """What tells that a ticket belongs to no queue; None where the bundle was made without.

    Raises:
        BundleError: a file is damaged.
    """
    if not any(name.startswith(f"{FOLDER}/") for name in bundle.files):
        return None
    return Scope.from_files(lambda file: bundle.read(f"{FOLDER}/{file}"))


class _Loader:
    """Loads a bundle's stages; the two that need the pool of examples share it."""

    def __init__(self, bundle: Bundle, threads: int, llm: Callable[[str], Backend] | None) -> None:
        self.bundle, self.threads, self.llm = bundle, threads, llm
        self.heads: Heads = bundle.manifest.heads

    def stage(self, name: str) -> Stage | Adviser:
        read = self._reader_of(name)
        if name == LinearStage.name:
            return LinearStage.from_files(read, self.heads)
        if name == "encoder":
            # Imported here: a bundle without an encoder needs no ONNX Runtime in memory.
            from cascade.stages.encoder import EncoderStage

            return EncoderStage.from_files(read, self.heads, self.threads)
        if name == NeighboursStage.name:
            return NeighboursStage.from_files(read, self.pool)
        if name == LLMStage.name:
            return LLMStage.from_files(read, self.pool, self._backend(), self.threads)
        raise BundleError(
            f"{self.bundle.path}: this version of ticket-cascade has no stage {name!r}"
        )

    @cached_property
    def pool(self) -> Pool:
        return Pool.from_files(self._reader_of("examples"), self.heads)

    def _backend(self) -> Backend:
        if self.llm:
            return self.llm(self.bundle.id)
        from cascade.llm.reader import Reader

        return Reader()

    def _reader_of(self, folder: str) -> Callable[[str], bytes]:
        return lambda file: self.bundle.read(f"{folder}/{file}")


def _json(bundle: Bundle, name: str) -> object:
    try:
        return json.loads(bundle.read(name))
    except (ValueError, RecursionError):
        raise BundleError(f"{bundle.path / name}: not valid JSON") from None
