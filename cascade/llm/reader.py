"""A reader in the process: a causal model in a folder, under ONNX Runtime, without a server.

The package brings a small one (`BUILT_IN`, trained by ``train.reader``): a demonstration, and a
floor. Any other folder with a ``model.onnx`` and a ``tokenizer.json`` of a causal language model
is asked in the same way: one forward pass, and the probabilities of the codes as the next token.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from cascade.errors import InputError
from cascade.llm.base import MAX_CANDIDATES, Answer, NoAnswer, Question
from cascade.llm.dialects import MIN_MASS
from cascade.llm.prompt import CODES, codes, fit, messages
from cascade.onnx import run_until, session
from cascade.stages.base import softmax

BUILT_IN = Path(__file__).parent / "built_in"
MODEL, TOKENIZER = "model.onnx", "tokenizer.json"
ASK = "<ask>"
"""The token that ends a prompt of the built-in reader; no other model has it."""
EXAMPLE_TOKENS, TICKET_TOKENS = 32, 96
"""Most tokens of each that the built-in reader is shown; it was trained on short texts."""
BUDGET = 2048
"""Most tokens of a prompt for other models, as their time grows with it."""
TRIAL_SECONDS = 60.0
_KNOWN_INPUTS = {"input_ids", "attention_mask", "position_ids"}
_INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


class Reader:
    """A `Backend` in the process. Answers depend on nothing but the question.

    Its name is that of the folder; the built-in one's also says which version of it this is, as
    gates that were fitted with another one do not know it.

    Args:
        folder: holds ``model.onnx`` and ``tokenizer.json``.
        budget: most tokens of a prompt.

    Raises:
        InputError: the folder holds no model that can be asked.
    """

    def __init__(self, folder: Path = BUILT_IN, budget: int = BUDGET) -> None:
        self._folder, self._budget = folder, budget
        for file in (folder / MODEL, folder / TOKENIZER):
            if not file.is_file():
                raise InputError(f"{file}: no such file")
        self.name = folder.resolve().name
        if folder == BUILT_IN:
            self.name = f"reader {hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()[:8]}"
        try:
            self._tokenizer = Tokenizer.from_str((folder / TOKENIZER).read_text("utf-8"))
        # tokenizers raises a bare Exception for a file that it cannot read.
        except Exception as error:
            raise self._bad(TOKENIZER, f"cannot be read ({type(error).__name__})") from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        try:
            self._session = session(folder / MODEL)
        except ValueError as error:
            raise self._bad(MODEL, f"cannot be loaded ({error})") from None
        self._inputs = {entry.name: entry.type for entry in self._session.get_inputs()}
        if "input_ids" not in self._inputs or not self._inputs.keys() <= _KNOWN_INPUTS:
            raise self._bad(
                MODEL,
                f"takes {', '.join(sorted(self._inputs))}; export it without a cache, so that it "
                f"takes {', '.join(sorted(_KNOWN_INPUTS))} or some of these",
            )
        self._points = self._tokenizer.token_to_id(ASK) is not None
        self._tokens = {} if self._points else self._code_tokens()
        self._try_out()

    def ask(self, question: Question, deadline: float) -> Answer:
        """See `cascade.llm.base.Backend.ask`."""
        ask = self._point if self._points else self._complete
        return ask(question, deadline)

    def _point(self, question: Question, deadline: float) -> Answer:
        """The built-in reader: texts with their codes, then the ticket; or none of the codes."""
        number = {queue: code for code, queue in enumerate(question.candidates)}
        ids: list[int] = []
        for example in question.examples:
            ids += [*self._encode(example.text)[:EXAMPLE_TOKENS], number[example.queue]]
        ids += [*self._encode(question.ticket)[:TICKET_TOKENS], MAX_CANDIDATES]
        shares = softmax(self._run(ids, deadline))
        given, none = shares[: len(question.candidates)], float(shares[MAX_CANDIDATES])
        shown = {number[example.queue] for example in question.examples}
        unseen = [code for code in range(len(given)) if code not in shown]
        # "None of them" is said for the queues that no example stands for.
        given[unseen] = none / max(len(unseen), 1)
        mass = 1.0 if unseen else 1 - none
        return _answer(given, mass, "the reader finds the ticket like none of the examples")

    def _complete(self, question: Question, deadline: float) -> Answer:
        """Any causal model: the prompt as text, and the codes as the next token."""
        asked = fit(question, self._budget)
        text = "\n\n".join(message["content"] for message in messages(asked)) + "\n\nAnswer:"
        ids: list[int] = self._tokenizer.encode(text).ids  # some models need what stands first
        if len(ids) > self._budget:
            raise NoAnswer("refused", "the prompt is longer than the reader may be shown")
        shares = softmax(self._run(ids, deadline))
        given = np.asarray([shares[self._tokens[code]].sum() for code in codes(question)])
        return _answer(given, float(given.sum()), "the reader would say something else")

    def _code_tokens(self) -> dict[str, list[int]]:
        """The tokens of each code, alone and behind a blank."""
        found = {}
        for code in CODES:
            spelled = [self._encode(text) for text in (f" {code}", code)]
            found[code] = sorted({ids[0] for ids in spelled if len(ids) == 1})
        tokens = [token for its in found.values() for token in its]
        if not all(found.values()) or len(set(tokens)) < len(tokens):
            raise self._bad(TOKENIZER, f"has no single token for each of the letters {CODES}")
        return found

    def _try_out(self) -> None:
        """Run once: what only shows when the model runs is better known before the first ticket."""
        try:
            logits = self._run(self._encode("ticket"), time.monotonic() + TRIAL_SECONDS)
        except NoAnswer as no:
            raise self._bad(MODEL, f"was tried out, and {no.reason}") from None
        width = MAX_CANDIDATES + 1 if self._points else self._tokenizer.get_vocab_size()
        # Vocabularies are often rounded up.
        fits = len(logits) == width if self._points else len(logits) >= width
        if not fits:
            raise self._bad(MODEL, f"gives {len(logits)} logits for a token, not {width}")

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _run(self, ids: list[int], deadline: float) -> NDArray[np.float32]:
        """Logits after the last token.

        Raises:
            NoAnswer: ``late``, or ``failed`` where the model cannot be run on that many tokens.
        """
        if time.monotonic() >= deadline:
            raise NoAnswer("late", "the deadline was over before the reader was asked")
        row = np.asarray([ids])
        all_given: dict[str, NDArray[Any]] = {
            "input_ids": row,
            "attention_mask": np.ones_like(row),
            "position_ids": np.arange(len(ids))[None],
        }
        given = {
            name: all_given[name].astype(_INTEGERS.get(kind, np.int64))
            for name, kind in self._inputs.items()
        }
        try:
            (logits,) = run_until(self._session, given, deadline)[:, -1]
            return np.atleast_1d(logits)
        except TimeoutError:
            raise NoAnswer("late", "the reader did not answer in time") from None
        except (ValueError, IndexError):
            raise NoAnswer("failed", "the reader's model cannot be run on the prompt") from None

    def _bad(self, file: str, what: str) -> InputError:
        return InputError(f"{self._folder / file}: {what}")


def _answer(given: NDArray[np.float32], mass: float, unsure: str) -> Answer:
    if not np.isfinite(given).all():
        raise NoAnswer("nonsense", "the reader's answer is not a number")
    if mass < MIN_MASS:
        raise NoAnswer("unsure", unsure)
    total = float(given.sum())
    return Answer(tuple(float(p) / total for p in given), min(mass, 1.0))
