"""From a JSON value to a model of `serve.schemas`, or to a problem that names each field."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from serve.problems import INVALID_FIELD, Problem

ROOT = "$"
"""Names the body itself where no field of it can be named."""
MOST_ERRORS = 20
LONGEST_NAME = 80

Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], value: Any) -> Model:
    """Check a JSON value against a model.

    Raises:
        Problem: 422 that names each field at fault (the first 20), without its value.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # Pydantic's errors quote the input; only the place and the rule are taken over.
        faults = error.errors(include_input=False, include_context=False, include_url=False)
    errors = [
        {"field": _field(fault["loc"]), "message": _message(fault["type"], fault["msg"])}
        for fault in faults[:MOST_ERRORS]
    ]
    many = "1 field is" if len(faults) == 1 else f"{len(faults)} fields are"
    raise Problem(INVALID_FIELD, f"{many} not valid.", errors=errors)


def _field(place: tuple[int | str, ...]) -> str:
    path = ""
    for step in place:
        path += f"[{step}]" if isinstance(step, int) else f".{step[:LONGEST_NAME]}"
    return path.removeprefix(".") or ROOT


def _message(rule: str, message: str) -> str:
    if rule == "extra_forbidden":
        return "unknown field"
    return message.replace("Input should", "should").replace("a valid dictionary", "an object")
