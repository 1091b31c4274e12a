"""The background work of a worker process, put together."""

from __future__ import annotations

from functools import partial

from serve import metrics
from serve.callbacks import Tell
from serve.finish import Finish
from serve.purge import purge
from serve.receiver import Receiver
from serve.service import Service
from serve.settings import Settings
from serve.worker import Background, Task


def background(parts: Service) -> Background:
    """Everything that a worker process does beside its requests; to be started after the fork.

    Raises:
        InputError: see `receiver`.
    """
    listening = receiver(parts.settings)
    tell = Tell(listening, parts.store) if listening else None
    told = tell.add if tell else None
    finish = Finish(parts.engine, parts.store, parts.intake.owed, told)
    tasks: list[Task] = [finish, tell] if tell else [finish]
    tidy = partial(purge, parts.store, parts.settings)
    return Background(parts.store, *tasks, count=metrics.job_done, daily=tidy)


def receiver(settings: Settings) -> Receiver | None:
    """Who gets callbacks, if anybody does.

    Raises:
        InputError: the URL or the secret cannot be used.
    """
    secret = settings.callback_secret.get_secret_value()
    return Receiver(settings.callback_url, secret) if settings.callback_url else None
