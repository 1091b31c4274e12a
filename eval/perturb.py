"""The same ticket as it might also have come: changes that leave it in the queue where it is.

Each is a function of a random generator, the raw text, and texts of other queues, and gives the
changed text. It is the generator alone that decides, so the same seed makes the same tickets.
Halves are the exception to the rule: what is left of a ticket may be too little for anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from random import Random

import regex

from cascade.ticket import MAX_CHARACTERS
from train.starter.grammar import Speaker
from train.starter.logs import paste
from train.starter.slots import LASTING, MAKERS

Change = Callable[[Random, str, Sequence[str]], str]
"""Changes a raw text; the last argument are texts of other queues, one at least."""

SLIPS = 1 / 20
"""Share of the letters where a finger slips."""
LOG_WORDS = 300
"""Words of the log that is pasted again and again into a ticket of 1 MB."""

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEAR = {
    key: [
        other
        for below, others in enumerate(_KEYS)
        for along, other in enumerate(others)
        # The keys beside it, and the two above and below: each row is set off by half a key.
        if (below - row, along - at) in {(0, -1), (0, 1), (-1, 0), (-1, 1), (1, -1), (1, 0)}
    ]
    for row, keys in enumerate(_KEYS)
    for at, key in enumerate(keys)
}
_SENTENCE_END = regex.compile(r"(?<=[.!?])\s++|\s*+\n\s*+")
_GREETING = regex.compile(
    r"\A\s*+(?i:hi|hello|hey|dear|greetings|good (?:morning|afternoon|evening|day))\b"
    r"(?:\s(?:(?i:all|there|team|sirs?|madam|support|colleagues?|everyone|everybody|again)\b"
    r"|\p{Lu}[\p{L}.]++(?=\s?[,!\n\p{Lu}]))){0,3}[\s,.!:]*+"
)
_SIGN_OFF = regex.compile(
    r"(?:^|(?<=[.!?]\s)|\s)(?:(?:kind|best|warm|many) )?(?:regards|thanks|thank you|cheers"
    r"|sincerely)\b[\s,.!]*+(?:\S++\s*+){0,4}\Z",
    regex.IGNORECASE,
)
_AT_THE_EDGE = regex.compile(r"(?<!\S)[^\w\s]++|[^\w\s]++(?!\S)")
_WORD = regex.compile(r"\S++")


def typos(random: Random, text: str, others: Sequence[str]) -> str:
    """Slips of the fingers on a QWERTY keyboard, one in 20 letters.

    The four kinds that Damerau (1964) found: another letter (a key beside the one that was meant),
    one too many, one missing, two swapped; the first is as frequent as any two of the others.
    """
    out: list[str] = []
    at = 0
    while at < len(text):
        char, following = text[at], text[at + 1 : at + 2]
        near = _NEAR.get(char.lower())
        at += 1
        if near is None or random.random() >= SLIPS:
            out.append(char)
            continue
        other = random.choice(near)
        other = other.upper() if char.isupper() else other
        kind = random.choice(("another", "another", "more", "missing", "swapped"))
        if kind == "swapped":
            out.append(following + char)
            at += 1
        else:
            out.append({"another": other, "more": char + other, "missing": ""}[kind])
    return "".join(out)


def reordered(random: Random, text: str, others: Sequence[str]) -> str:
    """The sentences in another order; the halves of a text that is a single one change places."""
    sentences = [part for part in _SENTENCE_END.split(text) if part]
    if len(sentences) > 1:
        random.shuffle(sentences)
        return " ".join(sentences)
    words = text.split()
    middle = len(words) // 2
    return " ".join(words[middle:] + words[:middle])


def polite(random: Random, text: str, others: Sequence[str]) -> str:
    """With a greeting, a kind sentence at either end, and a sign-off."""
    greeting = random.choice(("Dear team,", "Hello,", "Good morning everybody,", "Hi there!"))
    kind = random.choice(
        (
            "I hope you are all well and had a good start into the week.",
            "Sorry to bother you again, I know that you have a lot on your plate.",
            "Thank you for the quick help the other day, that was great.",
        )
    )
    end = random.choice(
        (
            "Thank you very much in advance for looking into it!\n\nBest regards,\nRobin Ekdahl",
            "Let me know if you need anything else from me.\n\nMany thanks\nRobin",
            "Have a nice day\nR. Ekdahl",
        )
    )
    return f"{greeting}\n\n{kind}\n\n{text}\n\n{end}"


def curt(random: Random, text: str, others: Sequence[str]) -> str:
    """Without greeting and sign-off, where it has them and something is left."""
    shorter = _SIGN_OFF.sub("", _GREETING.sub("", text, count=1), count=1)
    return shorter if shorter.strip() else text


def shouting(random: Random, text: str, others: Sequence[str]) -> str:
    """In capitals, with three exclamation marks."""
    return f"{text.upper()}!!!"


def hasty(random: Random, text: str, others: Sequence[str]) -> str:
    """In small letters, without punctuation but inside of words (addresses, "don't")."""
    small = text.lower()
    bare = _AT_THE_EDGE.sub("", small)
    return bare if bare.strip() else small


def quoted_below(random: Random, text: str, others: Sequence[str]) -> str:
    """A reply above a mail of another queue, marked and headed as mail programs do."""
    return f"{text}\n\n{_quoted(random, others)}"


def quoted_above(random: Random, text: str, others: Sequence[str]) -> str:
    """A reply below a mail of another queue: the quotation stands on top."""
    return f"{_quoted(random, others)}\n\n{text}"


def _quoted(random: Random, others: Sequence[str]) -> str:
    day, hour = random.randrange(1, 29), random.randrange(7, 19)
    lines = random.choice(others).splitlines()
    head = f"On {day} Mar 2025 at {hour:02}:41, Kim Oduya <kim.oduya@example.com> wrote:"
    return "\n".join([head, *(f"> {line}".rstrip() for line in lines)])


def signed(random: Random, text: str, others: Sequence[str]) -> str:
    """With a contact block and a legal notice below."""
    contact = (
        "Robin Ekdahl\nSenior Clerk, Regional Office North\nHalvorn Freight Ltd | 12 Quay Lane\n"
        "T +1 202 555 0143 | M +1 202 555 0178 | robin.ekdahl@example.com | www.example.com"
    )
    notice = random.choice(
        (
            "This message and its attachments may contain confidential information. If you are not "
            "the intended recipient, please notify the sender and delete it. Any disclosure, "
            "copying or distribution is prohibited.",
            "Halvorn Freight Ltd is registered in England, company number 0483921. Our general "
            "terms and conditions apply to all orders and invoices. E-mail is not a secure means "
            "of communication and we accept no liability for viruses.",
            "We process personal data as described in our privacy policy. Please think of the "
            "environment before you print this mail.",
        )
    )
    return f"{text}\n\n{random.choice(('-- ', 'Kind regards', '_' * 20))}\n{contact}\n\n{notice}"


def html_mail(random: Random, text: str, others: Sequence[str]) -> str:
    """As HTML: a style sheet, a table for the layout, escaped characters, a hidden picture."""
    lines = "".join(
        f'<p class="MsoNormal"><span lang="EN-GB">{escape(line) or "&nbsp;"}</span></p>\n'
        for line in text.split("\n")
    )
    return (
        "<html><head><style>p.MsoNormal {margin:0cm; font-size:11.0pt; font-family:Calibri;}"
        "</style></head>\n<body lang=EN-GB><table width='100%'><tr><td>&nbsp;</td><td>\n"
        f"{lines}</td></tr></table><img src='https://mail.example.com/p.gif' width='1'>"
        "</body></html>"
    )


def first_half(random: Random, text: str, others: Sequence[str]) -> str:
    """The first half of the words; the second is missing."""
    return text[: _middle(text)].rstrip() or text


def second_half(random: Random, text: str, others: Sequence[str]) -> str:
    """The second half of the words; the first is missing."""
    return text[_middle(text) :]


def _middle(text: str) -> int:
    """Where the second half of the words begins; the only word is in both halves."""
    starts = [word.start() for word in _WORD.finditer(text)]
    return starts[len(starts) // 2] if starts else 0


def gigantic(random: Random, text: str, others: Sequence[str]) -> str:
    """With a log pasted below, over and over, to the longest text that is read (1 MB)."""
    log = paste(Speaker(random, MAKERS, LASTING, {"year": "2025"}), LOG_WORDS)
    block = f"{text}\n\n{log}\n\n"
    return (block * (MAX_CHARACTERS // len(block) + 1))[:MAX_CHARACTERS]


CHANGES: dict[str, Change] = {
    "typos": typos,
    "sentences in another order": reordered,
    "greeting, small talk, sign-off added": polite,
    "greeting and sign-off removed": curt,
    "SHOUTING": shouting,
    "small letters, no punctuation": hasty,
    "another queue's mail quoted below": quoted_below,
    "another queue's mail quoted on top": quoted_above,
    "signature and legal notice": signed,
    "HTML mail": html_mail,
    "second half missing": first_half,
    "first half missing": second_half,
    "1 MB of logs": gigantic,
}
"""By the name for people. The last one is asked of few tickets, see `eval.stress.GIGANTIC`."""
