"""The settings of the service: environment variables, read in this one place.

Each field of `Settings` is the variable ``CASCADE_`` + its name in capitals. The flags of
``cascade serve`` set these variables, so there is no second source.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cascade.errors import InputError
from cascade.machine import cores

PREFIX = "CASCADE_"
MIB = 1024 * 1024


class Settings(BaseModel):
    """What an operator can set. Sizes are in bytes, times in milliseconds."""

    model_config = ConfigDict(frozen=True)

    bundle: Annotated[Path, Field(description="folder of the bundle")] = Path("bundles/starter")
    host: Annotated[str, Field(min_length=1, description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="port; 0 takes a free one")] = 8080
    workers: Annotated[int, Field(ge=1, le=1024, description="processes; best one a core")] = Field(
        default_factory=cores
    )
    threads: Annotated[int, Field(ge=1, le=256, description="requests a worker routes at once")] = 4
    waiting: Annotated[
        int, Field(ge=0, le=1024, description="further requests that may wait in a worker")
    ] = 32
    max_body: Annotated[int, Field(ge=1, description="largest body of /v1/route")] = 2 * MIB
    max_batch_body: Annotated[int, Field(ge=1, description="largest body of /v1/route/batch")] = (
        16 * MIB
    )
    deadline_ms: Annotated[
        float, Field(gt=0, le=60_000, description="deadline where a request names none")
    ] = 150.0


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables; an empty variable counts as not set.

    Raises:
        InputError: a value cannot be used. The message is one line that names the variable.
    """
    read = {name: environ.get(variable(name)) for name in Settings.model_fields}
    given = {name: value for name, value in read.items() if value}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise InputError(f"{variable(name)}={given[name]!r}: {first['msg']}") from None
