"""What the cascade says of a ticket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Action = Literal["route", "review"]

HUMAN = "human"
"""Name of the stage that settles what no other stage is sure of: a person."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One queue and the calibrated probability that it is the right one, in [0, 1]."""

    queue: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Label:
    """The value of a further label (urgency, sentiment, ...) and its calibrated probability."""

    value: str
    confidence: float


@dataclass(frozen=True, slots=True)
class StageTrace:
    """What was believed after one stage: the best queue, how surely, and what it took.

    ``queue`` and ``confidence`` are those of all stages up to this one, joined and calibrated;
    ``ms`` is wall time in milliseconds (the only field of a decision that differs from one run to
    the next).
    """

    name: str
    queue: str
    confidence: float
    ms: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one ticket.

    Attributes:
        id: the ticket's own id.
        queue: the best queue known; for ``review`` it is a suggestion.
        confidence: calibrated probability that ``queue`` is right, in [0, 1].
        stage: the stage that settled the ticket, ``human`` where none was sure.
        action: ``route`` (act on it) or ``review`` (a person looks first).
        alternatives: the next best queues, best first.
        labels: the bundle's other labels, by name.
        stages: the stages that ran, in order.
        bundle: id of the bundle that answered.
        reason: why the ticket goes to review; empty for ``route``.
        late: a deadline cut it short: asked without one, a further stage may settle it.
    """

    id: str | None
    queue: str
    confidence: float
    stage: str
    action: Action
    alternatives: tuple[Choice, ...]
    labels: dict[str, Label] = field(default_factory=dict)
    stages: tuple[StageTrace, ...] = ()
    bundle: str = ""
    reason: str = ""
    late: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and scalars, ready for JSON."""
        # Not by `asdict`, which takes a fifth of the time of a ticket that the first stage settles.
        return {
            "id": self.id,
            "queue": self.queue,
            "confidence": self.confidence,
            "stage": self.stage,
            "action": self.action,
            "alternatives": [
                {"queue": its.queue, "confidence": its.confidence} for its in self.alternatives
            ],
            "labels": {
                name: {"value": its.value, "confidence": its.confidence}
                for name, its in self.labels.items()
            },
            "stages": [
                {"name": its.name, "queue": its.queue, "confidence": its.confidence, "ms": its.ms}
                for its in self.stages
            ],
            "bundle": self.bundle,
            "reason": self.reason,
            "late": self.late,
        }
