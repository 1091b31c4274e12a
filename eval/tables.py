"""Kept results of the studies of speed and training as Markdown, for `eval.summary` and people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.report.wording import MISSING, milliseconds, number, precise, score, scores, times

Told = Mapping[str, Any]
SEPARATE = " | "
LINEAR = ("split into words", "scikit-learn's pipeline", "served")
"""Rows of `eval.linear_speed`."""


def ratios(told: Told) -> list[str]:
    """What `eval.ratios` measured: our cascades, then others with how many times as long they take.

    A figure in bold: the cascade is also better in macro-F1, beyond chance; in brackets: worse.
    """
    names = [row["name"] for row in told["ours"]]
    return [
        "| | macro-F1 (95 %) | CPU, in batch | CPU, one by one |",
        "|---|---|---:|---:|",
        *(_row(row["name"], _f1(row), *_cpu(row)) for row in told["ours"]),
        "",
        f"| takes so many times the CPU of | macro-F1 (95 %) | {SEPARATE.join(names)} |",
        f"|---|---|{'---:|' * len(names)}",
        *(
            _row(row["name"], _f1(row), *(_beside(row["beside"][name]) for name in names))
            for row in told["others"]
        ),
    ]


def linear_speed(told: Told) -> list[str]:
    """What `eval.linear_speed` measured on it_service_topics: the floor, scikit-learn, and ours."""
    rows = told["models"]["it_service_topics"]["rows"]
    floor, theirs, ours = (rows[name] for name in LINEAR)
    return [
        "| the linear stage, CPU a ticket | one ticket | in batch |",
        "|---|---:|---:|",
        *(
            _row(name, f"{number(row['alone_us'])} µs", f"{number(row['batch_us'])} µs")
            for name, row in zip(LINEAR, (floor, theirs, ours), strict=True)
        ),
        _row(
            "ours against scikit-learn's",
            f"{times(theirs['alone_us'] / ours['alone_us'])} faster",
            f"{times(theirs['batch_us'] / ours['batch_us'])} faster",
        ),
        _row(
            "ours against splitting", "", f"{times(ours['batch_us'] / floor['batch_us'])} as long"
        ),
    ]


def _cpu(row: Told) -> tuple[str, str]:
    return f"{milliseconds(row['batch_cpu_ms'])} ms", f"{milliseconds(row['cpu_ms'])} ms"


def _beside(its: Told) -> str:
    """``loss`` is the other one's macro-F1 less our cascade's."""
    low, high = its["loss_95"]
    ratio = times(its["speed"])
    return f"**{ratio}**" if high < 0 else f"({ratio})" if low > 0 else ratio


def encoder_variants(told: Told) -> list[str]:
    """What `eval.encoder_variants` measured: a row an encoder."""
    lengths = list(next(row["ms"] for row in told["results"] if "ms" in row))
    heads = [f"{length} tokens" for length in lengths]
    return [
        f"| encoder | MB | {SEPARATE.join(heads)} | same queue as float32 "
        "| macro-F1 against float32 (95 %) | macro-F1 of the cascade | its CPU a ticket |",
        f"|---|{'---:|' * (len(heads) + 2)}---|---:|---:|",
        *(_variant(row, lengths) for row in told["results"]),
    ]


def _variant(row: Told, lengths: Sequence[str]) -> str:
    alone, cascade, ms = row.get("alone"), row.get("cascade"), row.get("ms")
    return _row(
        row["name"],
        number(row.get("mb")),
        *(f"{milliseconds(ms[length])} ms" if ms else MISSING for length in lengths),
        precise(alone["same_queue"]) if alone else MISSING,
        _gain(alone["against_float32"]) if alone else MISSING,
        score(cascade["macro_f1"]) if cascade else MISSING,
        f"{milliseconds(cascade['cpu_ms'])} ms" if cascade else MISSING,
    )


def _gain(lost: Told) -> str:
    """What is won where something else is lost; nothing beside itself."""
    low, high = (-end for end in reversed(lost["drop_95"]))
    return f"{-lost['drop']:+.3f} ({low:+.3f} to {high:+.3f})" if low or high else ""


def training_mix(told: Told) -> list[str]:
    """What `eval.training_mix` measured: a row a mix and seed, on the last split that it has."""
    split = [name for name in told["tickets"] if name in told["rows"][0]][-1]
    return [
        f"{number(told['minutes'])} CPU minutes each; the {split} split, "
        f"{number(told['tickets'][split])} tickets:",
        "",
        "| learned from | a pass | passes | cascade, macro-F1 (95 %) | against the mix (95 %) "
        "| encoder alone | where the linear stage is unsure |",
        "|---|---:|---:|---|---|---:|---:|",
        *(_mix(row, row[split]) for row in told["rows"]),
    ]


def _mix(row: Told, its: Told) -> str:
    return _row(
        row["mix"],
        number(row["tickets_a_pass"]),
        number(row["passes"]),
        _f1(its["cascade"]),
        _gain(its["against_mix"]),
        score(its["encoder"]["macro_f1"]),
        score(its["unsure"]["cascade"]),
    )


def history(told: Told) -> list[str]:
    """What `eval.history` measured: a row a run, then the parts of the longest history."""
    last = told["runs"][-1]
    return [
        "| tickets | `--minutes` | minutes in all | CPU minutes beside fine-tuning | memory |",
        "|---:|---:|---:|---:|---:|",
        *(
            _row(
                number(run["rows"]),
                number(run["minutes"]),
                number(run["in_all"]),
                number(run["beside_cpu"]),
                f"{number(run['memory_mib'])} MiB",
            )
            for run in told["runs"]
        ),
        "",
        f"Of {number(last['rows'])}:",
        "",
        "| part | minutes | CPU minutes | most memory by its end |",
        "|---|---:|---:|---:|",
        *(
            _row(
                name,
                milliseconds(part["minutes"]),
                milliseconds(part["cpu_minutes"]),
                f"{number(part['memory_mib'])} MiB",
            )
            for name, part in last["parts"].items()
        ),
    ]


def _f1(row: Told) -> str:
    return scores(row["macro_f1"], row["macro_f1_95"])


def _row(*cells: str) -> str:
    return f"| {SEPARATE.join(cells)} |"
