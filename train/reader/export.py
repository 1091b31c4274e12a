"""The reader as the ONNX model that the package brings."""

from __future__ import annotations

import numpy as np
import torch

from cascade.onnx import session
from train.export import quantise, to_onnx
from train.reader.model import Reader

AGREE = 1e-3
"""Largest difference in a log-probability between PyTorch and float32 ONNX."""
MOST_TOKENS = 4096


def export(reader: Reader) -> bytes:
    """int8 ONNX: ``input_ids`` ``(1, tokens)`` in, ``logits`` ``(1, tokens, codes + 1)`` out.

    Raises:
        RuntimeError: PyTorch and ONNX disagree: a fault in the export.
    """
    reader = reader.float().cpu().eval()
    with torch.no_grad():
        # One scale serves the whole word table in int8, so its columns should be alike.
        scale = reader.words.abs().amax(0).clamp(min=1e-6)
        reader.words.div_(scale)
        reader.unpack.mul_(scale[:, None])
    float32 = to_onnx(reader, MOST_TOKENS)
    ids = torch.randint(reader.codes + 1, len(reader.words), (1, 120))
    ids[0, 9::10] = torch.randint(0, reader.codes, (12,))
    ids[0, -1] = reader.codes
    (theirs,) = session(float32).run(None, {"input_ids": ids.numpy()})
    with torch.no_grad():
        difference = float(np.abs(reader(ids)[0, -1].numpy() - theirs[0, -1]).max())
    if difference > AGREE:
        raise RuntimeError(f"ONNX and PyTorch differ by {difference:.2g} in a log-probability")
    return quantise(float32, ["MatMul", "Gather"])
