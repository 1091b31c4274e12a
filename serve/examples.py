"""Replies as the OpenAPI document shows them; a test holds them against the models."""

from __future__ import annotations

from typing import Any

DECISION: dict[str, Any] = {
    "id": "4711",
    "queue": "Network",
    "confidence": 0.94,
    "stage": "encoder",
    "action": "route",
    "alternatives": [{"queue": "Hardware", "confidence": 0.03}],
    "labels": {"urgency": {"value": "high", "confidence": 0.81}},
    "stages": [
        {"name": "linear", "queue": "Hardware", "confidence": 0.71, "ms": 0.3},
        {"name": "encoder", "queue": "Network", "confidence": 0.94, "ms": 9.8},
    ],
    "bundle": "3f1c9a",
    "reason": "",
    "late": False,
    "decision_id": "0194c1f2a4d35b1f0e6d7c8b9a0f1e2d",
    "pending": False,
    "explanation": None,
    "opinions": None,
}
EXPLANATION: dict[str, Any] = {
    "queue": "Network",
    "against": "Hardware",
    "words": [{"text": "VPN", "weight": 2.1}, {"text": "laptop", "weight": -0.4}],
    "neighbours": [
        {"row": 17, "queue": "Network", "similarity": 0.31, "excerpt": "VPN drops at noon"}
    ],
    "gates": [
        {
            "stage": "linear",
            "queue": "Hardware",
            "confidence": 0.71,
            "threshold": 0.92,
            "margin": -0.21,
            "text": "linear: 71.0 % for Hardware, 21.0 points under the 92.0 % at which it settles",
        },
        {
            "stage": "encoder",
            "queue": "Network",
            "confidence": 0.94,
            "threshold": 0.9,
            "margin": 0.04,
            "text": "encoder: 94.0 % for Network, 4.0 points over the 90.0 % at which it settles",
        },
    ],
}
READY: dict[str, Any] = {
    "status": "ready",
    "bundle": "3f1c9a",
    "deployment": None,
    "queues": ["Hardware", "Network"],
    "stages": ["linear", "encoder", "neighbours", "llm"],
    "advisers": {
        "llm": {
            "backend": "qwen3:4b (logprobs)",
            "fitted": True,
            "counts": {"answered": 311, "late": 4},
        }
    },
}
EXPLAINED = DECISION | {"explanation": EXPLANATION}
STORED = {
    **{name: its for name, its in DECISION.items() if name not in ("explanation", "opinions")},
    "created": 1795000000.0,
    "finished": None,
}
BATCH = {"bundle": DECISION["bundle"], "decisions": [DECISION]}
ALIVE = {"status": "alive", "bundle": DECISION["bundle"]}
ITEM = {
    "decision": STORED
    | {"action": "review", "stage": "human", "reason": "no stage is sure enough"},
    "text": "VPN drops every hour. Since Monday the tunnel closes, says <name>.",
    "priority": 2.06,
    "claimed_by": "anna",
    "claimed_until": 1795000900.0,
}
REVIEW = {"waiting": 1, "items": [ITEM]}
FEEDBACK = {"feedback_id": "0194c1f2b7e05b1f0e6d7c8b9a0f1e2d"}
RELEASED = {"decision_id": DECISION["decision_id"]}
_EMPTY = {"waiting": 0, "oldest_seconds": 0.0}
STATE = {
    "bundle": DECISION["bundle"],
    "day": {
        "tickets": 1000,
        "stages": [
            {"stage": "linear", "tickets": 640},
            {"stage": "encoder", "tickets": 150},
            {"stage": "llm", "tickets": 40},
            {"stage": "human", "tickets": 170},
        ],
        "escalated": 360,
        "feedback": 120,
    },
    "recent": {"seconds": 300.0, "tickets": 41, "p50_ms": 0.5, "p95_ms": 13.4},
    "review": {"waiting": 50, "oldest_seconds": 3600.5},
    "pending": _EMPTY,
    "callbacks": _EMPTY,
    "llm": READY["advisers"]["llm"],
    "workers": [{"id": "0194c1f2a4d3", "bundle": DECISION["bundle"], "failure": ""}],
}
