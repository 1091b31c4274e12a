"""A small phrase language, and the one who speaks it.

``[a|b|c]`` is one of several wordings (they nest, and one may be empty), ``{name}`` a slot that
is filled from the ticket's facts, a bank of phrases, or a function. Phrases are parsed once, when
the module is imported, so that saying one costs a few list operations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias, TypeVar

T = TypeVar("T")

PIECE = re.compile(r"[\[\]|]|\{\w+\}|[^\[\]|{}]+")
HEADER = re.compile(r"== (?P<name>[\w-]+) > (?P<near>[\w ]+?) (?P<severity>[0-3])$")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that is filled when the phrase is said."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several wordings."""

    options: tuple[Phrase, ...]


Phrase: TypeAlias = "tuple[str | Slot | Choice, ...]"


def parse(text: str) -> Phrase:
    """The parsed form of ``text``; ValueError where a bracket is not closed."""
    options, end = _options(iter(PIECE.findall(text)))
    if end or len(options) != 1:
        raise ValueError(f"a bracket or a bar too many in the phrase {text!r}")
    return options[0]


def _options(pieces: Iterator[str]) -> tuple[list[Phrase], str]:
    """The wordings up to the closing bracket or the end, and the piece that closed them."""
    options: list[Phrase] = []
    parts: list[str | Slot | Choice] = []
    for piece in pieces:
        if piece == "[":
            inner, end = _options(pieces)
            if end != "]":
                raise ValueError("a bracket is not closed in a phrase")
            parts.append(Choice(tuple(inner)))
        elif piece in "|]":
            options.append(tuple(parts))
            parts = []
            if piece == "]":
                return options, piece
        else:
            parts.append(Slot(piece[1:-1]) if piece[0] == "{" else piece)
    return [*options, tuple(parts)], ""


def bank(text: str) -> tuple[Phrase, ...]:
    """One phrase a line; a line that starts with two spaces goes on from the one before."""
    return tuple(parse(line) for line in _lines(text))


def _lines(text: str) -> list[str]:
    return [line for line in text.replace("|\n  ", "|").replace("\n  ", " ").split("\n") if line]


def words(text: str) -> tuple[str, ...]:
    """The words of ``text``: a bank of single words."""
    return tuple(text.split())


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that people write to a queue about.

    Attributes:
        near: the queue that a hurried reader takes it for.
        severity: 0 (a wish) to 3 (work stands still); the urgency is drawn around it.
        subjects, openings, details, asks: ways to say it.
    """

    name: str
    queue: str
    near: str
    severity: int
    subjects: tuple[Phrase, ...]
    openings: tuple[Phrase, ...]
    details: tuple[Phrase, ...]
    asks: tuple[Phrase, ...]


def read_intents(queue: str, text: str) -> tuple[Intent, ...]:
    """Intents from blocks of ``== name > near queue severity`` and lines ``s|o|d|a phrase``."""
    intents = []
    for block in text.split("\n\n"):
        head, *lines = _lines(block)
        header = HEADER.match(head)
        if header is None:
            raise ValueError(f"not the head of an intent: {head!r}")
        kinds: dict[str, list[Phrase]] = {"s": [], "o": [], "d": [], "a": []}
        for line in lines:
            kinds[line[0]].append(parse(line[2:]))
        s, o, d, a = (tuple(kinds[kind]) for kind in "soda")
        intents.append(
            Intent(header["name"], queue, header["near"], int(header["severity"]), s, o, d, a)
        )
    return tuple(intents)


@dataclass(slots=True)
class Speaker:
    """Says phrases for one writer, whose facts (product, invoice, colleague) stay the same.

    ``makers`` fill the slots; what a slot in ``lasting`` was once filled with becomes a fact.
    """

    rng: Random
    makers: Mapping[str, Callable[[Speaker], str]]
    lasting: frozenset[str]
    facts: dict[str, str] = field(default_factory=dict)

    def say(self, phrase: Phrase) -> str:
        """The phrase in words, with a capital first letter."""
        parts: list[str] = []
        self.speak(phrase, parts)
        text = "".join(parts)
        return text[:1].upper() + text[1:]

    def speak(self, phrase: Phrase, parts: list[str]) -> None:
        """Add the words of the phrase to ``parts``, as they stand."""
        for part in phrase:
            if isinstance(part, str):
                parts.append(part)
            elif isinstance(part, Slot):
                parts.append(self.fill(part.name))
            else:
                self.speak(self.pick(part.options), parts)

    def fill(self, slot: str) -> str:
        """What the slot holds for this writer; KeyError when there is no such slot."""
        known = self.facts.get(slot)
        if known is None:
            known = self.makers[slot](self)
            if slot in self.lasting:
                self.facts[slot] = known
        return known

    def one_of(self, phrases: Sequence[Phrase]) -> str:
        """One of the phrases, said."""
        return self.say(self.pick(phrases))

    def pick(self, items: Sequence[T]) -> T:
        """One of the items (several times faster than Random.choice, and good enough here)."""
        return items[int(self.rng.random() * len(items))]

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        return int(self.rng.random() * n)

    def chance(self, p: float) -> bool:
        """True in a share p of the calls."""
        return self.rng.random() < p
