"""A ticket: what a help desk hands over to be routed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_CHARACTERS = 1_000_000
"""Longest raw ticket that is read, in characters. Longer ones are refused where they come in."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket.

    Attributes:
        text: the raw text, subject first, as the customer wrote it (not cleaned).
        id: the help desk's own id, given back in the decision; None if it has none.
    """

    text: str
    id: str | None = None

    @classmethod
    def of(cls, parts: Iterable[str | None], id: str | None = None) -> Ticket:
        """Join the parts of a ticket (subject, body, ...) in order; empty parts are left out."""
        return cls(join_parts(parts), id)


def join_parts(parts: Iterable[str | None]) -> str:
    """Subject, body and so on as one text: the one way in which training and serving join them."""
    return "\n\n".join(part.strip() for part in parts if part and part.strip())
