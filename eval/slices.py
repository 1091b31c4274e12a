"""How well tickets are answered by kind: length, queue, language, logs, quoted mail, identifiers.

Slices are of what the stages read, the cleaned text. Whether a ticket has a log, or quotes a mail,
is asked of the cleaning itself: it has where the step in question takes something away.

Languages are told by py3langid, a small and well-kept library without a model to download (4 MB,
naive Bayes over byte n-grams: Lui and Baldwin 2012), among the languages of `LANGUAGES`. On 1,500
tickets each (the languages as the data sets have them): 93 % told right, 7 % wrong and none left
unclear of the e-mails of multiqueue_tickets_synthetic in five languages, many of them mixed; 97 %
and 0.3 % of it_service_topics, whose stop words are gone; 98 % and none of banking77's short
questions. Of subjects alone, two thirds stay unclear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

from cascade.clean import TOKENS, clean
from cascade.errors import MissingExtraError
from eval.labelled import Labelled
from train.measures import RESAMPLES, quality

FEWEST = 20
"""A slice of fewer tickets is told without macro-F1: it could be anything."""
SURE = 0.9
"""Less sure than this, a ticket's language is unclear."""
READ = 2_000
"""Characters that a language is told by."""
UNCLEAR, OTHERS = "unclear", "others"
LANGUAGES = {
    "ar": "Arabic", "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "fi": "Finnish",
    "fr": "French", "hr": "Croatian", "hu": "Hungarian", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "nl": "Dutch", "no": "Norwegian",
    "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak",
    "sl": "Slovenian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip
"""Those that are told apart. The library knows 140, and short tickets look like many of them."""

_TYPED = regex.compile(r"<[a-z_]++>")

Numbers = NDArray[np.int64]
Bools = NDArray[np.bool_]
Row = dict[str, Any]


def slices(labelled: Labelled, guess: Numbers, settled: Bools) -> list[Row]:
    """Figures of all tickets, and of those of each kind.

    Args:
        guess: ``(n,)`` numbers of the queues that the tickets were given.
        settled: ``(n,)`` which of them were acted on.

    Returns:
        One row a slice: ``slice`` (what it is by) and ``value``; ``tickets``; ``macro_f1`` over the
        queues that occur in it, with ``macro_f1_95``; ``accuracy``; ``settled``, the share acted
        on, and ``right_of_settled``, the share of right ones among those; ``drop``, the macro-F1 of
        all tickets less that of the slice. Rows by queue hold the queue's own F1 as ``macro_f1``,
        and ``recall`` and ``precision``. What cannot be told (of fewer than `FEWEST` tickets, of
        none settled) is None.

    Raises:
        MissingExtraError: py3langid is not installed.
    """
    every = np.ones(len(labelled), dtype=np.bool_)
    rows = [{"slice": "all", "value": "all tickets", **_row(labelled, guess, settled, every)}]
    for name, value, members in kinds(labelled):
        rows.append({"slice": name, "value": value, **_row(labelled, guess, settled, members)})
    rows += [_of_queue(labelled, guess, settled, k) for k in range(len(labelled.queues))]
    whole = rows[0]["macro_f1"]
    for row in rows:
        its = row["macro_f1"]
        row["drop"] = None if whole is None or its is None else round(whole - its, 4)
    return rows


def kinds(labelled: Labelled) -> Iterator[tuple[str, str, Bools]]:
    """Name, value and ``(n,)`` members of each slice but those by queue; none is empty."""
    yield from _lengths(labelled.cleaned)
    yield from _languages(languages(labelled.cleaned))
    for name, members in (
        ("logs or stack traces", _taken_away(labelled, "logs")),
        ("quoted mail", _taken_away(labelled, "quotes")),
        ("addresses and ids", [any(token in t for token in TOKENS) for t in labelled.cleaned]),
    ):
        has = np.asarray(members, dtype=np.bool_)
        for value, its in (("with", has), ("without", ~has)):
            if its.any():
                yield name, value, its


def languages(texts: Sequence[str]) -> list[str]:
    """The language of each cleaned text, in English, or `UNCLEAR`.

    Raises:
        MissingExtraError: py3langid is not installed.
    """
    identifier = _identifier()
    told = (identifier.classify(_TYPED.sub(" ", text[:READ])) for text in texts)
    return [LANGUAGES[code] if sure >= SURE else UNCLEAR for code, sure in told]


@cache
def _identifier() -> Any:
    try:
        from py3langid.langid import (  # type: ignore[import-untyped]
            MODEL_FILE,
            LanguageIdentifier,
        )
    except ImportError:
        raise MissingExtraError("py3langid", "train") from None
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier


def _lengths(texts: Sequence[str]) -> Iterator[tuple[str, str, Bools]]:
    """Quarters of the tickets by their words; fewer where many are equally long."""
    words = np.asarray([len(text.split()) for text in texts])
    quarter = np.searchsorted(np.quantile(words, [0.25, 0.5, 0.75]), words)
    for number in np.unique(quarter):
        members = quarter == number
        low, high = words[members].min(), words[members].max()
        yield "length", f"{low} to {high} words" if low < high else f"{low} words", members


def _languages(told: Sequence[str]) -> Iterator[tuple[str, str, Bools]]:
    """The languages, the most frequent first, and those of too few tickets as one."""
    counts = Counter(told).most_common()
    rare = {language for language, count in counts if count < FEWEST}
    its = [OTHERS if language in rare and len(rare) > 1 else language for language in told]
    for language, _ in Counter(its).most_common():
        yield "language", language, np.asarray([one == language for one in its])


def _taken_away(labelled: Labelled, step: str) -> list[bool]:
    """Which tickets a step of the cleaning takes something from."""
    kept = (clean(text, frozenset({step})) for text in labelled.texts)
    return [more != text for more, text in zip(kept, labelled.cleaned, strict=True)]


def _row(labelled: Labelled, guess: Numbers, settled: Bools, members: Bools) -> Row:
    """The figures of some tickets, one at least; ``drop`` is still to come."""
    y, given, acted_on = labelled.y[members], guess[members], settled[members]
    figures: Row = {"macro_f1": None, "macro_f1_95": None, "accuracy": share(y == given)}
    if len(y) >= FEWEST:
        figures = quality(y, given, len(labelled.queues))
    return {
        "tickets": len(y),
        **figures,
        "settled": share(acted_on),
        "right_of_settled": share((y == given)[acted_on]),
    }


def _of_queue(labelled: Labelled, guess: Numbers, settled: Bools, queue: int) -> Row:
    """The figures of the tickets that belong to one queue, with its own F1 as macro-F1."""
    true, given = labelled.y == queue, guess == queue
    hits, missed, wrongly = true & given, true & ~given, given & ~true
    few = true.sum() < FEWEST
    f1, low, high = _f1(*(int(some.sum()) for some in (hits, missed, wrongly)))
    return {
        "slice": "queue",
        "value": labelled.queues[queue],
        "tickets": int(true.sum()),
        "macro_f1": None if few else f1,
        "macro_f1_95": None if few else [low, high],
        "accuracy": share(given[true]),
        "settled": share(settled[true]),
        "right_of_settled": share(given[true & settled]),
        "recall": share(given[true]),
        "precision": share(true[given]),
    }


def _f1(hits: int, missed: int, wrongly: int) -> tuple[float, float, float]:
    """F1 of one queue and its 95 % bootstrap interval, over the tickets that bear on it."""
    counts = np.asarray([hits, missed, wrongly])
    total = max(int(counts.sum()), 1)
    drawn = np.random.default_rng(0).multinomial(total, counts / total, size=RESAMPLES)
    drawn = np.concatenate([counts[None], drawn])
    f1 = 2 * drawn[:, 0] / np.maximum(2 * drawn[:, 0] + drawn[:, 1] + drawn[:, 2], 1)
    low, high = np.percentile(f1[1:], [2.5, 97.5])
    return round(float(f1[0]), 4), round(float(low), 4), round(float(high), 4)


def share(which: Bools) -> float | None:
    """The share of true ones; None of none."""
    return round(float(which.mean()), 4) if len(which) else None
