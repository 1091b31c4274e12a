"""From PyTorch to the ONNX model that serves: one unpadded ticket a run, int8 where it is safe."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from cascade.stages.base import QUEUE, Heads
from cascade.stages.encoder import OUTPUTS, EncoderStage, TokenWindow
from train.bert import Encoder, most_tokens

INT8_COST = 0.005
"""Most macro-F1 that int8 may cost against float32."""

AGREE = 1e-4
"""Largest difference in a probability between PyTorch and float32 ONNX."""


@dataclass(frozen=True, slots=True)
class Exported:
    """An ONNX model and what is known of it."""

    model: bytes
    precision: str
    """``int8`` or ``float32``."""
    notes: dict[str, float | str]


def export(
    model: Encoder,
    window: TokenWindow,
    heads: Heads,
    texts: Sequence[str],
    labels: NDArray[np.int64],
    *,
    threads: int = 1,
) -> Exported:
    """Export a trained encoder, check it, and quantise it if that costs next to nothing.

    Args:
        texts: held-out texts that int8 is judged on.
        labels: their queues, ``(n,)``.

    Raises:
        RuntimeError: PyTorch and ONNX disagree: a fault in the export.
    """
    float32 = to_served_onnx(model)
    stage = EncoderStage(float32, window, heads, threads)
    difference = _difference(model, stage, heads, texts[:64])
    if difference > AGREE:
        raise RuntimeError(f"ONNX and PyTorch differ by {difference:.2g} in a probability")
    int8 = quantise(float32)
    exact = stage.predict(texts)[QUEUE]
    rough = EncoderStage(int8, window, heads, threads).predict(texts)[QUEUE]
    cost = _macro_f1(labels, exact) - _macro_f1(labels, rough)
    notes: dict[str, float | str] = {
        "onnx_torch_largest_difference": round(difference, 8),
        "int8_macro_f1_cost": round(cost, 4),
        "int8_same_queue": round(float((exact.argmax(1) == rough.argmax(1)).mean()), 4),
    }
    if cost > INT8_COST:
        return Exported(float32, "float32", notes)
    return Exported(int8, "int8", notes)


def _macro_f1(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    return float(f1_score(labels, probabilities.argmax(1), average="macro", zero_division=0))


class _Served(torch.nn.Module):
    """The encoder as it is exported: ids in, scores and features out, no mask."""

    def __init__(self, model: Encoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.model.features(input_ids)
        return self.model.scores(features), features


def to_served_onnx(model: Encoder) -> bytes:
    """An encoder as float32 ONNX, as `EncoderStage` takes it."""
    model = model.float().cpu().eval()
    return to_onnx(_Served(model), most_tokens(model.backbone), OUTPUTS)


def to_onnx(model: torch.nn.Module, most: int, outputs: Sequence[str] = ("logits",)) -> bytes:
    """A module that takes ``input_ids`` ``(1, tokens)`` as float32 ONNX.

    Args:
        most: most tokens that it can read.
        outputs: names of what it gives, in order.
    """
    import onnx

    tokens = torch.export.Dim("tokens", min=2, max=most)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(folder) / "model.onnx"
        torch.onnx.export(
            model,
            (torch.ones(1, 16, dtype=torch.long),),
            file,
            input_names=["input_ids"],
            output_names=list(outputs),
            dynamic_shapes={"input_ids": {1: tokens}},
            external_data=False,
            dynamo=True,
            verbose=False,
        )
        graph = onnx.load(file)
    # The exporter's shape notes contradict the quantiser's own inference; it does without them.
    del graph.graph.value_info[:]
    return bytes(graph.SerializeToString())


def quantise(model: bytes, operators: Sequence[str] | None = None) -> bytes:
    """Dynamic int8, weights signed, a scale a channel: closer than one a matrix, 2 to 6 % slower.

    Args:
        operators: whose weights are quantised; None for those of ONNX Runtime's choice.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a pre-processing that this graph does not need
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
            source.write_bytes(model)
            quantize_dynamic(
                source,
                target,
                op_types_to_quantize=operators,
                weight_type=QuantType.QInt8,
                per_channel=True,
            )
            return target.read_bytes()
    finally:
        root.setLevel(level)


def _difference(model: Encoder, stage: EncoderStage, heads: Heads, texts: Sequence[str]) -> float:
    """Largest difference of a probability of the first head between PyTorch and ONNX."""
    onnx_side = stage.predict(texts)[QUEUE]
    width = len(heads[QUEUE])
    worst = 0.0
    with torch.no_grad():
        for text, theirs in zip(texts, onnx_side, strict=True):
            ids = torch.tensor([stage.window(text)])
            ours = model(ids)[0, :width].softmax(-1).numpy()
            if int(ours.argmax()) != int(theirs.argmax()):
                gap = float(np.sort(ours)[-1] - np.sort(ours)[-2])
                worst = max(worst, gap)
            worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst
