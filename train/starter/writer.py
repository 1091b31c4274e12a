"""One ticket from one writer: what they want, how they say it, and what else is in the mail."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random

from train.starter import filler, style
from train.starter.grammar import Intent, Phrase, Speaker
from train.starter.logs import paste
from train.starter.mail import count_words, old_mail, signature, thread
from train.starter.phrases import access, billing, bug, compliance, feature, sales
from train.starter.slots import LASTING, MAKERS

URGENCIES = ("low", "normal", "high", "critical")
SENTIMENTS = ("negative", "neutral", "positive")
SHORTEST, LONGEST = 10, 900
"""Words of a ticket, subject and body together."""

INTENTS: dict[str, tuple[Intent, ...]] = {
    module.INTENTS[0].queue: module.INTENTS
    for module in (bug, billing, access, feature, compliance, sales)
}
QUEUE_ASKS: dict[str, tuple[Phrase, ...]] = {
    module.INTENTS[0].queue: module.ASKS
    for module in (bug, billing, access, feature, compliance, sales)
}

# Quantiles of the wanted length, in words: (share of tickets, words), linear in between. A table
# and not a distribution of the standard library, whose last digit may differ between machines.
LENGTHS = (
    (0.0, 10), (0.1, 22), (0.25, 58), (0.5, 118), (0.75, 205), (0.9, 340), (0.97, 560), (1.0, 890)
)  # fmt: skip

# Share of urgencies by the severity of the intent.
URGENCY_BY_SEVERITY = (
    (0.62, 0.33, 0.05, 0.00),
    (0.22, 0.53, 0.20, 0.05),
    (0.06, 0.34, 0.42, 0.18),
    (0.02, 0.14, 0.42, 0.42),
)
# What a reader assumes where the mail says nothing of urgency.
UNSAID_URGENCY = ("low", "normal", "high", "high")

LOG_SHARE = {"Technical Bug": 0.34, "Account Access": 0.14, "Compliance": 0.06, "Billing": 0.05}


@dataclass(frozen=True, slots=True)
class Letter:
    """What one writer sent, and what a careful reader makes of it."""

    subject: str
    body: str
    urgency: str
    sentiment: str


def write_letter(
    rng: Random,
    year: int,
    intent: Intent,
    rival: Intent | None = None,
    stray: tuple[Phrase, ...] | None = None,
) -> Letter:
    """A letter of ``year`` about ``intent``, in which ``rival`` is mentioned and does not matter.

    With ``stray`` (mail that belongs nowhere) those phrases take the place of the intent's.
    """
    s = Speaker(rng, MAKERS, LASTING, {"year": str(year)})
    wanted = max(_wanted_length(s), 40 if rival else 0)
    blocks: list[tuple[str, str]] = []
    mood: list[str] = []
    if stray:
        wanted = min(wanted, 25)
        urgency, sentiment, core = "low", "neutral", [s.one_of(stray)]
    else:
        urgency, sentiment, mood = _mood(s, intent, wanted)
        core, blocks = _core(s, intent, rival, wanted)
    for sentence in mood:
        core.insert(s.below(2) * len(core), sentence)
    prose = _fill(s, intent, core, blocks, wanted)
    subject = _subject(s, intent if not stray else None, rival, core, urgency)
    subject, prose = _in_manner(s, subject, prose)
    body = _lay_out(s, [("prose", text) for text in prose] + blocks, count_words(subject))
    while count_words(subject) + count_words(body) < SHORTEST:
        body += " " + s.one_of(filler.CHATTER)
    return Letter(subject, body, urgency, sentiment)


def _wanted_length(s: Speaker) -> int:
    u = s.rng.random()
    for (low, short), (high, long) in pairwise(LENGTHS):
        if u < high:
            return int(short + (long - short) * (u - low) / (high - low))
    return LENGTHS[-1][1]


def _weighted(s: Speaker, items: tuple[str, ...], weights: tuple[float, ...]) -> str:
    u = s.rng.random() * sum(weights)
    for item, weight in zip(items, weights, strict=True):
        u -= weight
        if u < 0:
            return item
    return items[-1]


def _mood(s: Speaker, intent: Intent, wanted: int) -> tuple[str, str, list[str]]:
    """Urgency, sentiment, and the sentences that show them; what is not shown is the usual."""
    urgency = _weighted(s, URGENCIES, URGENCY_BY_SEVERITY[intent.severity])
    level = URGENCIES.index(urgency)
    glad = 0.24 if intent.severity == 0 else 0.08
    sentiment = _weighted(s, SENTIMENTS, (0.10 + 0.13 * level, 0.6, glad))
    shown = []
    if wanted > 20 or s.chance(0.4):
        if urgency != "normal" or s.chance(0.4):
            outage = intent.queue in ("Technical Bug", "Account Access")
            calm = urgency == "critical" and not outage
            shown.append(s.one_of(filler.EMERGENCIES if calm else filler.IMPACTS[urgency]))
    else:
        urgency = UNSAID_URGENCY[intent.severity]
    if wanted > 35:
        if sentiment != "neutral" or s.chance(0.15):
            shown.append(s.one_of(filler.TONES[sentiment]))
    else:
        sentiment = "neutral"
    return urgency, sentiment, shown


def _request(s: Speaker, intent: Intent, size: int) -> list[str]:
    """The intent in 1 to 5 sentences: an opening, and with more room details and an ask."""
    said = [s.one_of(intent.openings)]
    if size > 1:
        details = s.rng.sample(intent.details, min(size - 1, s.below(4)))
        said += map(s.say, details)
    if size > 1 and s.chance(0.6):
        asks = intent.asks if s.chance(0.7) else QUEUE_ASKS[intent.queue]
        said.insert(0 if s.chance(0.12) else len(said), s.one_of(asks))
    if len(said) > 2 and s.chance(0.3):
        s.rng.shuffle(said)
    return said


def _core(
    s: Speaker, intent: Intent, rival: Intent | None, wanted: int
) -> tuple[list[str], list[tuple[str, str]]]:
    """The sentences that matter and those that mislead, and the blocks that go below them."""
    size = 1 if wanted < 22 else 2 if wanted < 45 else 4
    main = _request(s, intent, size)
    if rival is None:
        if wanted > 60 and s.chance(0.05):
            return [s.one_of(filler.POINTERS)], [("quote", old_mail(s, intent, " ".join(main)))]
        return main, []
    other = _request(s, rival, s.pick((1, 3, 4)))
    kind = s.rng.random()
    if kind < 0.45:
        before, behind = s.pick(filler.NOT_THIS)
        aside = [s.say(before), *other, s.say(behind)]
        if s.chance(0.4):
            return [*main, *aside], []
        return [*aside, s.one_of(filler.MAIN_LATER), *main], []
    if kind < 0.70:
        first = [s.one_of(filler.MAIN_FIRST), *main]
        second = [s.one_of(filler.MINOR), *other]
        return (first + second if s.chance(0.5) else second + first), []
    return main, [("quote", old_mail(s, rival, " ".join(other)))]


def _fill(
    s: Speaker, intent: Intent, core: list[str], blocks: list[tuple[str, str]], wanted: int
) -> list[str]:
    """Paragraphs up to the wanted length; logs, old mails and disclaimers are put in blocks."""
    room = wanted - sum(map(count_words, core)) - sum(count_words(text) for _, text in blocks)
    head = s.one_of(filler.GREETINGS) if s.chance(0.65) and wanted > 14 else ""
    foot = signature(s, wanted) if wanted > 14 else ""
    room -= count_words(head) + count_words(foot)
    if room > 35 and s.chance(LOG_SHARE.get(intent.queue, 0.03) + (0.1 if room > 250 else 0)):
        blocks.insert(0, ("log", paste(s, int(room * (0.3 + 0.4 * s.rng.random())))))
        room -= count_words(blocks[0][1])
    if room > 45 and s.chance(0.3 if room < 150 else 0.6):
        blocks.append(("quote", thread(s, int(room * (0.3 + 0.4 * s.rng.random())))))
        room -= count_words(blocks[-1][1])
    if room > 30 and s.chance(0.25):
        blocks.append(("prose", s.one_of(filler.DISCLAIMERS)))
        room -= count_words(blocks[-1][1])
    sentences = list(core)
    if room > 14 and intent.severity and s.chance(0.5) and intent.queue != "Compliance":
        sentences.append(s.one_of(filler.ATTEMPTS))
        room -= count_words(sentences[-1])
    before, behind = _chatter(s, room)
    return [text for text in (head, *_paragraphs(s, [*before, *sentences, *behind]), foot) if text]


def _chatter(s: Speaker, room: int) -> tuple[list[str], list[str]]:
    """Sentences that tell nothing, of about ``room`` words: before and behind what matters."""
    sides: tuple[list[str], list[str]] = ([], [])
    for phrase in s.rng.sample(filler.CHATTER, min(len(filler.CHATTER), max(0, room) // 10)):
        if room < 8:
            break
        sentence = s.say(phrase)
        sides[s.below(2)].append(sentence)
        room -= count_words(sentence)
    return sides


def _paragraphs(s: Speaker, sentences: list[str]) -> list[str]:
    """The sentences in paragraphs of one writer's habit: one block, a few, a list, or lines."""
    habit = s.rng.random()
    if habit < 0.3 and len(sentences) < 12:
        return [" ".join(sentences)]
    if habit < 0.36:
        return ["\n".join(f"- {sentence}" for sentence in sentences)]
    if habit < 0.46:
        return ["\n".join(sentences)]
    out, start = [], 0
    while start < len(sentences):
        size = s.below(4) + 1
        out.append(" ".join(sentences[start : start + size]))
        start += size
    return out


