"""What goes in and out of ``/v1/systemone`` and ``/v1/models``, as pydantic models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from cascade.ticket import MAX_CHARACTERS, join_parts
from serve.schemas import Confidence, Deadline, mend

MAX_OPTIONS = 255
MAX_QUESTIONS = 64
LATEST = "jev-latest"
"""The model that clients name who name none: whatever is in service."""
TICKET = ("subject", "body", "text")
"""Fields of a state that is a ticket; its other fields are then not read."""

_SHAPE = "should be a string, an object or an array"


def _structured(value: Any) -> Any:
    if not isinstance(value, (str, dict, list)):
        raise PydanticCustomError("structured_type", _SHAPE)
    return value


def _maybe_structured(value: Any) -> Any:
    return value if value is None else _structured(value)


def text_of(state: Any) -> str:
    """The ticket that a state is: its subject and body, or else all text in it, in order."""
    if isinstance(state, dict) and any(isinstance(state.get(name), str) for name in TICKET):
        state = [state.get(name) for name in TICKET]
    return join_parts(_strings(state))


def _strings(value: Any) -> Iterator[str]:
    """Depth first, without recursion: bodies may be nested deeply."""
    open_ = [value]
    while open_:
        its = open_.pop()
        if isinstance(its, str):
            yield str(mend(its))
        elif isinstance(its, (dict, list)):
            open_ += reversed([*its.values()] if isinstance(its, dict) else its)


def _says_something(state: Any) -> Any:
    text = text_of(_structured(state))
    if not text:
        raise PydanticCustomError("blank", "there is no text in it")
    if len(text) > MAX_CHARACTERS:
        raise PydanticCustomError("too_long", f"may hold {MAX_CHARACTERS} characters")
    return state


_AnyShape = WithJsonSchema({"type": ["string", "object", "array"]})
_MaybeShape = WithJsonSchema({"type": ["string", "object", "array", "null"]})
State = Annotated[Any, AfterValidator(_says_something), _AnyShape]
Told = Annotated[Any, AfterValidator(_maybe_structured), _MaybeShape]


class QuestionIn(BaseModel):
    """One of several options, all of them classes of one of the bundle's labels."""

    type: Literal["choice"]
    instructions: Annotated[Told, Field(description="not read")] = None
    criteria: Annotated[
        dict[str, Told],
        Field(
            min_length=2,
            max_length=MAX_OPTIONS,
            description="options by name, see `GET /v1/models`; descriptions are not read",
        ),
    ]


class SystemOneIn(BaseModel):
    """Questions about a ticket. Unknown fields are ignored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": LATEST,
                    "state": {"subject": "VPN drops", "body": "Every hour since Monday."},
                    "questions": {
                        "team": {
                            "type": "choice",
                            "instructions": "Who should handle this ticket?",
                            "criteria": {"Billing": "invoices, refunds", "Network": None},
                        }
                    },
                }
            ]
        }
    )

    model: Annotated[str, Field(max_length=200, description=f"`{LATEST}`, or the id of the bundle")]
    state: Annotated[
        State, Field(description="the ticket: text, or `subject` and `body`, or any JSON with text")
    ]
    questions: Annotated[
        dict[Annotated[str, Field(min_length=1)], QuestionIn],
        Field(min_length=1, max_length=MAX_QUESTIONS, description="by ids of your own"),
    ]
    deadline_ms: Annotated[
        Deadline | None, Field(description="as of /v1/route; no other server knows it")
    ] = None


class AnswerOut(BaseModel):
    """The most probable option."""

    type: Literal["choice"]
    choice: str
    probabilities: Annotated[
        dict[str, Confidence],
        Field(description="calibrated, and made to sum to 1 over the options"),
    ]
    confidence: Annotated[
        Confidence, Field(description="0 where all options are alike, 1 where one is certain")
    ]
    x_mass: Annotated[
        Confidence,
        Field(description="what the options have of the probability of all classes"),
    ]


class UsageOut(BaseModel):
    """What is counted elsewhere to be paid for."""

    input_tokens: Annotated[int, Field(description="words of the ticket")]
    output_tokens: Literal[0]


class SystemOneOut(BaseModel):
    """The answers, by the ids of the questions."""

    model: Annotated[str, Field(description="id of the bundle")]
    answers: dict[str, AnswerOut]
    usage: UsageOut
    x_stage: Annotated[str, Field(description="settled the queue; `human` where none was sure")]
    x_action: Literal["route", "review"]
    x_late: Annotated[bool, Field(description="a deadline, or load, left out a stage")]


class ModelOut(BaseModel):
    """A name that requests may give as their model."""

    name: str
    description: str
    release_date: Annotated[str, Field(description="empty: the bundle's card says it")]
    x_questions: Annotated[
        dict[str, list[str]], Field(description="what it was trained for: labels and their classes")
    ]


class ModelsOut(BaseModel):
    """What can be asked."""

    models: list[ModelOut]


class FaultOut(BaseModel):
    """A field at fault."""

    loc: list[str | int]
    msg: str
    type: str


class TroubleOut(BaseModel):
    """Another error than that of a field."""

    error_type: str
    message: str


class RefusedOut(BaseModel):
    """An error, in the shape of this ecosystem."""

    detail: list[FaultOut] | TroubleOut
