"""Which floating-point numbers to train in on the machine at hand."""

from __future__ import annotations

import time
from functools import cache

import torch


@cache
def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where a matrix product in it is clearly faster than in float32, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    pairs = {
        dtype: (torch.ones(1024, 384, dtype=dtype), torch.ones(384, 1536, dtype=dtype))
        for dtype in (torch.float32, torch.bfloat16)
    }
    seconds = dict.fromkeys(pairs, float("inf"))
    # In turns and by the best of many: on a busy machine a few bad tries would halve the speed
    # of the whole training.
    for _ in range(15):
        for dtype, (a, b) in pairs.items():
            start = time.perf_counter()
            a @ b
            seconds[dtype] = min(seconds[dtype], time.perf_counter() - start)
    faster = seconds[torch.bfloat16] < 0.8 * seconds[torch.float32]
    return torch.bfloat16 if faster else torch.float32
