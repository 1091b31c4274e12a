"""The encoder stage: a fine-tuned transformer under ONNX Runtime, one ticket a run.

int8 activations are scaled per tensor, so in a padded batch a ticket's answer would depend on its
neighbours. Here each ticket runs alone and unpadded, on one thread; several tickets run side by
side on several threads. On a CPU that costs nothing, as no padding is computed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from cascade.errors import BundleError
from cascade.onnx import session
from cascade.stages.base import QUEUE, SIGNALS, Heads, Probabilities, energy, softmax

OUTPUTS = ("logits", "features")
"""What the model gives; one made before the features were served gives the logits alone."""
MAX_CAP = 8192
CHARACTERS_PER_TOKEN = 24
"""More text than this a token of the cap is never tokenised: it could not be kept."""


class TokenWindow:
    """Texts to token ids: the head and the tail of a long text, the middle left out.

    The subject and the first lines say what a ticket is about, its last lines what is wanted.

    Args:
        tokenizer: without truncation and padding.
        cap: most tokens a text may have, the two special tokens included.
        head_share: share of the kept tokens that come from the start of the text.
    """

    def __init__(self, tokenizer: Tokenizer, cap: int, head_share: float) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.cap = cap
        self.head_share = head_share
        prefix, suffix = _special_ids(tokenizer)
        self._prefix, self._suffix = prefix, suffix

    def __call__(self, text: str) -> list[int]:
        """Token ids, special tokens included; at most ``cap`` of them."""
        room = self.cap - len(self._prefix) - len(self._suffix)
        head = round(room * self.head_share)
        limit = room * CHARACTERS_PER_TOKEN
        if len(text) > 2 * limit:
            text = text[:limit] + "\n" + text[-limit:]
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        if len(ids) > room:
            ids = ids[:head] + ids[len(ids) - (room - head) :]
        return [*self._prefix, *ids, *self._suffix]


def _special_ids(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Ids that the tokenizer puts before and behind a text."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a", add_special_tokens=True).ids
    at = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return full[:at], full[at + len(bare) :]


class EncoderStage:
    """A transformer with one linear head for each label.

    Args:
        model: the bytes of an ONNX model: ``input_ids`` (1, tokens) int64 in, float32 out:
            ``logits`` ``(1, sum of k)``, the heads side by side, and maybe ``features`` ``(1, d)``.
        window: how texts become token ids.
        heads: the classes of each head.
        threads: how many tickets run side by side.
    """

    name = "encoder"

    def __init__(self, model: bytes, window: TokenWindow, heads: Heads, threads: int = 1) -> None:
        self.window = window
        self._heads = heads
        self._width = sum(len(classes) for classes in heads.values())
        try:
            self._session = session(model)
        except ValueError as error:
            raise BundleError(f"encoder: model.onnx cannot be loaded ({error})") from None
        outputs = self._session.get_outputs()
        if tuple(o.name for o in outputs) not in (OUTPUTS[:1], OUTPUTS):
            raise BundleError("encoder: model.onnx does not have the outputs of an encoder")
        if outputs[0].shape[-1] != self._width:
            raise BundleError("encoder: model.onnx does not have one score for each class")
        self._features = int(outputs[1].shape[-1]) if len(outputs) > 1 else 0
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def predict(self, texts: Sequence[str]) -> Probabilities:
        """See `Stage.predict`. The signals are the energy of the queues' logits, and the features.

        There are none where the model does not give its features.
        """
        run = self._pool.map if self._pool and len(texts) > 1 else map
        logits = np.empty((len(texts), self._width), dtype=np.float32)
        signals = np.empty((len(texts), 1 + self._features), dtype=np.float32)
        for row, (scores, *seen) in enumerate(run(self._run, texts)):
            logits[row] = scores
            if seen:
                signals[row, 1:] = seen[0]
        out: Probabilities = {}
        start = 0
        for name, classes in self._heads.items():
            out[name] = softmax(logits[:, start : start + len(classes)])
            start += len(classes)
        if self._features:
            signals[:, 0] = energy(logits[:, : out[QUEUE].shape[1]])
            out[SIGNALS] = signals
        return out

    def _run(self, text: str) -> list[NDArray[np.float32]]:
        """The text's row of each output."""
        ids = np.asarray([self.window(text)], dtype=np.int64)
        return [np.asarray(rows[0]) for rows in self._session.run(None, {"input_ids": ids})]

    @classmethod
    def from_files(
        cls, read: Callable[[str], bytes], heads: Heads, threads: int = 1
    ) -> EncoderStage:
        """Load from a bundle; ``read`` gives a file's checked bytes.

        Raises:
            BundleError: a file does not hold what it should.
        """
        try:
            config = json.loads(read("config.json"))
            tokenizer = Tokenizer.from_str(read("tokenizer.json").decode("utf-8"))
            cap, head_share = int(config["cap"]), float(config["head_share"])
            if not (3 <= cap <= MAX_CAP and 0 <= head_share <= 1):
                raise ValueError("no such window")
            window = TokenWindow(tokenizer, cap, head_share)
            model = read("model.onnx")
        except BundleError:
            raise
        # tokenizers raises a bare Exception for a file that it cannot read.
        except Exception as error:
            raise BundleError(f"encoder: damaged ({type(error).__name__})") from None
        return cls(model, window, heads, threads)
