"""The console: pages for people, to try a ticket, to review, and to watch.

Each is rendered here with what it needs to begin; one small script a page asks the REST interface
for the rest.
"""

from __future__ import annotations

from flask import Blueprint, render_template, request

from serve.service import service
from serve.state import NO_BUNDLE

console = Blueprint("console", __name__)


@console.get("/")
def trial() -> str:
    """Try a ticket, and see the cascade think."""
    return _page("try.html", deadline=round(service().settings.deadline_ms), root=request.host_url)


@console.get("/review")
def reviewing() -> str:
    """What waits for a person."""
    engine, settings = service().engine, service().settings
    queues = engine.router().queues if engine.bundle_id != NO_BUNDLE else ()
    return _page("review.html", queues=queues, keeps_text=settings.keep_text_days > 0)


@console.get("/live")
def watching() -> str:
    """Live figures."""
    return _page("live.html")


def _page(template: str, **needs: object) -> str:
    return render_template(template, bundle=service().engine.bundle_id, **needs)
