"""From what n-grams add to what words and phrases add, so that a person can read it.

A linear model over overlapping n-grams tells the same thing many times: "invoice", "my invoice",
"invo", "nvoic". Here each n-gram's weight goes to the words that it is taken from.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from cascade.stages.linear import NGrams

TIE = 0.5
"""A word is tied to a neighbour by no less than this share of its strongest tie."""
_WORD = NGrams("word", 1, 1)


def share_out(
    found: Sequence[tuple[NGrams, Mapping[str, float]]], chunks: Sequence[str]
) -> list[tuple[str, float]]:
    """What n-grams add, shared out to the words of the text: no part of it is told twice.

    An n-gram's weight is shared evenly by the places where it stands. Inside a word it is the
    word's; across words, half of it goes to either side. Where what two words weigh together
    ("log in") is more than what either weighs alone, they are one phrase.

    Args:
        found: as `LinearStage.contributions` has it.
        chunks: the text, split at white space.

    Returns:
        The words and phrases in the text's order, all of them, as they stand there, and what each
        adds. The weights have the same sum as those of the n-grams.
    """
    own, together = _weigh(found, chunks)
    least = [abs(weight) for weight in own]
    for pair, weight in together.items():
        for at in pair:
            least[at] = max(least[at], TIE * abs(weight))
    start = list(range(len(chunks)))
    for (left, right), weight in sorted(together.items()):
        if abs(weight) > max(least[left], least[right]):
            start[left + 1 : right + 1] = [start[left]] * (right - left)
    weights = dict.fromkeys(start, 0.0)
    for at, weight in enumerate(own):
        weights[start[at]] += weight
    for pair, weight in together.items():
        for at in pair:
            weights[start[at]] += weight / 2
    ends = [*weights, len(chunks)]
    return [(" ".join(chunks[at:end]), weights[at]) for at, end in pairwise(ends)]


def _weigh(
    found: Sequence[tuple[NGrams, Mapping[str, float]]], chunks: Sequence[str]
) -> tuple[list[float], dict[tuple[int, int], float]]:
    """What each chunk weighs alone, and what neighbouring ones weigh together."""
    own = [0.0] * len(chunks)
    together: defaultdict[tuple[int, int], float] = defaultdict(float)
    for ngrams, added in found:
        places = [(term, at) for term, at in _places(ngrams, chunks) if term in added]
        times = Counter(term for term, _ in places)
        for term, at in places:
            share = added[term] / times[term]
            if len(at) == 1:
                own[at[0]] += share
            for pair in pairwise(at):
                together[pair] += share / (len(at) - 1)
    return own, together


def _places(ngrams: NGrams, chunks: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Every n-gram of the text, with the numbers of the chunks that it takes letters from."""
    lower = [chunk.lower() for chunk in chunks]
    if ngrams.analyzer == "char_wb":
        for at, chunk in enumerate(lower):
            for term in ngrams.split(chunk):
                yield term, [at]
        return
    owners = [at for at, chunk in enumerate(lower) for _ in _WORD.split(chunk)]
    spans = (
        owners[at : at + n]
        for n in range(ngrams.shortest, ngrams.longest + 1)
        for at in range(len(owners) - n + 1)
    )
    for term, span in zip(ngrams.split(" ".join(lower)), spans, strict=True):
        yield term, list(dict.fromkeys(span))
