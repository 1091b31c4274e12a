"""What stands around the text of a mail: older mails, and how it ends."""

from __future__ import annotations

from train.starter import filler
from train.starter.grammar import Intent, Speaker
from train.starter.slots import LASTING, MAKERS
from train.starter.style import quoted


def count_words(text: str) -> int:
    """Words between white space, as the length of a ticket is counted."""
    return len(text.split())


def old_mail(s: Speaker, intent: Intent, text: str) -> str:
    """An older mail, as a quotation or as a forwarded message."""
    person = f"{s.fill('who')} <{s.fill('mail2')}>"
    if s.chance(0.5):
        head = s.say((f"On {s.fill('date')}, {person} wrote:",))
        return head + "\n" + quoted(text, s.pick(("> ", ">", ">> ", "| ")))
    rule = s.pick(("-----Original Message-----", "------ Forwarded message ------", "_" * 32))
    return "\n".join(
        (
            rule,
            f"From: {person}",
            f"Sent: {s.fill('date')} {s.fill('clock')}",
            f"Subject: {s.one_of(intent.subjects)}",
            "",
            text,
        )
    )


def thread(s: Speaker, room: int) -> str:
    """Earlier mails of the same thread, without anything to the point, of about ``room`` words."""
    out: list[str] = []
    mark = "> "
    while room > 0:
        other = Speaker(s.rng, MAKERS, LASTING, {"year": s.facts["year"]})
        banks = (filler.CHATTER, filler.STAFF_REPLIES, filler.CHATTER)
        text = " ".join(map(other.one_of, banks))
        head = f"On {other.fill('date')} at {other.fill('clock')}, {other.fill('mail')} wrote:"
        out += [head, quoted(text, mark)]
        room -= count_words(text) + count_words(head)
        mark = "> " + mark
    return "\n".join(out)


def signature(s: Speaker, wanted: int) -> str:
    """How the mail ends: longer in a mail of many ``wanted`` words, empty in one of five."""
    if s.chance(0.2):
        return ""
    lines = [s.one_of(filler.CLOSINGS)] if s.chance(0.8) else []
    lines.append(s.pick((s.fill("first"), f"{s.fill('first')} {s.fill('last')}")))
    if wanted > 45 and s.chance(0.5):
        lines.append(f"{s.fill('role')} | {s.fill('company')}")
        lines.append(f"{s.fill('mail')} | {s.fill('phone')}")
    return "\n".join(lines)
