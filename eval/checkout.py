"""Which state of the code it was that measured."""

from __future__ import annotations

import shutil
import subprocess

from eval.datasets import ROOT


def commit() -> str:
    """The commit of this checkout; empty where it is none."""
    git = shutil.which("git")
    # Installed, it may lie in somebody else's checkout.
    if git is None or not (ROOT / ".git").exists():
        return ""
    try:
        told = subprocess.run(  # noqa: S603  (our own command)
            [git, "rev-parse", "--short", "HEAD"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()
