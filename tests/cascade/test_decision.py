"""Decisions, tickets and errors: the small types that everything else passes around."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

import pytest

import cascade
from cascade import errors
from cascade.decision import Choice, Decision, Label, StageTrace
from cascade.ticket import Ticket, join_parts

DECISION = Decision(
    id="T-1",
    queue="bug",
    confidence=0.7,
    stage="encoder",
    action="route",
    alternatives=(Choice("access", 0.2), Choice("billing", 0.1)),
    labels={"urgency": Label("high", 0.6)},
    stages=(StageTrace("linear", "bug", 0.4, 0.1), StageTrace("encoder", "bug", 0.7, 6.2)),
    bundle="it-0123456789",
)


def test_a_decision_is_plain_json() -> None:
    assert json.loads(json.dumps(DECISION.to_dict())) == {
        "id": "T-1",
        "queue": "bug",
        "confidence": 0.7,
        "stage": "encoder",
        "action": "route",
        "alternatives": [
            {"queue": "access", "confidence": 0.2},
            {"queue": "billing", "confidence": 0.1},
        ],
        "labels": {"urgency": {"value": "high", "confidence": 0.6}},
        "stages": [
            {"name": "linear", "queue": "bug", "confidence": 0.4, "ms": 0.1},
            {"name": "encoder", "queue": "bug", "confidence": 0.7, "ms": 6.2},
        ],
        "bundle": "it-0123456789",
        "reason": "",
        "late": False,
    }


def test_a_decision_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        DECISION.queue = "other"  # type: ignore[misc]


def test_no_field_is_left_out() -> None:
    assert json.loads(json.dumps(asdict(DECISION))) == json.loads(json.dumps(DECISION.to_dict()))
    assert list(DECISION.to_dict()) == [field.name for field in fields(Decision)]


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["subject", "body"], "subject\n\nbody"),
        ([" subject \n", None, "", "  ", "body"], "subject\n\nbody"),
        ([None], ""),
        ([], ""),
    ],
)
def test_the_parts_of_a_ticket_are_joined_without_the_empty_ones(
    parts: list[str | None], text: str
) -> None:
    assert join_parts(parts) == text
    assert Ticket.of(parts, "T-1") == Ticket(text, "T-1")


def test_every_error_for_people_has_one_base() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) > 5
    assert all(issubclass(kind, errors.CascadeError) for kind in kinds)


def test_a_missing_extra_tells_how_to_install_it() -> None:
    message = str(errors.MissingExtraError("torch", "train"))
    assert "torch" in message
    assert "pip install 'ticket-cascade[train]'" in message


def test_every_public_name_is_there() -> None:
    for name in cascade.__all__:
        assert getattr(cascade, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Cascades'"):
        cascade.Cascades  # noqa: B018
