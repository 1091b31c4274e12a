"""The bundle: a folder that holds everything a cascade needs, safe to copy and to load.

    bundle.json     format, name, queues, columns, figures, and the sha256 of every other file
    linear/  encoder/  gates.json  card.md

Nothing in it is executed: arrays are safetensors, the rest is JSON, text and an ONNX graph. Each
file is read once, checked against its hash, and the checked bytes are what is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from cascade.errors import BundleError
from cascade.stages.base import QUEUE

FORMAT = 1
"""Raised when older readers can no longer read what is written."""

MANIFEST = "bundle.json"
CARD = "card.md"
MAX_FILE_BYTES = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of the file that the bundle was trained on: the defaults for scoring."""

    text: tuple[str, ...]
    label: str
    also: tuple[str, ...] = ()
    id: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of ``bundle.json``."""

    name: str
    created: str
    heads: dict[str, tuple[str, ...]]
    """Classes of each head; the queues first, under ``queue``."""
    stages: tuple[str, ...]
    columns: Columns
    clean_version: int
    """`cascade.clean.VERSION` at training: other cleaning would mean other answers."""
    data: dict[str, Any] = field(default_factory=dict)
    """Fingerprint of the training data: file name, sha256, rows, splits."""
    versions: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    figures: dict[str, Any] = field(default_factory=dict)
    """Held-out figures, on the test split."""


class Bundle:
    """An opened bundle: the manifest, and files that are checked when they are read."""

    def __init__(self, path: Path, manifest: Manifest, hashes: Mapping[str, str]) -> None:
        self.path = path
        self.manifest = manifest
        self._hashes = dict(hashes)
        self.files = frozenset(hashes)
        """Names of all files but the manifest."""
        bearing = {name: digest for name, digest in hashes.items() if name != CARD}
        digest = hashlib.sha256(json.dumps(bearing, sort_keys=True).encode())
        digest.update(json.dumps(manifest.heads, sort_keys=True).encode())
        self.id = f"{manifest.name}-{digest.hexdigest()[:10]}"
        """Changes whenever anything that bears on an answer does."""

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Bundle:
        """Open the folder and read its manifest; other files are read later.

        Raises:
            BundleError: there is no bundle, its manifest is damaged, or its format is newer.
        """
        folder = Path(path)
        file = folder / MANIFEST
        try:
            there = file.is_file()
        except OSError as error:  # no right to look into it, or a name that is too long
            raise BundleError(f"{folder}: cannot be read ({error.strerror})") from None
        if not there:
            what = "no such folder" if not folder.exists() else f"no {MANIFEST} in it"
            raise BundleError(
                f"{folder}: not a bundle ({what}); train one: cascade train tickets.csv "
                f"--text text --label label --out {folder}"
            )
        try:
            plain = json.loads(_read(file).decode("utf-8"))
            version = plain["format"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BundleError(f"{file}: damaged ({type(error).__name__})") from None
        if type(version) is not int or version < 1:
            raise BundleError(f"{file}: damaged (its format is no number)")
        if version > FORMAT:
            raise BundleError(
                f"{file}: format {version!r} is newer than this version of ticket-cascade "
                f"reads ({FORMAT}); upgrade it"
            )
        manifest, hashes = _parse(file, plain)
        return cls(folder, manifest, hashes)

    def read(self, name: str) -> bytes:
        """The bytes of one file, checked against its hash.

        Raises:
            BundleError: the file is missing, not listed, or was changed.
        """
        if name not in self._hashes:
            raise BundleError(f"{self.path / MANIFEST}: does not list {name}")
        file = self.path / name
        if not file.resolve().is_relative_to(self.path.resolve()):
            raise BundleError(f"{file}: lies outside of the bundle")
        data = _read(file)
        if hashlib.sha256(data).hexdigest() != self._hashes[name]:
            raise BundleError(f"{file}: damaged or changed (its sha256 is not the one listed)")
        return data

    def verify(self) -> None:
        """Check every file.

        Raises:
            BundleError: a file is missing or was changed.
        """
        for name in self._hashes:
            self.read(name)


def verify(path: str | os.PathLike[str]) -> Manifest:
    """Check a bundle's files without loading the models.

    Raises:
        BundleError: what is wrong, and with which file.
    """
    bundle = Bundle.open(path)
    bundle.verify()
    return bundle.manifest


def _read(file: Path) -> bytes:
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{file}: not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise BundleError(f"{file}: larger than {MAX_FILE_BYTES:,} bytes")
        return file.read_bytes()
    except FileNotFoundError:
        raise BundleError(f"{file}: missing") from None
    except OSError as error:
        raise BundleError(f"{file}: cannot be read ({error.strerror or error})") from None


def _parse(file: Path, plain: Any) -> tuple[Manifest, dict[str, str]]:
    try:
        hashes = {str(name): str(digest) for name, digest in plain["files"].items()}
        heads = {str(name): _texts(classes) for name, classes in plain["heads"].items()}
        columns = plain["columns"]
        manifest = Manifest(
            name=str(plain["name"]),
            created=str(plain["created"]),
            heads=heads,
            stages=_texts(plain["stages"]),
            columns=Columns(
                _texts(columns["text"]),
                str(columns["label"]),
                _texts(columns["also"]),
                _name(columns["id"]),
                _name(columns["date"]),
            ),
            clean_version=int(plain["clean_version"]),
            data=dict(plain["data"]),
            versions=dict(plain["versions"]),
            seed=int(plain["seed"]),
            figures=dict(plain["figures"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BundleError(f"{file}: damaged ({type(error).__name__}: {error})") from None
    if next(iter(heads), None) != QUEUE or any(
        len(c) < 2 or len(set(c)) != len(c) for c in heads.values()
    ):
        raise BundleError(f"{file}: the queues are missing, fewer than two, or named twice")
    if not manifest.stages:
        raise BundleError(f"{file}: lists no stage")
    if not all(map(_inside, hashes)):
        raise BundleError(f"{file}: lists a file outside of the bundle")
    return manifest, hashes


def _texts(plain: object) -> tuple[str, ...]:
    if not isinstance(plain, list) or not all(isinstance(value, str) for value in plain):
        raise TypeError("not a list of texts")
    return tuple(plain)


def _name(plain: object) -> str | None:
    if plain is not None and not isinstance(plain, str):
        raise TypeError("a column's name is not a text")
    return plain


def _inside(name: str) -> bool:
    """Whether a file of this name can only lie in the bundle's folder."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        return False
    return name.isprintable()  # which half a surrogate pair is not
