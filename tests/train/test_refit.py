"""``cascade gate``: the gates of a bundle fitted anew, and what is said where that cannot be."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from cascade import Cascade
from cascade.bundle import Bundle
from cascade.errors import CascadeError, InputError
from cascade.gate import Gates
from train.promise import Promise
from train.refit import Fitted, Wishes, refit
from train.starter import generate, write

EASY = Promise(0.6, 0.8)
COSTS = """
currency = "EUR"
review = 4.0
[misroute]
default = 10.0
"""


@pytest.fixture(scope="module")
def gate_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 generated tickets that no bundle was trained on."""
    path = tmp_path_factory.mktemp("gate") / "gate.csv"
    write(path, 300, seed=77)
    return path


@pytest.fixture
def bundle(linear_bundle: Path, tmp_path: Path) -> Path:
    return copytree(linear_bundle, tmp_path / "it")


def fit(bundle: Path, file: Path, wishes: Wishes | None = None) -> Fitted:
    return refit(bundle, file, wishes or Wishes(EASY), quiet=True, say=lambda line: None)


def test_gates_are_fitted_and_written_and_the_bundle_answers_by_them(
    bundle: Path, gate_file: Path
) -> None:
    before = Bundle.open(bundle)
    fitted = fit(bundle, gate_file)
    assert Bundle.open(bundle).id == before.id, "nothing is written before it is asked for"
    after = fitted.save()
    assert after.id != before.id
    cascade = Cascade.load(bundle)
    assert cascade.gates == fitted.gates
    tickets = [f"{ticket.subject}\n{ticket.body}" for ticket in generate(200, seed=78)]
    routed = sum(decision.action == "route" for decision in cascade.route(tickets))
    assert routed / 200 == pytest.approx(fitted.gates.plan["coverage"], abs=0.15)


def test_only_the_gates_and_the_card_change(bundle: Path, gate_file: Path) -> None:
    before = {name: Bundle.open(bundle).read(name) for name in Bundle.open(bundle).files}
    after = fit(bundle, gate_file).save()
    changed = {name for name in after.files if after.read(name) != before.get(name)}
    assert changed == {"gates.json", "card.md"}
    assert after.manifest == Bundle.open(bundle).manifest


def test_the_card_shows_the_last_plan_once(bundle: Path, gate_file: Path) -> None:
    fit(bundle, gate_file).save()
    card = fit(bundle, gate_file, Wishes(Promise(0.7, 0.8))).save().read("card.md").decode()
    assert card.count("## Gates") == 1
    assert "precision >= 70.0%" in card and "precision >= 60.0%" not in card
    assert "## How it was made" in card


def test_the_same_tickets_give_the_same_gates(bundle: Path, gate_file: Path) -> None:
    one, other = fit(bundle, gate_file).gates, fit(bundle, gate_file).gates
    assert one.gates == other.gates


def test_costs_decide_what_is_settled(bundle: Path, gate_file: Path, tmp_path: Path) -> None:
    costs = tmp_path / "costs.toml"
    costs.write_text(COSTS)
    plan = fit(bundle, gate_file, Wishes(None, costs)).gates.plan
    assert 0 < plan["costs"]["ticket"] < plan["costs"]["all_to_review"] == 4.0
    assert sum(square["share"] for square in plan["squares"]) == pytest.approx(1)
    costs.write_text(COSTS.replace("review = 4.0", "review = 0.1"))
    cautious = fit(bundle, gate_file, Wishes(None, costs)).gates.plan
    assert cautious["coverage"] < plan["coverage"]
    assert cautious["precision"] > plan["precision"]


def test_a_promise_beside_costs_settles_no_more_than_either(
    bundle: Path, gate_file: Path, tmp_path: Path
) -> None:
    costs = tmp_path / "costs.toml"
    costs.write_text(COSTS)
    alone = fit(bundle, gate_file, Wishes(None, costs)).gates.plan
    both = fit(bundle, gate_file, Wishes(Promise(0.8, 0.8), costs)).gates.plan
    assert both["coverage"] <= alone["coverage"]
    assert all(group["bound"] >= 0.8 for group in both["groups"] if group["settled"])


def test_a_budget_is_kept_by_a_bundle_with_two_stages(tiny_bundle: Path, gate_file: Path) -> None:
    free = fit(tiny_bundle, gate_file).gates.plan["stages"][1]["reached"]
    bound = fit(tiny_bundle, gate_file, Wishes(EASY, budgets=("encoder<=10%",))).gates
    assert bound.plan["stages"][1]["reached"] <= min(0.15, free + 0.01)


def test_labels_that_the_tickets_lack_keep_their_joins(
    bundle: Path, gate_file: Path, tmp_path: Path
) -> None:
    with gate_file.open(newline="") as handle:
        rows = [{k: row[k] for k in ("subject", "body", "queue")} for row in csv.DictReader(handle)]
    bare = tmp_path / "bare.csv"
    with bare.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    old = Gates.from_dict(json.loads(Bundle.open(bundle).read("gates.json")))
    new = fit(bundle, bare).gates
    assert new.gates[0].joins["urgency"] == old.gates[0].joins["urgency"]


# --- what cannot be ---


def lines_of(file: Path, count: int, out: Path, change: Callable[[str], str] = str) -> Path:
    out.write_text(change("".join(file.read_text().splitlines(keepends=True)[: count + 1])))
    return out


