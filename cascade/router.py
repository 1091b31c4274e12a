"""The cascade: tickets in, decisions out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.bundle import Bundle
from cascade.clean import VERSION as CLEAN_VERSION
from cascade.clean import clean
from cascade.decision import HUMAN, Choice, Decision, Label, StageTrace
from cascade.errors import BundleError
from cascade.gate import NEVER, Gate, Gates, Join
from cascade.llm.base import Backend
from cascade.loading import load_gates, load_stages
from cascade.machine import cores
from cascade.stages.base import QUEUE, Adviser, Heads, Probabilities, Stage
from cascade.ticket import Ticket

ALTERNATIVES = 3
"""How many of the next best queues a decision names."""

SETTLED, EMPTY, LATE, UNSURE = range(4)
NO_TEXT = "nothing is left to read once the text is cleaned"
TOO_LATE = "the deadline was over before the next stage"
UNFITTED_WEIGHT = 0.5
"""Weight of a language model that the gates were not fitted for: it may suggest, never settle."""


class Cascade:
    """Stages in order of cost, each with a gate; what no gate settles goes to a person.

    A ticket's decision depends on the ticket and the bundle alone: not on the batch, the order,
    the process or the day. Only a deadline that is exceeded, or a language model that gives no
    answer, can change it, and the decision then says so. Safe to call from several threads.

    Args:
        stages: in the order in which they are asked.
        gates: one gate a stage, in the same order.
        heads: the classes of each head, the queues first.
        bundle_id: put into every decision.
    """

    def __init__(
        self,
        stages: Sequence[Stage | Adviser],
        gates: Gates,
        heads: Heads,
        bundle_id: str = "",
    ) -> None:
        self.stages = tuple(stages)
        self.gates = gates
        self.heads = dict(heads)
        self.bundle_id = bundle_id
        if [gate.stage for gate in gates.gates] != [stage.name for stage in stages]:
            raise BundleError("gates.json: the gates are not those of the bundle's stages")
        for gate in gates.gates:
            _check(gate, self.heads)
        if stages and isinstance(stages[0], Adviser):
            raise BundleError(f"{stages[0].name} cannot be the first stage: it may have no answer")
        unused = "; the bundle has no llm stage" if "llm" not in self.stage_names else ""
        self._unsure = f"no stage is sure enough{unused}"

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        threads: int | None = None,
        llm: Callable[[str], Backend] | None = None,
    ) -> Cascade:
        """Load a bundle.

        Args:
            path: its folder.
            threads: how many tickets of one call the encoder works on at a time; by default as
                many as there are cores.
            llm: given the bundle's id, makes who answers in its llm stage; by default that is the
                small reader that comes with the package.

        Raises:
            BundleError: the bundle is missing, damaged or too new; the message names the file.
        """
        bundle = Bundle.open(path)
        bundle.verify()
        if bundle.manifest.clean_version != CLEAN_VERSION:
            raise BundleError(
                f"{bundle.path}: trained with version {bundle.manifest.clean_version} of the "
                f"cleaning, this is version {CLEAN_VERSION}; train it again"
            )
        stages = load_stages(bundle, threads or cores(), llm)
        return cls(stages, load_gates(bundle), bundle.manifest.heads, bundle.id)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that tickets are routed to."""
        return self.heads[QUEUE]

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(stage.name for stage in self.stages)

    @property
    def advisers(self) -> dict[str, dict[str, Any]]:
        """Who answers in the llm stage, whether the gates know that model, and how it went."""
        return {stage.name: stage.state for stage in self.stages if isinstance(stage, Adviser)}

    def warm_up(self) -> None:
        """Ask every stage once, so that the first ticket is as fast as the next."""
        for stage in self.stages:
            if isinstance(stage, Adviser):
                stage.warm_up()
            else:
                stage.predict(["warm up " * 40])

    def route(
        self, tickets: Iterable[Ticket | str], *, deadline_ms: float | None = None
    ) -> list[Decision]:
        """Decide on tickets.

        Args:
            tickets: raw tickets, or their texts.
            deadline_ms: no stage but the first is started once so many milliseconds have gone
                by; the answer is then that of the deepest stage that ran. A language model that
                has not answered by then is not waited for. None means no limit.

        Returns:
            One decision a ticket, in order.
        """
        batch = [Ticket(t) if isinstance(t, str) else t for t in tickets]
        until = None if deadline_ms is None else time.monotonic() + deadline_ms / 1000
        run = _Run(self.heads, [clean(ticket.text) for ticket in batch], len(self.stages))
        asked = self._asked()
        for at in asked:
            rows = run.open()
            if not len(rows):
                break
            began = time.monotonic()
            if at and until is not None and began >= until:
                run.status[rows] = LATE
                break
            gate, answered = self._ask(at, run, rows, until)
            stage = self.stages[at]
            confidence, best = run.best(rows)
            stops = gate.stops(confidence, best) if at != asked[-1] else answered
            settled = answered & stops & gate.settles(confidence, best)
            run.stop(rows, stops & answered, settled & (run.status[rows] != EMPTY), stage.name)
            names = [self.queues[k] for k in best]
            run.trace(rows, stage.name, names, confidence, time.monotonic() - began)
        return [self._decision(ticket, run, i) for i, ticket in enumerate(batch)]

    def _asked(self) -> list[int]:
        """Numbers of the stages that are asked: those with a say, and models not fitted yet."""
        return [
            at
            for at, (stage, heard) in enumerate(zip(self.stages, self.gates.asked, strict=True))
            if heard or (isinstance(stage, Adviser) and not stage.fitted)
        ]

    def _ask(
        self, at: int, run: _Run, rows: NDArray[np.int64], until: float | None
    ) -> tuple[Gate, NDArray[np.bool_]]:
        """Ask a stage about rows; returns the gate that counts, and which rows it answered."""
        stage, gate = self.stages[at], self.gates.gates[at]
        texts = [run.texts[i] for i in rows]
        if isinstance(stage, Adviser):
            advice = stage.advise(texts, run.joined[QUEUE][rows], until)
            seen, answered = advice.probabilities, run.note(rows, advice.reasons)
            gate = gate if stage.fitted else self._unfitted(at)
        else:
            seen, answered = stage.predict(texts), np.ones(len(rows), dtype=np.bool_)
        run.take(at, seen, rows, answered, gate.joins)
        return gate, answered

    def _unfitted(self, number: int) -> Gate:
        """The gate of a language model that the bundle's gates were not fitted with.

        How sure it may be is not known then, so it settles nothing and weighs a little.
        """
        before = self.gates.gates[number - 1].joins
        joins = {
            name: replace(its, weights=(*its.weights, UNFITTED_WEIGHT))
            for name, its in before.items()
        }
        return Gate.even(self.stages[number].name, joins, NEVER, len(self.queues))

    def _decision(self, ticket: Ticket, run: _Run, i: int) -> Decision:
        probabilities = run.joined[QUEUE][i]
        order = np.argsort(-probabilities, kind="stable")
        choices = [Choice(self.queues[k], float(probabilities[k])) for k in order]
        routed = run.status[i] == SETTLED
        reason = {SETTLED: "", EMPTY: NO_TEXT, LATE: TOO_LATE, UNSURE: self._unsure}
        labels = {}
        for name, classes in self.heads.items():
            if name != QUEUE:
                best = int(run.joined[name][i].argmax())
                labels[name] = Label(classes[best], float(run.joined[name][i][best]))
        return Decision(
            id=ticket.id,
            queue=choices[0].queue,
            confidence=choices[0].confidence,
            stage=run.settled_by[i] or HUMAN,
            action="route" if routed else "review",
            alternatives=tuple(choices[1 : 1 + ALTERNATIVES]),
            labels=labels,
            stages=tuple(run.traces[i]),
            bundle=self.bundle_id,
            reason=reason[int(run.status[i])] if routed or not run.reasons[i] else run.reasons[i],
        )


