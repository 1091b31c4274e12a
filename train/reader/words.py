"""The reader's tokenizer: the pretrained one, with the rarer words left out."""

from __future__ import annotations

import json

from tokenizers import Tokenizer

RAREST = 16_000
"""BERT's vocabulary is ordered by frequency: rows from here on are left out but single letters."""


def shrink(content: str, codes: int) -> tuple[str, list[int]]:
    """A smaller tokenizer.

    Args:
        content: the pretrained ``tokenizer.json``.
        codes: how many code tokens come first; ``<ask>`` follows them.

    Returns:
        The new ``tokenizer.json``, and the rows of the old vocabulary that are kept, in order.
    """
    plain = json.loads(content)
    old = sorted(plain["model"]["vocab"].items(), key=lambda item: item[1])
    kept = [
        (token, row)
        for token, row in old
        if token.isascii()
        and not token.startswith("[unused")
        and (row < RAREST or len(token.removeprefix("##")) == 1)
    ]
    names = [f"<code {number}>" for number in range(codes)] + ["<ask>"]
    plain["model"]["vocab"] = {
        token: number for number, token in enumerate(names + [token for token, _ in kept])
    }
    plain["added_tokens"] = []
    plain["post_processor"] = plain["truncation"] = plain["padding"] = None
    text = json.dumps(plain, ensure_ascii=False)
    Tokenizer.from_str(text)
    return text, [row for _, row in kept]
