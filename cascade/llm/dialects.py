"""How a question is put to a server, and how its reply is read.

Servers ignore a field that they do not know with a 200 and free text, so a dialect is set by the
operator or found by `cascade.llm.probe`, never guessed from a reply; and every reply is validated
as if a stranger had written it. Nothing of a reply ever gets into a message.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from cascade.errors import InputError
from cascade.llm.base import MAX_CANDIDATES, Answer, NoAnswer, Question
from cascade.llm.prompt import (
    ANSWER_TOKENS,
    DECISION_INSTRUCTIONS,
    codes,
    description,
    messages,
    state,
)

Payload = dict[str, Any]

MIN_MASS = 0.5
"""Least share of the first token's distribution that must fall on the codes: with less, the model
was more likely to say something else than to answer."""

CHOSEN = 0.7
"""Probability of the queue that a constrained answer names. Such an answer carries none, so this
is a modest guess; the weight that the gate fits for the stage calibrates it."""

SEED = 0

_SUM_SLACK = 0.05
"""Servers round probabilities; 0.05 is what the written specification of `jevcompat` allows."""

_TIE = 0.01
"""Rounded to two decimals, the best two of a distribution may change places."""


class Dialect(Protocol):
    """One way to ask. Without state, so safe to call from several threads."""

    @property
    def name(self) -> str:
        """As it is written in the configuration."""
        ...

    def request(self, question: Question, model: str) -> tuple[str, Payload]:
        """The path below the server's base URL, and what is posted there."""
        ...

    def read(self, question: Question, reply: Mapping[str, Any]) -> Answer:
        """The answer in a reply.

        Raises:
            NoAnswer: ``nonsense`` where the reply is not what was asked for, ``unsure`` where
                the model answered something else than a queue.
        """
        ...


@dataclass(frozen=True, slots=True)
class Decisions:
    """Typed decisions, ``POST /v1/systemone``: a probability for each option, no text to parse.

    ``confidence`` in a reply is not read: there are several formulas for it in the wild.
    """

    name: str = "decisions"

    def request(self, question: Question, model: str) -> tuple[str, Payload]:
        """One question of type ``choice``; its options are the queues by name."""
        known = {queue: description(question, queue) or None for queue in question.candidates}
        asked = {"type": "choice", "instructions": DECISION_INSTRUCTIONS, "criteria": known}
        return "systemone", {"model": model, "state": state(question), "questions": {"q": asked}}

    def read(self, question: Question, reply: Mapping[str, Any]) -> Answer:
        """See `Dialect.read`. Probabilities that sum to about 1 are made to sum to 1."""
        answer = _item(_item(reply, "answers"), "q")
        given = _item(answer, "probabilities")
        if not isinstance(given, dict) or given.keys() != set(question.candidates):
            raise _nonsense()
        found = [_number(given[queue]) for queue in question.candidates]
        total = sum(found)
        if min(found) < 0 or abs(total - 1) > _SUM_SLACK:
            raise _nonsense()
        chosen = _item(answer, "choice")
        if not isinstance(chosen, str) or given.get(chosen, 0) < max(found) - _TIE:
            raise _nonsense()
        return Answer(tuple(p / total for p in found))


@dataclass(frozen=True, slots=True)
class Logprobs:
    """Chat completion of a single token with its 20 best log-probabilities.

    Attributes:
        extra: fields that keep a reasoning model from thinking aloud first, so that its first
            token is the answer. A template that knows no such switch ignores it.
    """

    name: str
    extra: Mapping[str, Any]

    def request(self, question: Question, model: str) -> tuple[str, Payload]:
        """One token, greedily, with log-probabilities."""
        asked = {"max_tokens": 1, "logprobs": True, "top_logprobs": MAX_CANDIDATES}
        return "chat/completions", {**_chat(question, model), **asked, **self.extra}

    def read(self, question: Question, reply: Mapping[str, Any]) -> Answer:
        """See `Dialect.read`. Codes that are not among the 20 best tokens get 0."""
        first = _first(_item(_item(_choice(reply), "logprobs"), "content"))
        return distribution(_item(first, "top_logprobs"), codes(question))


