"""What to deploy, in words that a manager can read, drawn from the figures of one record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eval.report.wording import milliseconds, money, percent, percents, precise, scores
from eval.verdicts import CASCADE

MARGIN = 0.005
"""Macro-F1 that nobody notices: who is no worse than that and cheaper is to be preferred."""
BUDGET_MS = 150.0
FEW_TICKETS = 500
LINEAR = "linear alone"


def recommend(record: Mapping[str, Any]) -> list[str]:
    """Sentences, the most important first. What was not measured is not spoken of.

    Args:
        record: of `eval.judge.judge`, with the label curve where there is one.
    """
    rows = record["rows"]
    own = [row for row in rows if row["kind"] in ("stage", "cascade")]
    return [
        *_deploy(own),
        *_people(record),
        *_promised(record),
        *_rivals(own, rows),
        *_in_context(record),
        *_steady(record),
        *_sure(record),
        *_weakest(record),
    ]


def _deploy(own: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    best = max(own, key=lambda row: row["macro_f1"])
    # Nobody notices the margin; and what lies within the best one's interval may be as good.
    least = min(best["macro_f1"] - MARGIN, best["macro_f1_95"][0])
    enough = [row for row in own if row["macro_f1"] >= least]
    chosen = min(enough, key=lambda row: row["cpu_ms"])
    told = f"macro-F1 {_f1(chosen)}, {milliseconds(chosen['cpu_ms'])} ms of CPU a ticket"
    if chosen is best:
        yield f"Deploy {_the(chosen)}: nothing measured here is better ({told})."
    else:
        times = best["cpu_ms"] / chosen["cpu_ms"]
        close = chosen["macro_f1"] >= best["macro_f1"] - MARGIN
        verdict = (
            "is no better in practice" if close else "cannot be told from it on so few tickets"
        )
        yield (
            f"Deploy {_the(chosen)} ({told}): {_the(best)} with {best['macro_f1']:.3f} "
            f"{verdict} and computes {times:.1f} times as much."
        )
    if chosen["name"] == LINEAR:
        yield "That is what cascade train --minutes 0 makes, with gates of its own."
    late = chosen["ms_p95"] > BUDGET_MS
    verb = "misses" if late else "meets"
    yield (
        f"It {verb} the budget of {BUDGET_MS:.0f} ms: 95 % of the tickets are answered within "
        f"{milliseconds(chosen['ms_p95'])} ms on this machine."
    )


def _people(record: Mapping[str, Any]) -> Iterator[str]:
    row = next(row for row in record["rows"] if row["name"] == CASCADE)
    settled, cost = row.get("settled"), row.get("cost")
    if settled is None:
        return
    yield (
        f"With its gates the cascade settles {percent(settled)} of the tickets by itself; the "
        f"other {percent(1 - settled)} go to people with a suggestion."
    )
    if cost:
        yield (
            f"1,000 tickets cost {money(cost['sum'])} {cost['currency']}: "
            f"{money(cost['people'])} for people who review, {money(cost['misroutes'])} for wrong "
            f"queues, {money(cost['machine'] + cost['llm'])} for machines."
        )
        yield from _cheaper(row, record["rows"])


def _cheaper(cascade: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Whether acting on every ticket, without people, would cost less at these prices."""
    rest = [row for row in rows if row["name"] != CASCADE and row.get("cost")]
    if not rest:
        return
    best = min(rest, key=lambda row: row["cost"]["sum"])
    its, own = best["cost"], cascade["cost"]
    if its["sum"] < own["sum"]:
        yield (
            f"At these prices it would be cheaper to act on every answer of {_the(best)}, at "
            f"{money(its['sum'])} {its['currency']}: looks cost more here than wrong queues; fit "
            "the gates by cost (cascade gate --costs)."
        )
    else:
        yield (
            f"Acting on every answer of the next best, {_the(best)}, would cost "
            f"{money(its['sum'])} {its['currency']}."
        )


def _promised(record: Mapping[str, Any]) -> Iterator[str]:
    for its in record.get("promises", []):
        if its["observed"] is None:
            yield (
                f"Nothing is settled under the promise of {percent(its['promised'])} "
                f"{its['what']}: label more tickets, or promise less."
            )
            continue
        verdict = "was kept" if its["observed"] >= its["promised"] else "was missed"
        if its["kept"] and its["observed"] < its["promised"]:
            verdict = "is within the error of measurement"
        yield (
            f"The promise of {percent(its['promised'])} {its['what']} {verdict}: "
            f"{percents(its['observed'], its['observed_95'])} of {its['tickets']:,}."
        )


