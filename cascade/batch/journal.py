"""How far the scoring of one file is: enough to go on after an interruption."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Summary:
    """What was done, for people and for the journal.

    Attributes:
        rows: read so far, good and bad.
        bad: of these could not be scored.
        settled: decisions by the stage that settled them.
    """

    rows: int = 0
    bad: int = 0
    settled: dict[str, int] = field(default_factory=dict)

    def add(self, rows: int, bad: int, settled: Mapping[str, int]) -> None:
        """Count more of them."""
        self.rows += rows
        self.bad += bad
        self.settled = dict(Counter(self.settled) + Counter(settled))


@dataclass(slots=True)
class State:
    """How far a file is.

    Attributes:
        summary: what was done.
        sizes: of the file of decisions and of that of bad rows, in bytes, at that moment.
        complete: nothing is left to do.
    """

    summary: Summary = field(default_factory=Summary)
    sizes: tuple[int, int] = (0, 0)
    complete: bool = False


class Journal:
    """The state of one file, kept beside its decisions.

    Args:
        path: of the journal.
        key: all that must be the same for a run to go on: another one starts anew.
    """

    def __init__(self, path: Path, key: Mapping[str, Any]) -> None:
        self.path, self._key = path, dict(key)

    def load(self, files: Sequence[Path], out: Path) -> State:
        """Where an earlier run of the same key stood, if its files are still there.

        Args:
            files: those that the sizes are of, while the work is not complete.
            out: what is there when it is.
        """
        try:
            plain = json.loads(self.path.read_text(encoding="utf-8"))
            decisions, bad = map(int, plain["sizes"])
            state = State(Summary(**plain["summary"]), (decisions, bad), bool(plain["complete"]))
        except (OSError, ValueError, KeyError, TypeError):
            return State()
        if plain.get("key") != self._key:
            return State()
        if state.complete:
            return state if out.is_file() else State()
        whole = all(
            file.is_file() and file.stat().st_size >= size
            for file, size in zip(files, state.sizes, strict=True)
        )
        return state if whole else State()

    def save(self, state: State) -> None:
        """Note where the work stands, in one step."""
        temporary = self.path.with_name(f"{self.path.name}.new")
        temporary.write_text(json.dumps({"key": self._key, **asdict(state)}), encoding="utf-8")
        temporary.replace(self.path)

    def forget(self) -> None:
        """The run is over."""
        self.path.unlink(missing_ok=True)
