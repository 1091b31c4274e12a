"""What goes in and out over HTTP, as pydantic models; the OpenAPI document is made from them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cascade.explain import Explanation
from cascade.ticket import MAX_CHARACTERS, Ticket

MAX_TICKETS = 256
MAX_EXPLAINED = 32
MAX_DEADLINE_MS = 60_000
_SURROGATES = re.compile("[\ud800-\udfff]")


def mend(text: Any) -> Any:
    """Text without halves of surrogate pairs; anything else as it is."""
    # Clients that cut text in the middle of an emoji send half of a pair. The ticket can be
    # routed all the same; the tokeniser cannot take it as it is.
    return _SURROGATES.sub("\ufffd", text) if isinstance(text, str) else text


Text = Annotated[str, BeforeValidator(mend), Field(max_length=MAX_CHARACTERS)]
Id = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Deadline = Annotated[float, Field(gt=0, le=MAX_DEADLINE_MS)]
Confidence = Annotated[float, Field(ge=0, le=1)]


class TicketIn(BaseModel):
    """A ticket: `subject` and `body`, or both in one as `text`; at least one is not blank."""

    model_config = ConfigDict(extra="forbid", strict=True)

    subject: Annotated[Text | None, Field(description="subject line")] = None
    body: Annotated[Text | None, Field(description="what the customer wrote")] = None
    text: Annotated[Text | None, Field(description="in place of subject and body")] = None
    id: Annotated[Id | None, Field(description="your own id; given back in the decision")] = None

    @field_validator("text")
    @classmethod
    def _stands_alone(cls, text: str | None, info: Any) -> str | None:
        if text is not None and (info.data.get("subject") or info.data.get("body")):
            raise PydanticCustomError("alone", "give either text, or subject and body")
        return text

    @model_validator(mode="after")
    def _says_something(self) -> TicketIn:
        text = self.ticket().text
        if not text:
            raise PydanticCustomError("blank", "one of subject, body and text must not be blank")
        if len(text) > MAX_CHARACTERS:
            raise PydanticCustomError(
                "too_long", f"subject and body together may hold {MAX_CHARACTERS} characters"
            )
        return self

    def ticket(self) -> Ticket:
        """The ticket as the cascade takes it."""
        return Ticket.of((self.subject, self.body, self.text), id=self.id)


class RouteIn(TicketIn):
    """One ticket to route."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "4711",
                    "subject": "VPN drops every hour",
                    "body": "Since Monday the tunnel closes and I have to log in again.",
                    "deadline_ms": 150,
                    "explain": True,
                }
            ]
        }
    )

    deadline_ms: Annotated[
        Deadline | None,
        Field(description="the answer comes by then, from the deepest stage that could finish"),
    ] = None
    explain: Annotated[
        bool, Field(description="say why; that takes some milliseconds beside the deadline")
    ] = False
    every_stage: Annotated[
        bool,
        Field(description="also tell what each stage says alone; costs what all of them cost"),
    ] = False


