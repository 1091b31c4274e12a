"""Kill the service again and again; nothing that it promised may be lost or done twice.

Clients send tickets with a deadline that leaves no time for the second stage, each under an
idempotency key, and again until they get an answer. A receiver takes the callbacks; now and then
it refuses one, or takes it and hangs up. Meanwhile the master and all workers are killed
(SIGKILL) at random moments, also while they start. In the end the service is left alone until
nothing is owed any more, and the database is compared with what clients and receiver saw.

Usage: python -m eval.service.kill [--kills 100] [--database URL]
"""

from __future__ import annotations

import base64
import datetime
import hmac
import http.client
import json
import random
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
from sqlalchemy import make_url

from cascade.errors import CascadeError
from eval.checkout import commit
from eval.datasets import RESULTS
from eval.latency import machine
from eval.service.kill_check import Seen, check
from eval.service.killable import Service, ask

CLIENTS = 4
KINDS = ("easy", "clear", "odd")
"""See `eval.service.kill_server`."""
STARTED = 0.2
"""Share of the kills that come before the service is ready."""
LONGEST_LIFE = 1.5
"""Seconds from when it is ready to the kill, at most."""
PAUSE = 0.1
"""Seconds between two tickets of a client, at most."""
REFUSED, HUNG_UP = 0.1, 0.05
"""Shares of the callbacks that are answered with 500, or taken and not answered."""
PATIENCE = 120.0
"""Seconds until nothing is owed any more, when nobody kills any more."""


@contextmanager
def receiver(seen: Seen, secret: str, seed: int) -> Iterator[str]:
    """The URL of somebody who takes callbacks, and verifies them."""
    drawn = random.Random(seed)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with suppress(ConnectionError):  # whoever calls may be killed
                self._take()

        def _take(self) -> None:
            given = self.headers
            body = self.rfile.read(int(given["Content-Length"]))
            if len(body) < int(given["Content-Length"]):
                return
            signed = f"{given['Webhook-Id']}.{given['Webhook-Timestamp']}.".encode() + body
            digest = base64.b64encode(hmac.digest(secret.encode(), signed, "sha256"))
            with lock:
                chance = drawn.random()
                if chance >= REFUSED:
                    genuine = given["Webhook-Signature"] == f"v1,{digest.decode()}"
                    data = json.loads(body)["data"]
                    seen.deliveries.append((given["Webhook-Id"], data, genuine))
            if chance < REFUSED:
                self.send_error(500)
            elif chance >= REFUSED + HUNG_UP:
                self.send_response(204)
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Client:
    """Sends one ticket after another, each until it is answered."""

    name: int
    port: int
    seen: Seen
    ending: threading.Event
    given_up: threading.Event
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Until the end; the last ticket is answered, too."""
        drawn, number = random.Random(self.name), 0
        while not self.ending.wait(drawn.uniform(0.0, PAUSE)):
            number += 1
            ticket = f"{self.name}-{number}"
            kind = drawn.choice(KINDS)
            text = f"ticket {ticket.replace('-', ' of ')} is {kind}"
            self._send(ticket, kind, json.dumps({"id": ticket, "text": text, "deadline_ms": 1}))

    def _send(self, ticket: str, kind: str, body: str) -> None:
        while not self.given_up.is_set():
            status, headers, answer = ask(self.port, "POST", "/v1/route", body, key=ticket)
            if status == http.HTTPStatus.OK:
                repeated = "Idempotency-Replayed" in headers
                self.seen.answers[ticket] = (kind, json.loads(answer), repeated)
                return
            if status not in (0, http.HTTPStatus.SERVICE_UNAVAILABLE):
                self.failures.append(f"ticket {ticket} got status {status}")
                return
            time.sleep(0.02)


def run(
    kills: int,
    database: str | None = None,
    *,
    pauses: tuple[float, ...] = (),
    seed: int = 0,
    tell: Callable[[int], None] = lambda kill: None,
) -> dict[str, Any]:
    """Kill the service so many times.

    Args:
        kills: how many times.
        database: URL of an empty one; SQLite in a temporary folder if None.
        pauses: lease and first pause of the worker in seconds, if not the usual ones.
        seed: of the moments.
        tell: told after each kill.

    Returns:
        What `eval.service.kill_check.check` found.
    """
    drawn, seen, secret = random.Random(seed), Seen(), secrets.token_hex(16)
    ending, given_up = threading.Event(), threading.Event()
    with tempfile.TemporaryDirectory() as folder, receiver(seen, secret, seed) as url:
        database = database or f"sqlite:///{folder}/service.sqlite"
        variables = {
            "CASCADE_DATABASE": database,
            "CASCADE_CALLBACK_URL": url,
            "CASCADE_CALLBACK_SECRET": secret,
        }
        with closing(Service(Path(folder), variables, pauses)) as service:
            names = range(CLIENTS)
            clients = [Client(name, service.port, seen, ending, given_up) for name in names]
            threads = [threading.Thread(target=client.run) for client in clients]
            for thread in threads:
                thread.start()
            try:
                for kill in range(1, kills + 1):
                    if drawn.random() >= STARTED:
                        service.wait()
                    time.sleep(drawn.uniform(0.0, LONGEST_LIFE))
                    service.kill()
                    service.start()
                    tell(kill)
                service.wait()
            except BaseException:
                given_up.set()  # nobody will answer any more
                raise
            finally:
                ending.set()
                for thread in threads:
                    thread.join()
            found = check(database, seen, PATIENCE)
    found["violations"] += [failure for client in clients for failure in client.failures]
    return {"kills": kills} | found


@click.command()
@click.option("--kills", default=100, show_default=True, help="How many times.")
@click.option("--database", help="URL of an empty database.  [default: SQLite]")
@click.option("--seed", default=0, show_default=True, help="Of the moments.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, dir_okay=False),
    default=RESULTS / "service_kill.json",
    help="File of the figures; those of the other database in it stay.",
)
def main(kills: int, database: str | None, seed: int, keep: Path) -> None:
    """Kill the service again and again, and look whether anything was lost or done twice."""
    kind = make_url(database).get_backend_name() if database else "sqlite"
    try:
        with click.progressbar(length=kills, label=f"kills ({kind})") as bar:
            found = run(kills, database, seed=seed, tell=lambda _: bar.update(1))
    except CascadeError as error:
        raise click.ClickException(str(error)) from None
    for name, value in found.items():
        click.echo(f"{name:22} {value}")
    where = f" --database {make_url(database).drivername}://…" if database else ""
    made = {
        "command": f"python -m eval.service.kill --kills {kills} --seed {seed}{where}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
    }
    kept = json.loads(keep.read_text()) if keep.exists() else {}
    keep.write_text(json.dumps(kept | {kind: made | found}, indent=1) + "\n", encoding="utf-8")
    click.echo(f"kept in {keep}")
    if found["violations"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
