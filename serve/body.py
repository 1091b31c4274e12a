"""From the bytes of a request to a value: size, media type, and JSON without its grey areas.

RFC 8259 leaves open what a duplicate key or a huge number means, and Python's reader takes more
than the RFC allows (NaN, UTF-16). Two readers that disagree are how a check gets passed by, so
everything that is not plain JSON in UTF-8 is refused with a 400.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from serve.problems import MALFORMED, TOO_LARGE, WRONG_MEDIA_TYPE, Problem

MEDIA_TYPE = "application/json"


def read_json(request: Request, limit: int) -> Any:
    """The JSON value in the request's body, of at most ``limit`` bytes.

    Raises:
        Problem: 400, 413 or 415; the detail never quotes the body.
    """
    return parse_json(read_body(request, limit))


def read_body(request: Request, limit: int) -> bytes:
    """The bytes of a body that says it is JSON.

    Raises:
        Problem: 400, 413 or 415.
    """
    if request.mimetype != MEDIA_TYPE:
        raise Problem(WRONG_MEDIA_TYPE, f"Send the body with Content-Type: {MEDIA_TYPE}.")
    # Werkzeug refuses a Content-Length over its limit, but of a chunked body it silently leaves
    # off what comes after. So it may read one byte more than we take.
    request.max_content_length = limit + 1
    too_large = Problem(TOO_LARGE, f"The body may hold at most {limit} bytes.")
    try:
        data = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise too_large from None
    except (ClientDisconnected, ParseException):  # gunicorn's own: broken chunks
        raise Problem(MALFORMED, "The body ended early or its chunks are broken.") from None
    if len(data) > limit:
        raise too_large
    return data


def parse_json(data: bytes) -> Any:
    """Strict JSON: UTF-8 (a byte order mark is let pass), no duplicate keys, no NaN.

    Raises:
        Problem: 400 with the place of the fault.
    """
    if not data:
        raise Problem(MALFORMED, "The body is empty.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(MALFORMED, f"The body is not UTF-8 (byte {error.start}).") from None
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Problem(MALFORMED, f"The body is not JSON ({place}).") from None
    except ValueError:  # int() refuses thousands of digits
        raise Problem(MALFORMED, "The body holds a number with too many digits.") from None
    except RecursionError:
        raise Problem(MALFORMED, "The body is nested too deeply.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) < len(pairs):
        raise Problem(MALFORMED, "An object in the body has the same key twice.")
    return plain


def _refuse_constant(_: str) -> NoReturn:
    raise Problem(MALFORMED, "NaN and Infinity are not JSON.")
