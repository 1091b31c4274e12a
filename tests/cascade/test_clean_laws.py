"""The laws of cleaning: total, idempotent, valid UTF-8, linear in the length."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cascade import clean as cleaning
from cascade.clean import MAX_LOOKED_AT, STEPS, clean

EXAMPLES = 1500

# Pieces that wake the steps, alone and in each other's middle.
PIECES = st.sampled_from(
    """<|>|<br>|</p>|<p>|<td>|<!--|-->|<script>|</script>|<style>|</style >|<a href="https://x.y">
    &|&amp;|amp;|&lt;|&gt;|&#38;|&#x26;|&#60;|&nbsp;|;|#|> |>>> |On |Am |wrote:|schrieb: |From: a
    Sent: b|To: c|Date: d|Subject: e|*From:* a|-----Original Message-----|Begin forwarded message:
    ---------- Forwarded message ---------|FW: |-- |--|Best regards,|Thanks|thanks!|Bob|Jane Doe
    Sent from my iPhone|Disclaimer: x|This e-mail is confidential|  at a.b(c)|\tat x|at y
      File "a.py", line 3, in f|    code()|KeyError: x|... 3 more|main.f(1)|\t/a.go:12 +0x1d
    Traceback (most recent call last):|#1 0x1f in x|from a.rb:1:in|2024-01-02 03:04:05 |ERROR
    03:04:05.123 |Jan  2 03:04:05 host app[12]: |<12>|{"level": "error", "msg": "a\\"b"}|" 500
    http://|https://|www.|a@|@b.c|a@b.c|example.com|[::1]|1.2.3.4|.5|2001:db8::1|::|:|0x|deadbeef
    00:11:22:33:44:55|123e4567-e89b-12d3-a456-426614174000|order |invoice no. |ticket #|is |INV-|AB
    12|345|6789|1234567|4111 1111 1111 1111|4111111111111111|+1 |(202) |555-0100|-|/|.|,|$|%|=|+|_
    Ã|ƒ|â€|€|™|Â|\u0301|é|ﬁ|²|\u200b|\xa0|\x00|\x1c|\x85|\ud800|\u2028|İ|\u1100|\u1161|\ufdfa
    <url>|<order_id>|<phone>|a|B|word|[|]|(|)|"|'|`|!|!!!""".replace("\n    ", "|").split("|")
)
SEPARATORS = st.sampled_from(["", "", " ", "\n", "\n\n", "\r\n", "\n> ", "    "])


@st.composite
def composed(draw: st.DrawFn) -> str:
    """Mails, quotes, logs and HTML, taken apart and put together at random."""
    parts = draw(st.lists(st.tuples(PIECES, SEPARATORS), max_size=25))
    return "".join(piece + separator for piece, separator in parts)


TEXTS = st.one_of(st.text(st.characters()), composed(), st.text("<>&;#:./-@ \n\t0123abAB\"'[]()"))


