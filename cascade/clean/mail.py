"""What mail programs and companies add to a mail: quoted replies, signatures, disclaimers."""

from __future__ import annotations

import regex

OWN_WORDS = 12
"""Words a writer needs so that the mail below theirs is dropped. With fewer ("FYI", a subject and
"any news?"), the quoted mail is the request, and stays."""

# ">>> " is left alone: it is the Python prompt more often than a quote of a quote of a quote.
_MARK = regex.compile(r"\s{0,3}+(?!>>> )(?:>\s?+)++")
_WROTE = regex.compile(
    r"(?:On|Am|Le|El)\s[^\n]{4,250}(?:wrote|schrieb[^\n]{0,80}|a écrit|escribió)\s?+:\s*+$"
)
_RULER = regex.compile(
    r"\W{0,60}+(?:original message|original appointment|ursprüngliche nachricht)\W{0,60}+$",
    regex.IGNORECASE,
)
_FORWARD = regex.compile(
    r"(?:\s{0,3}+-{2,60}+\s{0,3}+forwarded\s(?:message|by)|\s{0,3}+begin forwarded message:)",
    regex.IGNORECASE,
)
_FORWARDED_SUBJECT = regex.compile(r"\s*+(?:re:\s*+)?(?:fwd?|wg|tr)\s?:", regex.IGNORECASE)
_HEADER = regex.compile(
    r"\s{0,3}+\*{0,2}+(from|sent|date|to|cc|bcc|subject|reply-to|importance):", regex.IGNORECASE
)
# Looked for first, in lower case: most tickets quote nothing, and a search for a plain string is
# far cheaper than any pattern. The same for signatures below.
_QUOTE_HINTS = (
    "wrote", "forwarded", "from:", "original ", "schrieb", "a écrit", "escribió", "ursprüngliche",
)  # fmt: skip


def quotes(text: str) -> str:
    """Drop the mails that a mail answers.

    The lines of a reply's header go, and so do lines marked ``>`` and all that stands below an
    unmarked reply's header. If less than ``OWN_WORDS`` words were left, only marks and headers go.
    A forwarded mail is the request itself, and always stays.
    """
    lower = text.lower()
    if ">" not in text and not any(hint in lower for hint in _QUOTE_HINTS):
        return text
    lines = text.split("\n")
    forwarded = _FORWARDED_SUBJECT.match(lines[0]) is not None
    kept: list[tuple[str, bool]] = []
    below = False
    at = 0
    while at < len(lines):
        line = lines[at]
        mark = _MARK.match(line)
        if mark:
            line = line[mark.end() :]
        header, forwards = _header_lines(lines, at, line)
        if header:
            at += header
            answered_inline = at < len(lines) and _MARK.match(_next_words(lines, at))
            below = below or not (forwards or forwarded or mark or answered_inline)
            kept += [("", below), ("", below)]  # two blank lines end a signature
            continue
        kept.append((line, below or mark is not None))
        at += 1
    own = [line for line, quoted in kept if not quoted]
    if sum(len(line.split()) for line in own) < OWN_WORDS:
        own = [line for line, _ in kept]
    shorter = "\n".join(own)
    return shorter if shorter.strip() else text


def _next_words(lines: list[str], at: int) -> str:
    """The next of a few lines that is not blank."""
    return next((line for line in lines[at : at + 3] if line.strip()), "")


def _header_lines(lines: list[str], at: int, line: str) -> tuple[int, bool]:
    """How many lines the header of another mail takes here (0: none), and if it forwards."""
    if _FORWARD.match(line):
        return 1 + _address_lines(lines, at + 1), True
    if _RULER.match(line):
        return 1 + _address_lines(lines, at + 1), False
    if line.startswith(("On ", "Am ", "Le ", "El ")):
        if _WROTE.match(line):
            return 1, False
        if at + 1 < len(lines):  # mail programs fold the line before a long address
            folded = _MARK.sub("", lines[at + 1], count=1)
            if len(line) < 200 and len(folded) < 200 and _WROTE.match(f"{line} {folded}"):
                return 2, False
    if line.lstrip(" *")[:5].lower() == "from:":
        return _address_lines(lines, at), False
    return 0, False


def _address_lines(lines: list[str], at: int) -> int:
    """Length of the block of From, Sent, To, Subject that starts here; 0 if it is not one."""
    names: set[str] = set()
    end = at
    for place in range(at, min(at + 10, len(lines))):
        line = _MARK.sub("", lines[place], count=1)
        if header := _HEADER.match(line):
            names.add(header[1].lower())
            end = place + 1
        elif line.strip():
            break
    known = ({"from", "subject"} <= names and len(names) > 2) or {"from", "sent", "to"} <= names
    return end - at if known else 0


_SIGN_OFF = regex.compile(
    r"\s*+(?:(?:with|best|kind|kindest|warm|warmest|many|my)\s)*+"
    r"(?:regards|wishes|greetings|thanks|thank you|thx|cheers|sincerely|respectfully|best|br|rgds"
    r"|yours|(?:yours\s(?:sincerely|truly|faithfully)))"
    r"(?:\s(?:in advance|again|so much|very much|a lot|sincerely|truly|faithfully"
    r"|for (?:your|the|any|all your) (?:help|support|time|patience|assistance|understanding)"
    r"|(?:and|&)\s(?:best\s|kind\s)?regards))?\s?+[,.!]{0,3}+\s*+$",
    regex.IGNORECASE,
)
_NAME = regex.compile(r"\s*+\p{Lu}[\w.'’-]{0,30}+(?:\s[\p{Lu}(][\w.'’)-]{0,30}+){0,3}+,?\s*+$")
_SENTENCE = regex.compile(r"(?!.*\|)\s*+(?:\S++\s++){5,}+\S*+(?<=[.?!])\s*+$")
_DEVICE = regex.compile(
    r"\s*+(?:sent from (?:my|mail|yahoo|outlook|proton)|get outlook for)\b[^\n]{0,60}+$",
    regex.IGNORECASE,
)
_DISCLAIMER = regex.compile(
    r"[\W_]{0,40}+(?:confidentiality (?:notice|note)|(?:legal )?disclaimer\s?[:.]"
    r"|(?:this|the information (?:contained )?in this) (?:e-?mail|message|communication)"
    r"[^\n]{0,120}?(?:confidential|privileged|intended (?:solely|only|for))"
    r"|if you (?:are not the intended|have received this (?:e-?mail|message) in error)"
    r"|please consider the environment)",
    regex.IGNORECASE,
)
_SIGNATURE_HINTS = (
    "regards", "thank", "thx", "cheers", "sincerely", "respectfully", "best", "br", "rgds",
    "wishes", "greetings", "yours", "sent from", "get outlook", "confidential", "disclaimer",
    "intended", "privileged", "consider the environment", "in error", "--",
)  # fmt: skip


def signatures(text: str) -> str:
    """Drop what closes a mail: greeting and name, contact block, device line, legal notice."""
    lower = text.lower()
    if not any(hint in lower for hint in _SIGNATURE_HINTS):
        return text
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.rstrip() == "--":
            at = _end_of_contact(lines, at + 1)
        elif len(line) < 80 and _SIGN_OFF.match(line):
            at = _end_of_name(lines, at + 1)
        elif _DEVICE.match(line):
            at += 1
        elif _DISCLAIMER.match(line):
            at = _end_of_wrapped(lines, at)
        else:
            kept.append(line)
            at += 1
    shorter = "\n".join(kept)
    return shorter if shorter.strip() else text


def _end_of_contact(lines: list[str], at: int) -> int:
    """Past the short lines below ``--``: until a long line, two blank ones, or ten lines."""
    for place in range(at, min(at + 10, len(lines))):
        blank = not lines[place].strip()
        if len(lines[place]) > 100 or (blank and place > at and not lines[place - 1].strip()):
            return place
    return min(at + 10, len(lines))


def _end_of_name(lines: list[str], at: int) -> int:
    """Past the name below "Regards," and the block of short lines that it opens."""
    start = at
    while start < min(at + 2, len(lines)) and not lines[start].strip():
        start += 1
    if start == len(lines):
        return start
    is_last = not any(line.strip() for line in lines[start + 1 : start + 4])
    if not (_NAME.match(lines[start]) or (is_last and len(lines[start].split()) <= 3)):
        return at
    end = start + 1
    while end < min(start + 7, len(lines)) and 0 < len(lines[end].strip()) <= 80:
        if _SENTENCE.match(lines[end]):
            break  # a postscript, not an address
        end += 1
    return end


def _end_of_wrapped(lines: list[str], at: int) -> int:
    """Past a paragraph that was wrapped: a short line is its last."""
    end = at + 1
    while end < min(at + 30, len(lines)) and lines[end].strip() and len(lines[end - 1]) > 50:
        end += 1
    return end
