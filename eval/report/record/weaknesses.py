"""The parts of a record that tell what goes wrong."""

from __future__ import annotations

from typing import TypedDict

from eval.report.record.figures import Interval, Quality


class Slice(Quality, total=False):
    """Tickets that have something in common: see `eval.slices.slices`; the first are all."""

    slice: str
    value: str
    tickets: int
    settled: float | None
    right_of_settled: float | None
    drop: float | None
    recall: float | None
    precision: float | None


class Stress(Quality, total=False):
    """The same tickets in another shape: see `eval.stress.stress`; the first are unchanged."""

    change: str
    tickets: int
    altered: float | None
    settled: float | None
    right_of_settled: float | None
    drop: float | None
    drop_95: Interval | None
    answers_changed: float | None
    review: float | None


class Word(TypedDict):
    """A word, and how much it spoke for the queue given."""

    text: str
    weight: float


class Worst(TypedDict, total=False):
    """A mistake made with confidence; ``suspect`` if its label is doubted."""

    line: int
    true: str
    given: str
    confidence: float
    settled: bool
    stage: str
    suspect: bool
    words: list[Word]
    quote: str | None


class Confusion(TypedDict, total=False):
    """A queue's tickets that were given another; ``settled`` of them were acted on."""

    true: str
    given: str
    count: int
    settled: int
    share_of_true: float
    cost: float | None


class Suspect(TypedDict, total=False):
    """A label of the test set that is likely wrong; it was counted as it stands."""

    line: int
    label: str
    likelier: str
    confidence: float


class Suspects(TypedDict, total=False):
    """All of them, and macro-F1 as measured and if each is as wrong as it looks."""

    count: int
    macro_f1: float
    macro_f1_at_most: float
    listed: list[Suspect]


class Mistakes(TypedDict, total=False):
    """What `eval.mistakes.mistakes` returns, but for the matrix, which is drawn."""

    tickets: int
    wrong: int
    wrong_and_settled: int
    worst: list[Worst]
    confusions: list[Confusion]
    suspects: Suspects