def distribution(tokens: Any, wanted: Sequence[str]) -> Answer:
    """Codes' probabilities out of the best tokens of one position, renormalised.

    A code counts with and without white space around it ("A", " A"), but not in lower case: "a"
    is how a sentence begins.

    Args:
        tokens: a reply's ``top_logprobs``.
        wanted: the codes, in the candidates' order.

    Raises:
        NoAnswer: ``nonsense`` or, with a mass below `MIN_MASS`, ``unsure``.
    """
    if not isinstance(tokens, list):
        raise _nonsense()
    found = dict.fromkeys(wanted, 0.0)
    for entry in tokens:
        token, logprob = _item(entry, "token"), _number(_item(entry, "logprob"))
        code = token.strip(" \n\t▁Ġ") if isinstance(token, str) else ""
        if code in found:
            found[code] += math.exp(min(logprob, 1.0))
    mass = sum(found.values())
    if mass > 1 + _SUM_SLACK:
        raise _nonsense()
    if mass < MIN_MASS:
        raise NoAnswer("unsure", "the model answered something else than a queue")
    return Answer(tuple(p / mass for p in found.values()), min(mass, 1.0))


@dataclass(frozen=True, slots=True)
class Constrained:
    """Chat completion whose text the server forces to be one of the codes. No probabilities.

    Attributes:
        fields: from the codes to the fields of the payload that state the constraint.
    """

    name: str
    fields: Callable[[str], Mapping[str, Any]]

    def request(self, question: Question, model: str) -> tuple[str, Payload]:
        """A few tokens, greedily: JSON may go on with white space until the last one."""
        limit = {"max_tokens": ANSWER_TOKENS, **_QUIET}
        constraint = self.fields(codes(question))
        return "chat/completions", {**_chat(question, model), **limit, **constraint}

    def read(self, question: Question, reply: Mapping[str, Any]) -> Answer:
        """See `Dialect.read`. The named queue gets `CHOSEN`, the others share the rest."""
        wanted = codes(question)
        text = _item(_item(_choice(reply), "message"), "content")
        code = _constrained_code(text) if isinstance(text, str) else ""
        if not code or code not in wanted:
            raise _nonsense()
        rest = (1 - CHOSEN) / (len(wanted) - 1)
        return Answer(tuple(CHOSEN if each == code else rest for each in wanted))


def _constrained_code(text: str) -> str:
    """The code in ``A`` or in ``{"queue": "A"}``; empty where it is neither."""
    text = text.strip()
    if len(text) == 1:
        return text
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    code = plain.get("queue") if isinstance(plain, dict) and len(plain) == 1 else None
    return code if isinstance(code, str) and len(code) == 1 else ""


def _schema(wanted: str) -> Payload:
    return {
        "type": "object",
        "properties": {"queue": {"type": "string", "enum": list(wanted)}},
        "required": ["queue"],
        "additionalProperties": False,
    }


def _json_schema(wanted: str) -> Payload:
    named = {"name": "queue", "strict": True, "schema": _schema(wanted)}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _json_object(wanted: str) -> Payload:
    return {"response_format": {"type": "json_object", "schema": _schema(wanted)}}


def _grammar(wanted: str) -> Payload:
    return {"grammar": "root ::= " + " | ".join(f'"{code}"' for code in wanted)}


def _structured_choice(wanted: str) -> Payload:
    return {"structured_outputs": {"choice": list(wanted)}}


_QUIET = MappingProxyType({"chat_template_kwargs": {"enable_thinking": False}})
"""vLLM and llama-server hand it to the chat template; others ignore it."""

_EFFORTLESS = MappingProxyType({"reasoning_effort": "none"})
"""Ollama's name for the same."""

_ALL: tuple[Dialect, ...] = (
    Decisions(),
    Logprobs("logprobs", _QUIET),
    Logprobs("logprobs-ollama", _EFFORTLESS),
    Constrained("grammar", _grammar),
    Constrained("choice", _structured_choice),
    Constrained("json-schema", _json_schema),
    Constrained("json-object", _json_object),
)
DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in _ALL})
"""Every dialect by name, the most telling first."""


def dialect_named(name: str) -> Dialect:
    """The dialect of this name.

    Raises:
        InputError: there is none; the message lists them.
    """
    if name not in DIALECTS:
        raise InputError(
            f"there is no dialect {name!r} (CASCADE_LLM_DIALECT): {', '.join(DIALECTS)}"
        )
    return DIALECTS[name]


def _chat(question: Question, model: str) -> Payload:
    shown = messages(question)
    return {"model": model, "messages": shown, "temperature": 0, "seed": SEED, "stream": False}


def _choice(reply: Mapping[str, Any]) -> Any:
    return _first(_item(reply, "choices"))


def _first(items: Any) -> Any:
    if not isinstance(items, list) or not items:
        raise _nonsense()
    return items[0]


def _item(mapping: Any, key: str) -> Any:
    if not isinstance(mapping, Mapping) or key not in mapping:
        raise _nonsense()
    return mapping[key]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _nonsense()
    if not abs(value) < 1e9:  # also where it is not a number at all
        raise _nonsense()
    return float(value)


def _nonsense() -> NoAnswer:
    return NoAnswer("nonsense", "the LLM server's reply is not an answer")