def keeps_its_laws(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert clean(cleaned) == cleaned
    assert len(cleaned) <= MAX_LOOKED_AT
    assert cleaned == "\n".join(" ".join(line.split()) for line in cleaned.split("\n"))


@settings(max_examples=EXAMPLES)
@given(TEXTS)
@example("\x00\ud800")
@example("&&#97;mp;lt;" * 9)
@example("Ãƒ" * 40)
def test_any_text_gives_a_fixed_point_in_valid_utf8(text: str) -> None:
    keeps_its_laws(text)


@settings(max_examples=EXAMPLES // 5)
@given(composed(), st.sets(st.sampled_from(STEPS)))
@example("caſe #12345, <ſcript>", {"characters"})  # matches "case", and lower() leaves it
def test_idempotent_whatever_steps_run(text: str, without: set[str]) -> None:
    once = clean(text, frozenset(without))
    assert clean(once, frozenset(without)) == once


@settings(max_examples=EXAMPLES // 3)
@given(TEXTS)
def test_a_text_that_no_pass_settles_ends_in_bare_words(text: str) -> None:
    """The bound on the passes is enough as no step changes bare words."""
    words = cleaning._bare_words(text)
    for step in cleaning._STEPS.values():
        assert step(words) == words


def test_one_pass_settles_a_usual_ticket(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second pass only sees that nothing is left to do."""
    monkeypatch.setattr(cleaning, "MAX_PASSES", 2)
    monkeypatch.setattr(cleaning, "_bare_words", lambda text: pytest.fail("not settled"))
    clean("RE: a\n\n<p>Hi &amp; hello,</p>order 123456\n> quoted\n\nOn x Bob wrote:\n> y\n-- \nBob")


REPEATED = {
    "less-than": "<",
    "greater-than": ">",
    "quote marks": "> ",
    "quote lines": "> a\n",
    "nested quotes": ">" * 50 + " a\n",
    "at": "a@",
    "at dots": "a@b.",
    "ones": "1",
    "dashes": "-",
    "spaces": " ",
    "newlines": "\n",
    "blank lines with spaces": " \n",
    "parentheses": "(",
    "frames on one line": "at x(",
    "frames": "\tat x(y)\n",
    "python frames": '  File "a", line 1\n    x\n',
    "go frames": "main.f(1)\n\t/a.go:1\n",
    "replies": "On Monday Bob wrote\n",
    "reply headers": "On Monday Bob wrote:\n",
    "reply starts": "On ",
    "mail headers": "From: a\nSent: b\nTo: c\nSubject: d\n",
    "from": "From: a\n",
    "rulers": "-----Original Message-----\n",
    "sign-offs": "Regards,\n",
    "names": "Regards,\nBob\n",
    "delimiters": "--\n",
    "disclaimers": "This e-mail is a\n",
    "ampersands": "&amp;",
    "amps": "amp;",
    "entities": "&lt;br&gt;",
    "open tags": "<a ",
    "links": '<a href="https://x">',
    "tags": "<p>",
    "styles": "<style>",
    "comments": "<!--",
    "comment ends": "-->",
    "urls": "http://",
    "urls with spaces": "http://a ",
    "www": "www.",
    "dots": "1.",
    "versions": "1.2.3.4 ",
    "colons": "1:",
    "hex": "a1",
    "uuid": "12345678-1234-",
    "base64": "QWxhZGRpbjpvcGVuIHNlc2FtZQ",
    "base64 lines": "QWxhZGRpbjpvcGVuIHNlc2FtZQ" * 3 + "\n",
    "orders": "order ",
    "order ids": "order 12345 ",
    "numbers": "11 ",
    "phones": "+1 ",
    "cards": "4111 ",
    "stamps": "2024-01-02 03:04:05 ",
    "log": "2024-01-02 03:04:05 ERROR x\n",
    "json": '{"level": "a", "msg": "b"}\n',
    "json strings": '"msg": "\\',
    "json open": '{"level": "a',
    "braces": '{"',
    "combining": "\u0301",
    "hangul": "\u1161",
    "expanding": "\ufdfa",
    "mojibake": "Ãƒ",
    "surrogates": "\ud800",
    "letters": "a",
    "words": "words and ",
    "fullwidth": "＜ｂｒ＞",
}


@pytest.mark.parametrize("name", REPEATED)
def test_a_megabyte_of_anything_is_cleaned_in_a_second(name: str) -> None:
    piece = REPEATED[name]
    text = piece * (1_000_000 // len(piece))
    assert seconds(lambda: clean(text)) < 1.0
    keeps_its_laws(text)


@pytest.mark.parametrize("name", REPEATED)
def test_twice_the_length_takes_about_twice_the_time(name: str) -> None:
    piece = REPEATED[name]
    text = piece * (MAX_LOOKED_AT // 2 // len(piece))
    # In turns, so that a busy moment of the machine meets both.
    times = [(seconds(lambda: clean(text)), seconds(lambda: clean(text + text))) for _ in range(4)]
    half, whole = (min(column) for column in zip(*times, strict=True))
    assert whole < 3 * half + 0.005


def seconds(work: Callable[[], object]) -> float:
    """CPU time of the work: what else the machine does is not to be measured."""
    start = time.process_time()
    work()
    return time.process_time() - start
