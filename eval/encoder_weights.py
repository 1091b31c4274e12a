"""The encoder of a bundle as PyTorch has it: its weights are read back from its ONNX model.

int8 weights come back as the numbers that they stand for, so what is made of them in float32 is
the model that was trained, but for the rounding of its weights.
"""

from __future__ import annotations

import json
import re

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from tokenizers import Tokenizer

from cascade.bundle import Bundle
from cascade.errors import InputError
from cascade.stages.encoder import TokenWindow
from train.bert import Encoder, pretrained

PREFIX = "model."
"""Before the names of parameters in an exported model."""
LAYER = re.compile(r"encoder\.layer\.(\d+)\.")
TYPES = "backbone.embeddings.token_type_embeddings.weight"


def encoder_of(bundle: Bundle, source: str | None = None) -> Encoder:
    """The encoder of a bundle.

    Args:
        source: the pretrained encoder that it was made of, as of `train.options.Options.encoder`.

    Raises:
        InputError: the bundle's encoder is no BERT, or not of that make.
    """
    backbone, _, name = pretrained(source)
    heads = bundle.manifest.heads
    found = weights(bundle.read("encoder/model.onnx"))
    layers = {number[1] for number in map(LAYER.search, found) if number}
    if len(layers) < backbone.config.num_hidden_layers:  # see train.distil
        del backbone.encoder.layer[len(layers) :]
        backbone.config.num_hidden_layers = len(layers)
    model = Encoder(backbone, sum(len(classes) for classes in heads.values()))
    state = model.state_dict()
    try:
        if TYPES in state:  # only its first row is used, and exported
            state[TYPES][0] = torch.tensor(found.pop("types")[0])
            found[TYPES] = state[TYPES].numpy()
        model.load_state_dict({key: torch.tensor(its) for key, its in found.items()})
    except RuntimeError:
        raise InputError(
            f"{bundle.path}: its encoder was not made of {name}; name what it was with --encoder"
        ) from None
    return model.eval()


def window_of(bundle: Bundle) -> TokenWindow:
    """How the encoder of a bundle reads tickets."""
    config = json.loads(bundle.read("encoder/config.json"))
    tokenizer = Tokenizer.from_str(bundle.read("encoder/tokenizer.json").decode())
    return TokenWindow(tokenizer, int(config["cap"]), float(config["head_share"]))


def weights(model: bytes) -> dict[str, NDArray[np.float32]]:
    """Weights by the name of the parameter; ``types`` is what every token's embedding is added."""
    graph = onnx.load_from_string(model).graph
    arrays = {its.name: numpy_helper.to_array(its) for its in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    out = {
        name.removeprefix(PREFIX): its
        for name, its in arrays.items()
        if name.startswith(PREFIX) and its.dtype == np.float32 and not name.endswith("_scale")
    }
    for name in arrays:
        if name.startswith(f"{PREFIX}backbone.embeddings") and name.endswith("_quantized"):
            out[_parameter(name)] = _exact(arrays, name)
    for node in graph.node:
        if node.op_type != "Add" or node.input[1] not in arrays:
            continue
        bias = node.input[1]
        maker = makers[node.input[0]]
        while maker.op_type in ("Mul", "Cast"):  # the scaling behind an int8 product
            maker = makers[maker.input[0]]
        if bias.endswith(".bias"):
            name = bias.removeprefix(PREFIX).removesuffix("bias") + "weight"
            out[name] = _exact(arrays, maker.input[1]).T
        elif maker.op_type in ("Gather", "DequantizeLinear"):
            out["types"] = arrays[bias].reshape(1, -1)
    return {name: np.ascontiguousarray(its) for name, its in out.items() if "_scale" not in name}


def _exact(arrays: dict[str, NDArray[np.generic]], name: str) -> NDArray[np.float32]:
    """An array as float32, the numbers that it stands for where it is int8."""
    if arrays[name].dtype == np.float32:
        return np.asarray(arrays[name], dtype=np.float32)
    base = name.removesuffix("_quantized")
    whole = arrays[name].astype(np.float32) - arrays[f"{base}_zero_point"].astype(np.float32)
    return whole * np.asarray(arrays[f"{base}_scale"], dtype=np.float32)


def _parameter(name: str) -> str:
    return name.removeprefix(PREFIX).removesuffix("_quantized")
