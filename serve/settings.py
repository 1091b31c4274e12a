"""The settings of the service: one typed object, the environment over one TOML file.

Each field of `Settings` is the variable ``CASCADE_`` + its name in capitals, or its name in the
file that ``CASCADE_CONFIG`` names. The flags of ``cascade serve`` set these variables, so there is
no third source. docs/settings.md is written from the fields (``python -m serve.settings``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from cascade.errors import InputError
from cascade.llm.settings import DEFAULT_STORE, LLMSettings
from cascade.machine import cores
from cascade.toml import read_toml

PREFIX = "CASCADE_"
CONFIG = "CASCADE_CONFIG"
MIB = 1024 * 1024
SHORTEST_SECRET = 24
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MADE = {"workers": "cores", "shallow_from": "half of `waiting`"}
"""Defaults that are made, for the document."""


class Settings(BaseSettings):
    """What an operator can set. Sizes are in bytes."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_ignore_empty=True
    )

    bundle: Annotated[Path, Field(description="folder of the bundle")] = Path("bundles/starter")
    host: Annotated[str, Field(min_length=1, description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="port; 0 takes a free one")] = 8080
    tls_certificate: Annotated[
        Path | None, Field(description="PEM file; with `tls_key` the service speaks TLS itself")
    ] = None
    tls_key: Annotated[Path | None, Field(description="PEM file with the certificate's key")] = None
    proxies: Annotated[
        int, Field(ge=0, le=8, description="proxies in front whose X-Forwarded headers count")
    ] = 0

    workers: Annotated[int, Field(ge=1, le=1024, description="processes; best one a core")] = Field(
        default_factory=cores
    )
    threads: Annotated[int, Field(ge=1, le=256, description="requests a worker routes at once")] = 4
    waiting: Annotated[
        int, Field(ge=0, le=1024, description="further requests that may wait in a worker")
    ] = 32
    shallow_from: Annotated[
        int,
        Field(
            ge=0,
            le=1024,
            description="with so many waiting, or one for a third of its deadline, a worker "
            "asks the first stage only, the rest later",
        ),
    ] = Field(default_factory=lambda chosen: max(1, chosen["waiting"] // 2))
    max_body: Annotated[int, Field(ge=1, description="largest body of /v1/route")] = 2 * MIB
    max_batch_body: Annotated[int, Field(ge=1, description="largest body of /v1/route/batch")] = (
        16 * MIB
    )
    deadline_ms: Annotated[
        float, Field(gt=0, le=60_000, description="deadline where a request names none")
    ] = 150.0
    finish_later: Annotated[
        bool, Field(description="finish what a deadline cut short in the background")
    ] = True

    database: Annotated[
        str,
        Field(
            min_length=1, description="SQLAlchemy URL: `sqlite:///FILE` or `postgresql+psycopg://`"
        ),
    ] = "sqlite:///bundles/cascade.sqlite"
    keep_decisions_days: Annotated[
        int, Field(ge=1, le=36_500, description="older decisions and feedback are purged")
    ] = 365
    keep_text_days: Annotated[
        int, Field(ge=0, le=3_650, description="ticket texts, masked, are kept so long; 0: not")
    ] = 0

    auth: Annotated[
        Literal["auto", "keys", "none"],
        Field(
            description="who may call; `keys`: who has one; `none`: anybody; "
            "`auto`: keys, unless only this machine can"
        ),
    ] = "auto"
    rate: Annotated[
        float,
        Field(
            ge=0,
            le=1e6,
            description="requests a second that a key may make, of all workers together; 0: any",
        ),
    ] = 0.0
    burst: Annotated[
        int, Field(ge=1, le=100_000, description="requests that a key may make at once")
    ] = 50
    claim_minutes: Annotated[
        int, Field(ge=1, le=1_440, description="a ticket claimed for review is kept so long")
    ] = 15

    callback_url: Annotated[
        str, Field(description="where later answers are posted; no request can name another")
    ] = ""
    callback_secret: Annotated[
        SecretStr, Field(description="key of the callbacks' signatures, 24 characters or more")
    ] = SecretStr("")

    log_level: Annotated[
        Literal["info", "warning", "error"],
        Field(description="from which level on lines are logged; requests are `info`"),
    ] = "info"

    llm_url: Annotated[str, Field(description="server for the llm stage, `http://…/v1`")] = ""
    llm_model: Annotated[
        str, Field(description="its model; without a server a folder with an ONNX model")
    ] = ""
    llm_dialect: Annotated[str, Field(description="how it is asked; `cascade llm check`")] = ""
    llm_key: Annotated[SecretStr, Field(description="its API key")] = SecretStr("")
    llm_allow_public: Annotated[
        bool, Field(description="it may have a public address: tickets leave the house")
    ] = False
    llm_store: Annotated[Path, Field(description="file of its answers")] = DEFAULT_STORE

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise PydanticCustomError("tls", "tls_certificate and tls_key go together")
        if self.callback_url and len(self.callback_secret.get_secret_value()) < SHORTEST_SECRET:
            raise PydanticCustomError(
                "callback", f"callback_url needs a callback_secret of {SHORTEST_SECRET} characters"
            )
        if self.shallow_from > max(1, self.waiting):  # depth is to be shed before requests are
            raise PydanticCustomError("shallow", "shallow_from may not be more than waiting")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file; no other source."""
        file = os.environ.get(CONFIG)
        read = read_toml(Path(file)) if file else {}
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=read)

    @property
    def authenticated(self) -> bool:
        """Whether callers need an API key."""
        beyond = self.host not in LOOPBACK or self.proxies > 0
        return self.auth == "keys" or (self.auth == "auto" and beyond)

    @property
    def llm(self) -> LLMSettings:
        """Who answers in the llm stage."""
        return LLMSettings(
            self.llm_url.strip(),
            self.llm_model.strip(),
            self.llm_dialect.strip(),
            self.llm_key.get_secret_value().strip(),
            self.llm_allow_public,
            self.llm_store,
        )


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def read_settings() -> Settings:
    """Read the settings from the environment and the file; an empty variable counts as not set.

    Raises:
        InputError: a value cannot be used. The message is one line that names where it stands; a
            secret's value is not in it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    if not first["loc"]:
        raise InputError(f"settings: {first['msg']}")
    name = str(first["loc"][0])
    value = os.environ.get(variable(name))
    field = Settings.model_fields.get(name)
    # What is no setting may be a misspelt secret.
    secret = field is None or field.annotation is SecretStr or name == "database"
    shown = "" if secret else f"={value or first['input']!r}"
    where = variable(name) if value else f"{os.environ.get(CONFIG)}: {name}"
    why = first["msg"] if field else "no such setting; docs/settings.md lists them"
    raise InputError(f"{where}{shown}: {why}") from None


def as_markdown() -> list[str]:
    """A table of all settings."""
    lines = ["| variable | in the file | default | |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        told = _MADE.get(name) or _shown(field.default)
        lines.append(f"| `{variable(name)}` | `{name}` | {told} | {field.description} |")
    return lines


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = "" if value is None or isinstance(value, SecretStr) else str(value)
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    for line in as_markdown():
        print(line)