def _check(gate: Gate, heads: Heads) -> None:
    """Raise `BundleError` unless the gate was fitted for these classes."""
    if set(gate.joins) != set(heads):
        raise BundleError(f"gates.json: {gate.stage} does not weigh each head")
    if len(gate.stop) != len(heads[QUEUE]) or any(
        len(its.bias) not in (0, len(heads[name])) for name, its in gate.joins.items()
    ):
        raise BundleError(f"gates.json: {gate.stage} was fitted for other queues")


class _Run:
    """What is known of the tickets of one call, stage after stage."""

    def __init__(self, heads: Heads, texts: list[str], stages: int) -> None:
        n = len(texts)
        self.texts = texts
        self.joined: Probabilities = {
            name: np.zeros((n, len(classes)), dtype=np.float32) for name, classes in heads.items()
        }
        self.seen: dict[str, list[NDArray[np.float32]]] = {
            name: [joined] * stages for name, joined in self.joined.items()
        }
        """Each stage's own probabilities for all rows; rows and stages that were not asked mean
        nothing, and have no weight."""
        self.status = np.asarray([UNSURE if text else EMPTY for text in texts], dtype=np.int64)
        self.stopped = np.zeros(n, dtype=np.bool_)
        self.settled_by = [""] * n
        self.reasons = [""] * n
        """Why an adviser had no answer."""
        self.traces: list[list[StageTrace]] = [[] for _ in texts]

    def open(self) -> NDArray[np.int64]:
        """Rows that the next stage is asked about."""
        return np.flatnonzero(~self.stopped)

    def note(self, rows: NDArray[np.int64], reasons: Sequence[str]) -> NDArray[np.bool_]:
        """Keep an adviser's reasons; returns which of the rows it answered."""
        for row, reason in zip(rows, reasons, strict=True):
            self.reasons[row] = reason
        return np.asarray([not reason for reason in reasons], dtype=np.bool_)

    def take(
        self,
        at: int,
        seen: Probabilities,
        rows: NDArray[np.int64],
        answered: NDArray[np.bool_],
        joins: Mapping[str, Join],
    ) -> None:
        """Join a stage's probabilities with those of the stages before, where it answered."""
        known = rows[answered]
        for name, joined in self.joined.items():
            full = np.zeros_like(joined)
            full[rows] = seen[name]
            self.seen[name][at] = full
            joined[known] = joins[name]([array[known] for array in self.seen[name][: at + 1]])

    def best(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The joined confidence in the best queue, and that queue, both ``(m,)``."""
        joined = self.joined[QUEUE][rows]
        return joined.max(axis=1), joined.argmax(axis=1)

    def stop(
        self,
        rows: NDArray[np.int64],
        stops: NDArray[np.bool_],
        settled: NDArray[np.bool_],
        stage: str,
    ) -> None:
        """Note which rows stop here, and which of them are settled. An empty text always stops."""
        self.stopped[rows] = stops | (self.status[rows] == EMPTY)
        for row in rows[settled]:
            self.status[row] = SETTLED
            self.settled_by[row] = stage

    def trace(
        self,
        rows: NDArray[np.int64],
        stage: str,
        queues: Sequence[str],
        confidence: NDArray[np.float32],
        seconds: float,
    ) -> None:
        """Note a stage's answers; its time is shared equally by the tickets it was asked about."""
        ms = round(seconds * 1000 / len(rows), 3)
        for row, queue, sure in zip(rows, queues, confidence, strict=True):
            self.traces[row].append(StageTrace(stage, queue, float(sure), ms))
