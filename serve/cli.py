"""The verb ``cascade serve``. Imports the service only when it runs, so that help is quick."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from serve.server import Server

EXAMPLES = """\b
Examples:
  cascade serve
  cascade serve --bundle bundles/starter --port 9000 --workers 2
  cascade serve --llm-url http://10.0.0.5:8000/v1 --llm-model qwen3:4b
  CASCADE_MAX_BODY=65536 cascade serve --host 0.0.0.0
"""

WELCOME = """\
Serving {bundle}

  open  {url}
  for   {callers}
  data  {database}
  try   curl -s {url}v1/route -H 'Content-Type: application/json' -d '{{"text": "VPN is down"}}'

Stop with Ctrl-C.
"""

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.command(epilog=EXAMPLES, context_settings=SETTINGS)
@click.option("--bundle", metavar="FOLDER", help="The bundle to serve.  [bundles/starter]")
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [127.0.0.1]")
@click.option("--port", metavar="PORT", help="Port to listen on; 0 takes a free one.  [8080]")
@click.option("--workers", metavar="N", help="Processes.  [one a core]")
@click.option("--threads", metavar="N", help="Requests that a worker routes at once.  [4]")
@click.option("--config", metavar="FILE", help="TOML file of settings; variables go before it.")
@click.option("--llm-url", metavar="URL", help="Server for the llm stage.  [a built-in reader]")
@click.option("--llm-model", metavar="NAME", help="Its model.  [the only one it has]")
@click.option("--llm-dialect", metavar="NAME", help="How it is asked; see cascade llm check.")
def serve(**flags: str | None) -> None:
    """Serve a bundle over REST, with a page to try it on.

    Each flag sets an environment variable: --port sets CASCADE_PORT, and so on. Stop with
    Ctrl-C; SIGHUP puts the bundle as it now is into service and drops no request.
    """
    from serve.server import server_for
    from serve.settings import read_settings, variable

    for name, value in flags.items():
        if value is not None:
            os.environ[variable(name)] = value
    server = server_for(read_settings())
    click.echo(welcome(server))
    server.run()


def welcome(server: Server) -> str:
    """What is served where and to whom, and where decisions are kept."""
    from serve.settings import LOOPBACK

    its = server.settings
    here = its.host in LOOPBACK
    keyless = "this machine, without a key" if here else "EVERYONE who can reach it (auth = none)"
    return WELCOME.format(
        bundle=its.bundle,
        url=server.url,
        callers="whoever has a key" if its.authenticated else keyless,
        database=server.database,
    )
