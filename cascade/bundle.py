"""The bundle: a folder that holds everything a cascade needs, safe to copy and to load.

    bundle.json     format, name, queues, columns, figures, and the sha256 of every other file
    linear/  encoder/  gates.json  card.md

Nothing in it is executed: arrays are safetensors, the rest is JSON, text and an ONNX graph. Each
file is read once, checked against its hash, and the checked bytes are what is used.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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


def write(path: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
    """Write a bundle: a crash leaves the old one or the new one, never half of one.

    Args:
        path: the bundle's folder; an older bundle there is replaced, anything else is not.
        files: content by name relative to the folder, with ``/``.

    Raises:
        BundleError: ``path`` is something that is not a bundle, or cannot be written.
    """
    check_target(path)
    try:
        _write_all(path, manifest, files)
    except OSError as error:
        raise BundleError(f"{path}: cannot be written ({error.strerror or error})") from None
    return Bundle.open(path)


def _write_all(path: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        fresh.chmod(0o755)
        hashes = {}
        for name, data in sorted(files.items()):
            file = fresh / name
            file.parent.mkdir(parents=True, exist_ok=True)
            _write(file, data)
            hashes[name] = hashlib.sha256(data).hexdigest()
        plain = {"format": FORMAT, **asdict(manifest), "files": hashes}
        _write(fresh / MANIFEST, json.dumps(plain, indent=2, ensure_ascii=False).encode() + b"\n")
        _swap(fresh, path)
    finally:
        # After the swap the temporary name holds the old bundle, after a failure the half of one.
        if fresh.is_symlink():
            fresh.unlink()  # the old bundle was a link: what it leads to is not ours
        else:
            shutil.rmtree(fresh, ignore_errors=True)


def check_target(path: Path) -> None:
    """Check that a bundle can be written to ``path`` and replaces nothing but a bundle.

    Raises:
        BundleError: it would, or there is no folder that can be written to.
    """
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise BundleError(f"{path}: cannot be written ({parent} is no folder to write to)")
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    try:
        old = Bundle.open(path)
    except BundleError:
        raise BundleError(f"{path}: exists and is not a bundle; choose another --out") from None
    for file in path.rglob("*"):
        name = file.relative_to(path).as_posix()
        if not file.is_dir() and name != MANIFEST and name not in old.files:
            raise BundleError(
                f"{path}: holds {name}, which is not the bundle's; move it away or choose "
                "another --out"
            )


def _swap(fresh: Path, path: Path) -> None:
    if not path.exists():
        fresh.rename(path)
        return
    # Linux can exchange two folders in one step; elsewhere a crash between the two renames
    # leaves the old bundle under its temporary name.
    libc = ctypes.CDLL(None, use_errno=True)
    exchange, here = 2, -100
    if hasattr(libc, "renameat2") and not libc.renameat2(
        here, os.fsencode(fresh), here, os.fsencode(path), exchange
    ):
        return
    old = fresh.with_name(fresh.name + ".old")
    path.rename(old)
    fresh.rename(path)
    old.rename(fresh)


def _write(file: Path, data: bytes) -> None:
    with file.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


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
