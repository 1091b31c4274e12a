"""Writing a bundle: the old one or the new one, never half of one."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from cascade.bundle import FORMAT, MANIFEST, Bundle, Manifest
from cascade.errors import BundleError


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
