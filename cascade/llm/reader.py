"""A reader in the process: a causal model in a folder, under ONNX Runtime, without a server.

The package brings a small one (`BUILT_IN`, trained by ``train.reader``): a demonstration, and a
floor. Any other folder with a ``model.onnx`` and a ``tokenizer.json`` of a causal language model
is asked in the same way: one forward pass, and the probabilities of the codes as the next token.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from cascade.errors import InputError
from cascade.llm.base import MAX_CANDIDATES, Answer, NoAnswer, Question
from cascade.llm.dialects import MIN_MASS
from cascade.llm.prompt import codes, fit, messages
from cascade.onnx import session
from cascade.stages.base import softmax

BUILT_IN = Path(__file__).parent / "built_in"
EXAMPLE_TOKENS, TICKET_TOKENS = 48, 96
"""Most tokens of each that the built-in reader is shown; it was trained on short texts."""


class Reader:
    """A `Backend` in the process. Answers depend on nothing but the question.

    Args:
        folder: holds ``model.onnx`` and ``tokenizer.json``.
        budget: most tokens of a prompt.

    Raises:
        InputError: the folder holds no model that can be asked.
    """

    def __init__(self, folder: Path = BUILT_IN, budget: int = 2048) -> None:
        self.name = "reader" if folder == BUILT_IN else folder.name
        self._budget = budget
        try:
            self._tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text("utf-8"))
            self._session = session((folder / "model.onnx").read_bytes())
        except OSError as error:
            raise InputError(f"{error.filename}: {error.strerror}") from None
        # tokenizers raises a bare Exception for a file that it cannot read.
        except Exception as error:
            raise InputError(f"{folder}: not a model that can be read ({error})") from None
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        unknown = set(self._inputs) - {"input_ids", "attention_mask", "position_ids"}
        if unknown or "input_ids" not in self._inputs:
            raise InputError(
                f"{folder}/model.onnx: takes {', '.join(sorted(unknown)) or 'no input_ids'}; "
                "export it without a cache (input_ids, attention_mask, position_ids)"
            )
        self._points = self._tokenizer.token_to_id("<ask>") is not None

    def ask(self, question: Question, deadline: float) -> Answer:
        """See `cascade.llm.base.Backend.ask`."""
        if time.monotonic() >= deadline:
            raise NoAnswer("late", "the deadline was over before the reader was asked")
        return self._point(question) if self._points else self._complete(question)

    def _point(self, question: Question) -> Answer:
        """The built-in reader: texts with their codes, then the ticket; or none of the codes."""
        number = {queue: code for code, queue in enumerate(question.candidates)}
        ids: list[int] = []
        for example in question.examples:
            ids += [*self._encode(example.text)[:EXAMPLE_TOKENS], number[example.queue]]
        ticket = self._encode(question.ticket)
        ids += [*ticket[:TICKET_TOKENS], MAX_CANDIDATES]
        shares = softmax(self._run(ids))
        given, none = shares[: len(question.candidates)], float(shares[MAX_CANDIDATES])
        shown = {number[example.queue] for example in question.examples}
        unseen = [code for code in range(len(given)) if code not in shown]
        given[unseen] = none / max(len(unseen), 1)
        return _answer(given, 1.0 if unseen else 1 - none)

    def _complete(self, question: Question) -> Answer:
        """Any causal model: the prompt as text, and the codes as the next token."""
        asked = fit(question, self._budget)
        text = "\n\n".join(message["content"] for message in messages(asked)) + "\n\nAnswer:"
        letters = codes(question)
        wanted = [self._next(text, letter) for letter in letters]
        shares = softmax(self._run(self._encode(text)[-self._budget :]))
        return _answer(shares[wanted], float(shares[wanted].sum()))

    def _next(self, text: str, letter: str) -> int:
        for spelled in (f" {letter}", letter):
            ids = self._encode(spelled)
            if len(ids) == 1:
                return ids[0]
        raise NoAnswer("failed", "the model has no single token for a code")

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _run(self, ids: list[int]) -> NDArray[np.float32]:
        """Logits after the last token."""
        row = np.asarray([ids], dtype=np.int64)
        given: dict[str, Any] = {
            "input_ids": row,
            "attention_mask": np.ones_like(row),
            "position_ids": np.arange(row.shape[1], dtype=np.int64)[None],
        }
        (logits, *_) = self._session.run(None, {name: given[name] for name in self._inputs})
        return np.asarray(logits[0, -1], dtype=np.float32)


def _answer(given: NDArray[np.float32], mass: float) -> Answer:
    if not np.isfinite(given).all() or mass < MIN_MASS:
        raise NoAnswer("unsure", "the reader finds the ticket like none of the examples")
    total = float(given.sum())
    return Answer(tuple(float(p) / total for p in given), mass)
