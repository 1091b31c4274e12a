"""Whether the service on this machine is alive, for a container's health check.

    python -m serve.alive

Exit code 0 if it answers, else 1. Alive, and not ready: who is still loading a bundle must not be
killed for it. The settings say where it listens, and whether it speaks TLS.
"""

from __future__ import annotations

import http.client
import ssl
import sys
from http import HTTPStatus

from serve.settings import Settings, read_settings

SECONDS = 2.0


def alive(settings: Settings) -> bool:
    """Whether it answers."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    if settings.tls_certificate:
        # Of this machine, by an address that is in no certificate: nothing is told but "alive?".
        context = ssl._create_unverified_context()  # noqa: S323
        line: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, settings.port, timeout=SECONDS, context=context
        )
    else:
        line = http.client.HTTPConnection(host, settings.port, timeout=SECONDS)
    try:
        line.request("GET", "/healthz", headers={"Host": "localhost"})
        return line.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


if __name__ == "__main__":
    sys.exit(0 if alive(read_settings()) else 1)