def _rivals(own: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    best = max(own, key=lambda row: row["macro_f1"])
    others = [row for row in rows if row["kind"] == "baseline"]
    if not others:
        return
    rival = max(others, key=lambda row: row["macro_f1"])
    gap = best["macro_f1"] - rival["macro_f1"]
    if gap < MARGIN:
        yield (
            f"Look twice: the baseline {rival['name']!r} is as good ({_f1(rival)}), so a simpler "
            "system may do."
        )
    else:
        behind = f"{100 * gap:.1f} points behind ({_f1(rival)})"
        yield f"The best baseline, {rival['name']}, is {behind}."


def _in_context(record: Mapping[str, Any]) -> Iterator[str]:
    asked = record.get("in_context")
    if asked:
        name, shot = max(asked["shots"].items(), key=lambda item: item[1]["macro_f1"])
        trained = asked["cascade"]
        gap = trained["macro_f1"] - shot["macro_f1"]
        better, much = ("better", gap) if gap > 0 else ("worse", -gap)
        yield (
            f"On the same {asked['tickets']:,} tickets training is {100 * much:.1f} points "
            f"{better} than in-context learning ({trained['macro_f1']:.3f} against "
            f"{shot['macro_f1']:.3f}, {name}, {asked['backend']}), which takes "
            f"{milliseconds(shot['ms_p95'])} ms at p95."
        )
    crossing = (record.get("label_curve") or {}).get("crossing")
    if crossing == 1:
        yield (
            "With this language model training is better from the first label of a queue on; a "
            "larger one may move that."
        )
    elif crossing:
        yield (
            f"In-context learning is the right choice below about {crossing} labels a queue: for "
            "a queue that opens tomorrow, or a taxonomy that changes faster than labels come in. "
            "From there on train."
        )
    elif asked:
        yield (
            "In-context learning stays the right choice for a queue that opens tomorrow and has a "
            "handful of labels, or a taxonomy that changes faster than labels come in."
        )


def _steady(record: Mapping[str, Any]) -> Iterator[str]:
    told = record.get("stability")
    if not told:
        return
    changed = {name: its["queue_changed"] for name, its in told["approaches"].items()}
    own = changed.pop(CASCADE, None)
    if own is not None:
        again = (
            "gave the same answer each time"
            if not own
            else f"changed {precise(own)} of its answers"
        )
        yield f"Asked for {told['tickets']:,} tickets again and again, the cascade {again}."
    moved = {name: share for name, share in changed.items() if share}
    for name, share in moved.items():
        yield f"“{name}” changed {precise(share)} of its answers."


def _sure(record: Mapping[str, Any]) -> Iterator[str]:
    n = record["data"]["tickets"]
    row = next(row for row in record["rows"] if row["name"] == CASCADE)
    low, high = row["macro_f1_95"]
    hint = "; label more before you decide on small differences" if n < FEW_TICKETS else ""
    yield (
        f"How sure: measured on {n:,} tickets, so the cascade's macro-F1 lies between "
        f"{low:.3f} and {high:.3f}{hint}."
    )


def _weakest(record: Mapping[str, Any]) -> Iterator[str]:
    queues = [
        row
        for row in record.get("slices", [])
        if row["slice"] == "queue" and row["macro_f1"] is not None
    ]
    if queues:
        worst = min(queues, key=lambda row: row["macro_f1"])
        yield f"The weakest queue is {worst['value']} (F1 {worst['macro_f1']:.3f})."
    confusions = (record.get("mistakes") or {}).get("confusions")
    if confusions:
        first = confusions[0]
        many = f"{first['count']:,} ticket" + ("s" if first["count"] > 1 else "")
        verb = "were" if first["count"] > 1 else "was"
        yield f"What to mend first: {many} of {first['true']} {verb} taken for {first['given']}."


def _the(row: Mapping[str, Any]) -> str:
    return "the cascade" if row["name"] == CASCADE else f"“{row['name']}”"


def _f1(row: Mapping[str, Any]) -> str:
    return scores(row["macro_f1"], row["macro_f1_95"])
