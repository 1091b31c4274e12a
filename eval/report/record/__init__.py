"""The record of one evaluation: all of its figures, from which every report is written.

A plain dict of JSON types. Shares and macro-F1 are in [0, 1], times in milliseconds, memory in
MiB, money in the currency that the record names. Every key but `title` may be missing: what was
not measured is left out of the report. A figure that is None is shown as a dash.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from eval.report.record.figures import Cost, Interval, Quality, Speed
from eval.report.record.weaknesses import Mistakes, Slice, Stress


class Row(Quality, Speed, total=False):
    """One approach in the table.

    Attributes:
        kind: stages stand first, then the cascade, then what they are compared with.
        settled: share of tickets that it settles without a person.
        settled_macro_f1: of those.
        note: why a figure is missing, or anything that has to be known to read the row.
    """

    name: str
    kind: Literal["stage", "cascade", "baseline", "llm", "peer"]
    settled: float | None
    settled_macro_f1: float | None
    cost: Cost | None
    note: str


class Stage(TypedDict, total=False):
    """What a stage does within the cascade.

    Attributes:
        reached, settled: share of all tickets.
        right: share right of those that it settled.
        macro_f1: of the cascade if it ended here and nothing went to people.
        ms_p50: that it takes when it is reached.
    """

    stage: str
    reached: float | None
    settled: float | None
    right: float | None
    macro_f1: float | None
    ms_p50: float | None


class Promise(TypedDict, total=False):
    """A share right that was promised, and what came of it.

    Attributes:
        what: for example "share right of what is settled".
        observed_95: interval of the observed share.
        tickets: that it was observed on.
    """

    what: str
    promised: float
    observed: float | None
    observed_95: Interval | None
    tickets: int
    kept: bool


class Prompted(Quality, Speed, total=False):
    """A prompted model; ``answered`` is the share of tickets that it gave an answer for."""

    answered: float


class InContext(TypedDict):
    """What `eval.in_context.in_context` returns."""

    tickets: int
    backend: str
    shots: dict[str, Prompted]
    neighbours: Quality
    cascade: Quality


class Change(TypedDict, total=False):
    """What came out otherwise when the same tickets were asked again: see `eval.stability`."""

    queue_changed: float
    action_changed: float
    confidence_change: float
    answered: float
    runs: dict[str, Change]


class Stability(TypedDict, total=False):
    """What `eval.stability.stability` returns."""

    tickets: int
    runs: list[str]
    approaches: dict[str, Change]


class CurvePoint(TypedDict, total=False):
    """Macro-F1 after training on so many labels a queue: over seeds, mean, least and most.

    Attributes:
        size: labels a queue; None for all there are.
        seconds: that fitting took.
    """

    size: int | None
    mean: float
    least: float
    most: float
    seconds: float


class LabelCurve(TypedDict, total=False):
    """What each approach makes of few labels."""

    approaches: dict[str, list[CurvePoint]]


class Clients(Speed, total=False):
    """Through HTTP: ``errors`` got no decision, ``late`` is the share cut short."""

    errors: int
    late: float


class Http(TypedDict, total=False):
    """What `eval.service.load.load` returns, less what is not reported."""

    tickets: int
    deadline_ms: float
    workers: int
    overhead_ms: float | None
    clients: dict[str, Clients]


class Peer(Quality, Speed, total=False):
    """Another library beside ours, measured right before it and right after it.

    Attributes:
        note: version and settings, or why it was not measured.
        per_cpu_second: tickets a second of CPU time, in one call.
        train_seconds, train_cpu_seconds: that its training took.
        ours: our figures.
        ratios: its figures over ours, where that is a ratio to be told.
    """

    name: str
    note: str
    per_cpu_second: float | None
    train_seconds: float | None
    train_cpu_seconds: float | None
    ours: dict[str, Any]
    ratios: dict[str, float | None]


class Peers(TypedDict):
    """What `eval.peers.compare.compare` returns: ``ours`` is what peers stand beside."""

    ours: str
    train: int
    tickets: int
    timed: int
    peers: list[Peer]


class Plot(TypedDict):
    """A picture: its caption, what it shows in words, and SVG."""

    title: str
    alt: str
    svg: str


class Record(TypedDict, total=False):
    """See the module's docstring; the sections of the report stand in this order.

    Attributes:
        data, machine: what was measured and where, by any names.
        versions: of the libraries that the bundle was trained with.
        plots: by the name of their file; `eval.report.sections.PLACES` says where which stands.
        recommendation, notes: sentences.
        command: the line that makes the record again; or several.
    """

    title: str
    created: str
    command: str | list[str]
    commit: str
    seed: int
    data: dict[str, Any]
    machine: dict[str, Any]
    versions: dict[str, str]
    recommendation: list[str]
    notes: list[str]
    rows: list[Row]
    http: Http
    stages: list[Stage]
    promises: list[Promise]
    in_context: InContext
    stability: Stability
    label_curve: LabelCurve
    slices: list[Slice]
    stress: list[Stress]
    mistakes: Mistakes
    peers: Peers
    plots: dict[str, Plot]