def _subject(
    s: Speaker, intent: Intent | None, rival: Intent | None, core: list[str], urgency: str
) -> str:
    """A subject: to the point, vague, borrowed from another thread, cut from the text, or none."""
    kind = s.rng.random()
    if kind < 0.10:
        return ""
    if kind < 0.32 or intent is None:
        return s.one_of(filler.VAGUE_SUBJECTS)
    if kind < 0.42:
        words = s.pick(core).split()
        return " ".join(words[: s.below(4) + 3]).rstrip(",.:;")
    about = rival if rival is not None and kind < 0.60 else intent
    subject = s.one_of(about.subjects)
    if s.chance(0.15):
        subject = s.pick(("RE: ", "Re: ", "FW: ", "Fwd: ", "AW: ", "RE: RE: ")) + subject
    if s.chance({"critical": 0.4, "high": 0.2}.get(urgency, 0.03)):
        subject = s.pick(("URGENT: ", "urgent - ", "ASAP ", "!! ")) + subject
    return subject


def _in_manner(s: Speaker, subject: str, prose: list[str]) -> tuple[str, list[str]]:
    """The same words from a hasty, a foreign, a loud or a careful writer."""
    u = s.rng.random()
    rate = 0.0 if u < 0.4 else 0.02 if u < 0.8 else 0.08
    texts = [subject, *prose]
    manner = s.rng.random()
    if manner < 0.14:
        texts = [style.second_language(s, text) for text in texts]
    elif manner < 0.30:
        texts = [style.hasty(s, text) for text in texts]
    elif manner < 0.315:
        texts = [text.upper() for text in texts]
    if rate:
        texts = [style.typos(s, text, rate) for text in texts]
    return texts[0], texts[1:]


def _lay_out(s: Speaker, blocks: list[tuple[str, str]], subject_words: int) -> str:
    """The body, as plain text or HTML, with blocks dropped from the end if it were too long."""
    as_html = s.chance(0.08)
    while True:
        body = style.html(s, blocks) if as_html else "\n\n".join(text for _, text in blocks)
        if count_words(body) + subject_words <= LONGEST:
            return body
        blocks = blocks[:-1]
