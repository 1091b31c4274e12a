"""What an app carries: the parts of the service that its requests share."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app

from serve.engine import Engine
from serve.intake import Intake
from serve.settings import Settings
from serve.store import Store

EXTENSION = "cascade"


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of the service in one worker process."""

    settings: Settings
    engine: Engine
    store: Store
    intake: Intake


def service() -> Service:
    """The service of the app that answers this request."""
    found: Service = current_app.extensions[EXTENSION]
    return found
