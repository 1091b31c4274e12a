"""Servers that misbehave."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

HOSTILE = runpy.run_path(str(Path(__file__).with_name("hostile.py")))


@pytest.fixture
def hostile() -> Iterator[Callable[..., Any]]:
    """Start servers: ``hostile("drip")``; see hostile.py for what they can do."""
    with ExitStack() as stack:
        yield lambda *args: stack.enter_context(HOSTILE["Hostile"](*args))


@pytest.fixture
def behaviours() -> dict[str, Any]:
    """What makes a server behave: ``says``, ``likes``, ``decides``; see hostile.py."""
    return {name: HOSTILE[name] for name in ("says", "likes", "decides")}


@pytest.fixture
def server_secret() -> str:
    """Words that hostile servers say, and that must not turn up elsewhere."""
    return str(HOSTILE["SECRET"])
