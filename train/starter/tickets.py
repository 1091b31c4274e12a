"""The stream of tickets: which queue, when, with which label; and the file of them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import IO, TextIO

from tqdm import tqdm

from train.starter.filler import STRAY
from train.starter.grammar import Intent
from train.starter.writer import INTENTS, write_letter

SHARES = {
    "Technical Bug": 0.34,
    "Billing": 0.22,
    "Account Access": 0.18,
    "Feature Request": 0.14,
    "Compliance": 0.07,
    "Sales": 0.05,
}
"""Share of each queue before the label noise."""

QUEUES: tuple[str, ...] = tuple(SHARES)

COLUMNS = ("id", "created", "subject", "body", "queue", "urgency", "sentiment")

RIVAL_SHARE = 0.22
"""Share of tickets that carry another queue's request, which does not matter."""

NOISE, PLAIN_NOISE = 0.03, 0.02
"""Share of labels that are moved: of all tickets, and of those without a rival."""

# A ticket with a rival is moved more often, so that the mean over all is NOISE.
RIVAL_NOISE = (NOISE - PLAIN_NOISE * (1 - RIVAL_SHARE)) / RIVAL_SHARE

# Share of a queue's tickets that belong nowhere: about 0.3 % of all tickets per kind.
STRAY_SHARE = {"Sales": 0.06, "Account Access": 0.017, "Technical Bug": 0.009}

FIRST_DAY = datetime(2024, 1, 1, 8, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StarterTicket:
    """One ticket with its labels; ``true_queue`` is the queue before the label noise."""

    id: str
    created: str
    subject: str
    body: str
    queue: str
    urgency: str
    sentiment: str
    true_queue: str


def generate(rows: int, seed: int = 0) -> Iterator[StarterTicket]:
    """``rows`` tickets, in the order in which they came in, one at a time.

    The same seed gives the same tickets on every machine, and the first n are the same whatever
    ``rows`` is. Texts have 10 to 900 words (subject and body), about 120 in the median.

    Queues come in the shares of ``SHARES``. One ticket in five carries another queue's request that
    does not matter: told to be solved, meant for somebody else, of less importance, or in a quoted
    mail. 3 % of the labels are moved as a hurried triage would: to that other queue, or, where
    there is none, to the one that the intent is commonly taken for. About 1 % of the mail belongs
    nowhere; triage put advertising in Sales, private mail in Account Access, and faults of another
    company's products in Technical Bug.

    Urgency (low, normal, high, critical) and sentiment (negative, neutral, positive) are those
    that the text shows; where it shows none, the urgency usual for the intent, and neutral.
    """
    rng = Random(seed)
    created = FIRST_DAY
    for number in range(1, rows + 1):
        # Some 400 tickets a day, fewer at the weekend; whole seconds, so that no rounding differs.
        pause = 1 + int(rng.random() * 430)
        created += timedelta(seconds=pause * (3 if created.weekday() > 4 else 1))
        queue = _draw_queue(rng)
        stray = None
        if rng.random() < STRAY_SHARE.get(queue, 0.0):
            stray = next(phrases for home, _, phrases in STRAY if home == queue)
        intent = INTENTS[queue][int(rng.random() * len(INTENTS[queue]))]
        rival = _draw_rival(rng, intent) if rng.random() < RIVAL_SHARE and not stray else None
        letter = write_letter(rng, created.year, intent, rival, stray)
        moved = rng.random() < (RIVAL_NOISE if rival else PLAIN_NOISE)
        hurried = rival.queue if rival else intent.near
        yield StarterTicket(
            id=f"T-{number:07}",
            created=created.isoformat(),
            subject=letter.subject,
            body=letter.body,
            queue=hurried if moved else queue,
            urgency=letter.urgency,
            sentiment=letter.sentiment,
            true_queue=queue,
        )


def _draw_queue(rng: Random) -> str:
    u = rng.random()
    for queue, share in SHARES.items():
        u -= share
        if u < 0:
            return queue
    return QUEUES[0]


def _draw_rival(rng: Random, intent: Intent) -> Intent:
    """An intent of another queue: in half of the cases of the one it is commonly taken for."""
    queue = intent.near if rng.random() < 0.5 else _draw_queue(rng)
    while queue == intent.queue:
        queue = _draw_queue(rng)
    return INTENTS[queue][int(rng.random() * len(INTENTS[queue]))]


def write(path: Path, rows: int, seed: int = 0, *, with_truth: bool = False) -> None:
    """Write ``rows`` tickets to a CSV file, gzip'd when its name ends in ``.gz``.

    The same arguments give the same text everywhere, and the same compressed bytes wherever zlib is
    the same. The file appears under its name only when it is whole.

    Args:
        with_truth: also write ``true_queue``, the queue before the label noise.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    columns = [*COLUMNS, "true_queue"] if with_truth else list(COLUMNS)
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _open(part, compress=path.suffix == ".gz") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(columns)
            for ticket in tqdm(generate(rows, seed), total=rows, unit="ticket", desc=path.name):
                out.writerow([getattr(ticket, column) for column in columns])
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _open(path: Path, *, compress: bool) -> Iterator[TextIO]:
    """A text file, gzip'd without a name and with time 0, so that equal texts are equal bytes."""
    with ExitStack() as stack:
        raw: IO[bytes] | gzip.GzipFile = stack.enter_context(path.open("wb"))
        if compress:
            raw = stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))
        yield stack.enter_context(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
