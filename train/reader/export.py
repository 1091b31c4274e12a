"""The reader as the ONNX model that the package brings."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

from cascade.onnx import session
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
    float32 = _to_onnx(reader)
    ids = torch.randint(reader.codes + 1, len(reader.words), (1, 120))
    ids[0, 9::10] = torch.randint(0, reader.codes, (12,))
    ids[0, -1] = reader.codes
    (theirs,) = session(float32).run(None, {"input_ids": ids.numpy()})
    with torch.no_grad():
        difference = float(np.abs(reader(ids)[0, -1].numpy() - theirs[0, -1]).max())
    if difference > AGREE:
        raise RuntimeError(f"ONNX and PyTorch differ by {difference:.2g} in a log-probability")
    return _quantise(float32)


def _to_onnx(reader: Reader) -> bytes:
    import onnx

    tokens = torch.export.Dim("tokens", min=2, max=MOST_TOKENS)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(folder) / "model.onnx"
        torch.onnx.export(
            reader,
            (torch.randint(0, 100, (1, 64)),),
            file,
            input_names=["input_ids"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": {1: tokens}},
            external_data=False,
            dynamo=True,
            verbose=False,
        )
        graph = onnx.load(file)
    del graph.graph.value_info[:]
    return bytes(graph.SerializeToString())


def _quantise(model: bytes) -> bytes:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
            source.write_bytes(model)
            quantize_dynamic(
                source,
                target,
                op_types_to_quantize=["MatMul", "Gather"],
                weight_type=QuantType.QInt8,
                per_channel=True,
            )
            return target.read_bytes()
    finally:
        root.setLevel(level)
