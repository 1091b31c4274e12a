"""What 1,000 tickets cost at the prices of a small file, ``prices.toml``."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cascade.errors import InputError
from cascade.toml import read_toml

PRICES = Path(__file__).with_name("prices.toml")
"""Round figures to start from."""
HOUR = 3600.0
TICKETS = 1000


@dataclass(frozen=True, slots=True)
class Prices:
    """What computing and people cost, in one currency; each number is >= 0.

    Attributes:
        currency: its name, for people.
        core_hour: one core for an hour.
        gpu_hour: one GPU for an hour.
        input_1000: 1,000 tokens of prompts, where a language model is metered.
        output_1000: 1,000 tokens of answers.
        minute: of the person who reviews.
        minutes_per_review: that one ticket takes.
        minutes_per_misroute: that a ticket takes which was acted on in the wrong queue.
    """

    currency: str
    core_hour: float
    gpu_hour: float
    input_1000: float
    output_1000: float
    minute: float
    minutes_per_review: float
    minutes_per_misroute: float


KEYS = tuple(field.name for field in fields(Prices))


def read_prices(path: Path = PRICES) -> Prices:
    """Read ``prices.toml``; all keys of `Prices` have to be there.

    Raises:
        InputError: it cannot be read, misses a price, or has one that makes no sense; the message
            names the file, the key and the fix.
    """
    plain = read_toml(path)
    for key in plain:
        if key not in KEYS:
            (near,) = difflib.get_close_matches(key, KEYS, n=1, cutoff=0)
            raise InputError(f"{path}: there is no key {key!r}; did you mean {near!r}?")
    currency = plain.get("currency")
    if not isinstance(currency, str) or not currency:
        raise InputError(f'{path}: currency should be a name in quotes; write currency = "EUR"')
    return Prices(currency, *(_number(path, plain, key) for key in KEYS[1:]))


def _number(path: Path, plain: dict[str, Any], key: str) -> float:
    if key not in plain:
        raise InputError(f"{path}: {key} is missing; add a line {key} = 0.0")
    found = plain[key]
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < math.inf:
        raise InputError(f"{path}: {key} is {found!r}; it should be a number from 0 up")
    return float(found)


def per_1000(
    prices: Prices,
    cpu_ms: float,
    review_share: float = 0.0,
    misrouted_share: float = 0.0,
    llm_calls_share: float = 0.0,
    llm_seconds: float = 0.0,
    *,
    input_tokens: float = 0.0,
    output_tokens: float = 0.0,
) -> dict[str, Any]:
    """What 1,000 tickets cost.

    People stand apart, as they cost more than all machines: who sends everything to review
    computes little and is dear, and so is who asks nobody and is often wrong.

    Args:
        cpu_ms: of our own process, a ticket; the built-in reader's work is in it.
        review_share: of the tickets that a person looks at, in [0, 1].
        misrouted_share: of the tickets that are acted on in the wrong queue, in [0, 1].
        llm_calls_share: calls of a language-model server a ticket, >= 0.
        llm_seconds: that a call keeps a GPU busy; 0 for a metered model. The time of a call
            that had the server to itself, so an upper bound where it takes several at a time.
        input_tokens: of a call's prompt, where the model is metered.
        output_tokens: of its answer.

    Returns:
        ``currency``, the parts ``machine``, ``llm``, ``people`` (who review) and ``misroutes``, and
        their ``sum``.
    """
    call = (
        llm_seconds / HOUR * prices.gpu_hour
        + input_tokens / 1000 * prices.input_1000
        + output_tokens / 1000 * prices.output_1000
    )
    parts = {
        "machine": TICKETS * cpu_ms / 1000 / HOUR * prices.core_hour,
        "llm": TICKETS * llm_calls_share * call,
        "people": TICKETS * review_share * prices.minutes_per_review * prices.minute,
        "misroutes": TICKETS * misrouted_share * prices.minutes_per_misroute * prices.minute,
    }
    rounded = {name: round(part, 7) for name, part in parts.items()}
    return {"currency": prices.currency, **rounded, "sum": round(sum(parts.values()), 7)}
