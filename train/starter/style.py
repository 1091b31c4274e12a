"""How people write: typos, haste, a second language, HTML mail, quoted mail."""

from __future__ import annotations

import re
from html import escape

from train.starter.grammar import Speaker

WORD = re.compile(r"(?<![\w.@/-])[a-z]{4,}(?![\w@/-]|\.\w)")

SECOND_LANGUAGE = {
    " the ": " ",
    " a ": " ",
    " an ": " ",
    "does not": "not",
    "do not": "don't",
    "Please ": "Please to ",
    "I would like": "I am wanting",
    "We would like": "We wish",
    "have been": "are",
    "there is": "it has",
    "There is": "It have",
    "information": "informations",
    "how much is": "what costs",
    " for a week": " since one week",
    " since ": " from ",
    "could you": "can you to",
    "Could you": "You can",
    "I need": "I am needing",
    "did not": "didn't to",
    "again": "another time",
    "As ": "Like ",
    "cannot": "can not",
    "we have": "we are having",
}
FOREIGN = re.compile("|".join(re.escape(text) for text in SECOND_LANGUAGE))

HASTE = {
    "please": "pls",
    "Please": "pls",
    "you": "u",
    "your": "ur",
    "because": "bc",
    "thanks": "thx",
    "Thanks": "thx",
    "with": "w/",
    "and": "&",
    "tomorrow": "tmrw",
    "message": "msg",
    "account": "acct",
    "password": "pw",
    "invoice": "inv",
    "information": "info",
    "something": "sth",
    "before": "b4",
}
HASTY = re.compile(r"\b(?:" + "|".join(HASTE) + r")\b")


def typos(s: Speaker, text: str, rate: float) -> str:
    """The text with a slip of the fingers in about a share ``rate`` of its longer words."""

    def slip(match: re.Match[str]) -> str:
        word = match[0]
        if not s.chance(rate):
            return word
        i = s.below(len(word) - 2) + 1
        kind = s.below(4)
        if kind == 0:
            return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        if kind == 1:
            return word[:i] + word[i + 1 :]
        if kind == 2:
            return word[:i] + word[i] + word[i:]
        return word[:i] + s.pick("etaoinshrdlu") + word[i + 1 :]

    return WORD.sub(slip, text)


def second_language(s: Speaker, text: str) -> str:
    """The text as one writes in a language that one learns."""
    return FOREIGN.sub(lambda m: SECOND_LANGUAGE[m[0]] if s.chance(0.5) else m[0], text)


def hasty(s: Speaker, text: str) -> str:
    """The text as typed with a thumb: short forms, no capitals, little punctuation."""
    text = HASTY.sub(lambda m: HASTE[m[0]] if s.chance(0.6) else m[0], text)
    if s.chance(0.7):
        text = text.lower()
    if s.chance(0.4):
        text = text.replace(". ", s.pick((" ", ", ", "... "))).replace("'", "")
    return text


def quoted(text: str, mark: str = "> ") -> str:
    """The text with the mark of a quotation before each line."""
    return "\n".join((mark + line).rstrip() for line in text.split("\n"))


def html(s: Speaker, blocks: list[tuple[str, str]]) -> str:
    """The blocks (kind, text) as an HTML mail; kinds are ``prose``, ``log`` and ``quote``."""
    style = s.pick((' style="font-family:Calibri;font-size:11pt"', ' class="MsoNormal"', ""))
    out = [s.pick(("<html><body>", '<div dir="auto">', "<html><head></head><body>"))]
    for kind, text in blocks:
        inner = escape(text, quote=False).replace("\n", "<br>\n")
        if kind == "log":
            out.append(f"<pre>{escape(text, quote=False)}</pre>")
        elif kind == "quote":
            out.append(f'<blockquote type="cite">{inner}</blockquote>')
        else:
            out.append(f"<p{style}>{inner}</p>" + s.pick(("", "<br>", "<p>&nbsp;</p>")))
    out.append("</div>" if out[0].startswith("<div") else "</body></html>")
    return "\n".join(out)