def test_twelve_tickets(bundle: Path, gate_file: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    write(few, 12, seed=1)
    with pytest.raises(InputError, match=r"few\.csv: 1\d tickets are too few; .* at least 90"):
        fit(bundle, few, Wishes(Promise(0.95, 0.9)))


def test_a_queue_that_the_bundle_does_not_have(
    bundle: Path, gate_file: Path, tmp_path: Path
) -> None:
    queue = Bundle.open(bundle).manifest.heads["queue"][0]
    other = tmp_path / "other.csv"
    with gate_file.open(newline="") as source, other.open("w", newline="") as out:
        rows = list(csv.DictReader(source))
        for row in rows:
            row["queue"] = "Legal" if row["queue"] == queue else row["queue"]
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(InputError, match=r"line \d+: 'Legal' \(\d+ rows\) is no queue of"):
        fit(bundle, other)


def test_a_target_that_needs_more_tickets_than_there_are(bundle: Path, gate_file: Path) -> None:
    with pytest.raises(InputError, match=r"too few; to show that precision >= 0\.999"):
        fit(bundle, gate_file, Wishes(Promise(0.999, 0.9)))


def test_a_target_that_cannot_be_kept_settles_nothing_and_says_what_it_would_take(
    bundle: Path, gate_file: Path
) -> None:
    plan = fit(bundle, gate_file, Wishes(Promise(0.985, 0.85))).gates.plan
    if plan["coverage"] == 0:  # the stage is not that good
        assert all(group["needs"] != 0 for group in plan["groups"])
    else:
        assert all(group["bound"] >= 0.985 for group in plan["groups"])


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (Wishes(EASY, budgets=("llm<=4%",)), "no stage 'llm'"),
        (Wishes(EASY, budgets=("p95<=0.000001ms",)), "cannot be kept; with linear alone"),
        (Wishes(Promise(0.9, 0.9, {"Bugs": 0.9})), r"precision\[Bugs\]: no such queue"),
        (Wishes(None, Path("nowhere.toml")), "nowhere.toml"),
    ],
)
def test_wishes_that_nobody_can_grant(
    bundle: Path, gate_file: Path, wishes: Wishes, message: str
) -> None:
    with pytest.raises(CascadeError, match=message):
        fit(bundle, gate_file, wishes)


def test_gates_of_another_bundle_are_refused(
    bundle: Path, gate_file: Path, seal: Callable[[Path], None]
) -> None:
    plain = json.loads((bundle / "gates.json").read_text())
    plain["gates"][0]["stop"] = plain["gates"][0]["settle"] = [0.9, 0.9]
    (bundle / "gates.json").write_text(json.dumps(plain))
    with pytest.raises(CascadeError, match=r"gates\.json: damaged or changed"):
        Cascade.load(bundle)
    seal(bundle)
    with pytest.raises(CascadeError, match=r"gates\.json: linear was fitted for other queues"):
        Cascade.load(bundle)


def test_examples_of_the_bundle_prove_nothing_and_that_is_told(
    reader_bundle: Path, starter_file: Path
) -> None:
    told: list[str] = []
    refit(reader_bundle, starter_file, Wishes(EASY), quiet=True, say=told.append)
    assert any("are examples of the bundle" in line for line in told)


def test_gates_are_fitted_for_the_model_that_answers_from_now_on(
    reader_bundle: Path, gate_file: Path
) -> None:
    changed = fit(reader_bundle, gate_file).changed
    assert changed.keys() == {"gates.json", "card.md", "llm/config.json"}
    assert json.loads(changed["llm/config.json"])["backend"].startswith("reader ")


# --- the command ---


def test_the_command_prints_the_plan_and_writes_it(
    command: Callable[..., object], bundle: Path, gate_file: Path, tmp_path: Path
) -> None:
    before = Bundle.open(bundle).id
    args = ["gate", bundle, gate_file, "--target", "precision>=0.6", "--confidence", "0.8"]
    done = command(*args, "--quiet", "--dry-run")
    assert done.returncode == 0, done.stderr  # type: ignore[attr-defined]
    assert "all: precision >= 60.0% kept" in done.stdout  # type: ignore[attr-defined]
    assert "what another target would settle" in done.stdout  # type: ignore[attr-defined]
    assert Bundle.open(bundle).id == before
    plot = tmp_path / "plan.svg"
    done = command(*args, "--quiet", "--plot", plot)
    assert done.returncode == 0, done.stderr  # type: ignore[attr-defined]
    assert Bundle.open(bundle).id != before
    assert plot.read_text().lstrip().startswith("<?xml")


def test_the_command_writes_nothing_where_nothing_would_be_settled(
    command: Callable[..., object], bundle: Path, gate_file: Path, tmp_path: Path
) -> None:
    before = Bundle.open(bundle).id
    mixed = tmp_path / "mixed.csv"
    with gate_file.open(newline="") as source, mixed.open("w", newline="") as out:
        rows = list(csv.DictReader(source))
        queues = [row["queue"] for row in rows]
        for row, queue in zip(rows, queues[7:] + queues[:7], strict=True):
            row["queue"] = queue
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    done = command("gate", bundle, mixed, "--quiet", "--target", "precision>=0.95")
    assert done.returncode == 1  # type: ignore[attr-defined]
    assert "nothing would be settled" in done.stderr  # type: ignore[attr-defined]
    assert "all to review" in done.stdout  # type: ignore[attr-defined]
    assert Bundle.open(bundle).id == before
