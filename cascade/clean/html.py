"""HTML mail to text, in one scan over the tags."""

from __future__ import annotations

from html import unescape

import regex

_BLOCK = (
    "address|article|aside|blockquote|body|br|dd|details|div|dl|dt|footer|form|h[1-6]|header|head"
    "|hr|html|li|main|nav|ol|p|pre|section|summary|table|tbody|thead|title|tr|ul"
)
_INLINE = (
    "abbr|a|big|b|center|code|colgroup|col|del|em|font|img|input|ins|i|kbd|label|link|meta|o:p"
    "|small|span|strike|strong|sub|sup|s|tt|u"
)
_CELL = "td|th"
_HIDDEN = "script|style"

# ``<`` is not allowed inside a tag, so no character is scanned from two starts.
_TAG = regex.compile(
    rf"<(?<end>/)?(?:(?<block>{_BLOCK})|(?<cell>{_CELL})|(?<link>a)|{_INLINE}|(?<hidden>{_HIDDEN}))"
    r"(?![\w:.-])(?<rest>[^<>]*+)>|<(?<hidden>!--)|(?<comment_end>--)>|<!doctype\b[^<>]*+>",
    regex.IGNORECASE,
)
_LOOKS_LIKE_HTML = regex.compile(
    rf"</(?:{_BLOCK}|{_CELL}|{_INLINE}|{_HIDDEN})\s{{0,9}}+>|<(?:br|p|div|img|hr)\b[^<>]*+>"
    r"|<!--|<!doctype\b",
    regex.IGNORECASE,
)
_HREF = regex.compile(
    r"(?<![\w-])href\s{0,3}+=\s{0,3}+[\"']?+(?=https?://)([^\s\"'>]++)", regex.IGNORECASE
)
_AMPERSANDS = regex.compile(r"&(?:(?:amp|AMP|#38|#x26);)++")
_ENTITY = regex.compile(r"&(?:#[0-9]{1,7}+|#[xX][0-9a-fA-F]{1,6}+|[a-zA-Z][a-zA-Z0-9]{1,31}+);")


def html(text: str) -> str:
    """Text of an HTML mail; plain text stays as it is, but for its entities.

    Blocks start a new line; scripts, style sheets and comments go; a link leaves its address, of
    which the step ``links`` keeps the host. A lone ``<input>`` in a sentence is not HTML: it takes
    a closing tag, or one of the tags that mail programs write.
    """
    if "<" in text and _LOOKS_LIKE_HTML.search(text):
        text = _without_tags(text)
    if "&" in text:
        text = _ENTITY.sub(lambda match: unescape(match[0]), _AMPERSANDS.sub("&", text))
    return text


def _without_tags(text: str) -> str:
    tags = list(_TAG.finditer(text))
    last_end = {_ends(tag): tag.start() for tag in tags}
    pieces: list[str] = []
    at = 0
    hidden = ""  # the script, style sheet or comment that the scan is in
    for tag in tags:
        if hidden:
            if _ends(tag) == hidden:
                hidden, at = "", tag.end()
            continue
        if tag["comment_end"]:  # an arrow
            continue
        pieces.append(text[at : tag.start()])
        at = tag.end()
        # "the <style> tag is broken" has no end, and must not swallow the ticket.
        if tag["hidden"] and last_end.get(tag["hidden"].lower(), 0) > at:
            hidden = tag["hidden"].lower()
        elif tag["block"]:
            pieces.append("\n")
        elif tag["cell"]:
            pieces.append(" ")
        elif tag["link"] and (link := _HREF.search(tag["rest"])):
            pieces.append(f" {link[1]} ")
    if not hidden:
        pieces.append(text[at:])
    return "".join(pieces)


def _ends(tag: regex.Match[str]) -> str:
    """Name of the hidden element that this tag ends, or the empty string."""
    if tag["comment_end"]:
        return "!--"
    return tag["hidden"].lower() if tag["hidden"] and tag["end"] else ""