class BatchIn(BaseModel):
    """Several tickets to route. Without `deadline_ms` each goes through all the stages it needs."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"tickets": [{"id": "1", "text": "Invoice 77 was charged twice"}]}]
        },
    )

    tickets: Annotated[list[TicketIn], Field(min_length=1, max_length=MAX_TICKETS)]
    deadline_ms: Annotated[Deadline | None, Field(description="for the whole batch")] = None
    explain: Annotated[bool, Field(description=f"say why; for at most {MAX_EXPLAINED} tickets")] = (
        False
    )

    @field_validator("explain")
    @classmethod
    def _few(cls, explain: bool, info: Any) -> bool:
        if explain and len(info.data.get("tickets", ())) > MAX_EXPLAINED:
            raise PydanticCustomError(
                "explain", f"at most {MAX_EXPLAINED} tickets can be explained at a time"
            )
        return explain


class IdempotencyKey(BaseModel):
    """The header of that name: the same key and body get the stored answer."""

    key: Annotated[str, Field(alias="Idempotency-Key", pattern=r"^[\x21-\x7e]{1,200}$")]


class ChoiceOut(BaseModel):
    """A queue and the calibrated probability that it is the right one."""

    queue: str
    confidence: Confidence


class LabelOut(BaseModel):
    """The value of a further label, such as urgency, and its calibrated probability."""

    value: str
    confidence: Confidence


class StageOut(BaseModel):
    """What was believed after a stage, and the milliseconds that it took."""

    name: str
    queue: str
    confidence: Confidence
    ms: float


class OpinionOut(BaseModel):
    """What a stage says alone: null where it has no answer, and then there is a reason."""

    stage: str
    queue: str | None
    confidence: Confidence | None
    ms: float
    reason: str


class Decided(BaseModel):
    """What the cascade says of a ticket."""

    id: Annotated[str | None, Field(description="the ticket's own id")]
    queue: Annotated[str, Field(description="best queue known; for review a suggestion")]
    confidence: Confidence
    stage: Annotated[str, Field(description="settled the ticket; `human` where none was sure")]
    action: Annotated[
        Literal["route", "review"], Field(description="act on it, or let a person look first")
    ]
    alternatives: Annotated[list[ChoiceOut], Field(description="next best queues, best first")]
    labels: dict[str, LabelOut]
    stages: Annotated[list[StageOut], Field(description="the stages that ran, in order")]
    bundle: Annotated[str, Field(description="id of the bundle that answered")]
    reason: Annotated[str, Field(description="why it goes to review; empty for route")]
    late: Annotated[
        bool, Field(description="a deadline, or load, left out a stage that may settle it")
    ]
    decision_id: Annotated[str, Field(description="for GET /v1/decisions/ID and for feedback")]
    pending: Annotated[bool, Field(description="a later answer follows under the same decision_id")]


class DecisionOut(Decided):
    """The answer for a ticket."""

    explanation: Annotated[
        Explanation | None,
        Field(description="null unless asked for, and in a crowd; holds the customer's words"),
    ]
    opinions: Annotated[
        list[OpinionOut] | None,
        Field(description="what each stage says alone; null unless `every_stage` was asked for"),
    ]


class StoredOut(Decided):
    """A decision as it is stored: without explanation, as that holds the customer's words."""

    created: Annotated[float, Field(description="seconds since 1970, UTC")]
    finished: Annotated[
        float | None, Field(description="when a later answer took the place of the first")
    ]


class BatchOut(BaseModel):
    """The decisions of a batch, in the order of its tickets."""

    bundle: str
    decisions: list[DecisionOut]


class HealthOut(BaseModel):
    """The process is alive."""

    status: Literal["alive"]
    bundle: Annotated[str, Field(description="`none` until a bundle is loaded")]


class AdviserOut(BaseModel):
    """Who answers in a stage that may have no answer, and how that went since the start."""

    backend: Annotated[str, Field(description="the model; `reader ...` is the built-in one")]
    fitted: Annotated[
        bool, Field(description="the gates were fitted with it; else it suggests, never settles")
    ]
    counts: Annotated[
        dict[str, int], Field(description="tickets answered, and why others were not")
    ]


class ReadyOut(BaseModel):
    """The bundle is loaded and warm. Queues and the rest are null where callers need keys."""

    status: Literal["ready"]
    bundle: str
    deployment: Annotated[
        int | None,
        Field(description="number of the change that put it there; null: it is the settings'"),
    ]
    queues: list[str] | None
    stages: list[str] | None
    advisers: Annotated[
        dict[str, AdviserOut] | None,
        Field(description="who answers in the llm stage, in this worker"),
    ]


class BundleIn(BaseModel):
    """A bundle to put into service."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"path": "it-helpdesk-2"}]}
    )

    path: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=1000,
            pattern=r"^[^\x00-\x1f\x7f]+$",
            description="a folder beside the bundle of the settings, by its name or its path; "
            "without it that bundle, as it now is",
        ),
    ] = None


class BundleOut(BaseModel):
    """A bundle that is in service."""

    bundle: str
    path: str
    workers: Annotated[int, Field(description="that serve it")]


class FieldError(BaseModel):
    """A field at fault, such as `tickets[3].subject`; `$` is the body itself."""

    field: str
    message: str


class ProblemOut(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: Annotated[str, Field(description="stable URI reference of the kind of problem")]
    title: str
    status: int
    detail: str
    request_id: str
    errors: Annotated[list[FieldError], Field(min_length=1)] = Field(default_factory=list)
