"""The record of one evaluation: all of its figures, from which every report is written.

A plain dict of JSON types. Shares and macro-F1 are in [0, 1], times in milliseconds, memory in
MiB, money in the currency that the record names. Every key but `title` may be missing: what was
not measured is left out of the report. A figure that is None is shown as a dash.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Interval = list[float]
"""Lower and upper end of a 95 % interval."""


class Quality(TypedDict, total=False):
    """How good answers are."""

    macro_f1: float | None
    macro_f1_95: Interval | None
    accuracy: float | None


class Speed(TypedDict, total=False):
    """What a ticket takes.

    Attributes:
        ms_p50, ms_p95, ms_p99: wall time of a ticket, one after the other.
        cpu_ms: CPU time of a ticket, over all cores.
        per_second: tickets a second in batch.
        memory_mib: peak of the process.
    """

    ms_p50: float | None
    ms_p95: float | None
    ms_p99: float | None
    cpu_ms: float | None
    per_second: float | None
    memory_mib: float | None


class Cost(TypedDict, total=False):
    """What 1,000 tickets cost: the machine, the LLM's server, the people who review."""

    machine: float | None
    llm: float | None
    people: float | None
    sum: float | None
    currency: str


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


class InContext(Quality, Speed, total=False):
    """One of the approaches that fine-tuning is compared with.

    Attributes:
        tickets: that it was asked about.
        changed: share of tickets whose queue was not the same in all runs.
    """

    name: str
    tickets: int
    cost: Cost | None
    changed: float | None
    note: str


class Change(TypedDict, total=False):
    """Shares of tickets that came out otherwise when the same was asked again."""

    queue_changed: float | None
    action_changed: float | None
    confidence_change: float | None


class Slice(Quality, total=False):
    """Tickets that have something in common.

    Attributes:
        settled: share of them.
        right_of_settled: share right of those.
        drop: of macro-F1 against all tickets.
    """

    slice: str
    value: str
    tickets: int
    settled: float | None
    right_of_settled: float | None
    drop: float | None


class Stress(Quality, total=False):
    """The same tickets, damaged.

    Attributes:
        drop: of macro-F1 against the clean ones, paired.
        changed: share whose queue is another than for the clean one.
        review: share that goes to people.
    """

    stress: str
    tickets: int
    settled: float | None
    drop: float | None
    drop_95: Interval | None
    changed: float | None
    review: float | None


class Worst(TypedDict, total=False):
    """A mistake with high confidence.

    Attributes:
        words: that spoke most for the wrong queue.
        quote: the start of the ticket, where the user wants tickets quoted.
    """

    line: int
    true: str
    given: str
    confidence: float
    settled: bool
    words: list[str]
    quote: str


class Confusion(TypedDict, total=False):
    """A pair of queues, and the share of the true one's tickets that went to the other."""

    true: str
    given: str
    count: int
    share: float
    cost: float | None


class Suspect(TypedDict, total=False):
    """A label of the test set that is likely wrong; it was counted as it stands."""

    line: int
    label: str
    suggested: str
    confidence: float


class Mistakes(TypedDict, total=False):
    """Which tickets go wrong.

    Attributes:
        if_suspects_wrong: the figures if all suspects are labelled wrongly.
        matrix: ``(k, k)`` tickets, rows true, columns given, in the order of `queues`.
    """

    worst: list[Worst]
    confusions: list[Confusion]
    suspects: list[Suspect]
    if_suspects_wrong: Any
    matrix: list[list[int]]
    queues: list[str]


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

    sizes: list[int]
    approaches: dict[str, list[CurvePoint]]
    crossing: Any


class Peer(Quality, Speed, total=False):
    """Another library on the same splits and machine.

    Attributes:
        train_seconds: that its training took.
        note: version and settings, or why it was not measured.
    """

    name: str
    train_seconds: float | None
    note: str


class Plot(TypedDict):
    """A picture: its caption, what it shows in words, and SVG."""

    title: str
    alt: str
    svg: str


class Record(TypedDict, total=False):
    """See the module's docstring; the sections of the report stand in this order.

    Attributes:
        data, machine, versions: what was measured, where and with what, by any names.
        http: clients -> times, through the service.
        stability: approach -> run -> change.
        plots: by the names that `eval.sections` places.
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
    http: dict[str, Any]
    stages: list[Stage]
    promises: list[Promise]
    in_context: list[InContext]
    stability: dict[str, dict[str, Change]]
    label_curve: LabelCurve
    slices: list[Slice]
    stress: list[Stress]
    mistakes: Mistakes
    peers: list[Peer]
    plots: dict[str, Plot]
