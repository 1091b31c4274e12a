"""ONNX Runtime sessions, all made in the same way."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Set before the libraries read it: a process that forks (gunicorn) must not own their threads.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

LEFT_OUT = ("SkipLayerNormFusion",)
"""Optimisations that cost time on a CPU. ONNX Runtime's fused SkipLayerNormalization is scalar code
that takes about five times as long as the vectorised Add and LayerNormalization that it stands for:
3 to 9 % of an int8 encoder's time, at 32 to 256 tokens."""


def session(model: bytes | Path) -> ort.InferenceSession:
    """A session on one thread, so that a ticket gets the same bits whatever else runs.

    Args:
        model: its bytes, or a file, which may have its weights in files of their own beside it.

    Raises:
        ValueError: the model cannot be loaded; the message says what kind of error it was.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        source = model if isinstance(model, bytes) else os.fspath(model)
        return ort.InferenceSession(
            source,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=list(LEFT_OUT),
        )
    # ONNX Runtime's own exceptions share no base class but Exception.
    except Exception as error:
        raise ValueError(type(error).__name__) from None


def run_until(
    model: ort.InferenceSession, given: Mapping[str, NDArray[Any]], deadline: float
) -> NDArray[np.float32]:
    """The model's first output, if it is there by a deadline.

    Args:
        deadline: moment (of `time.monotonic`) at which the run is broken off.

    Raises:
        TimeoutError: it was.
        ValueError: the model cannot be run on this; the message says what kind of error it was.
    """
    options = ort.RunOptions()
    watch = threading.Timer(
        max(0.0, deadline - time.monotonic()), setattr, (options, "terminate", True)
    )
    watch.daemon = True
    watch.start()
    try:
        return np.asarray(model.run(None, dict(given), options)[0], dtype=np.float32)
    # ONNX Runtime's own exceptions share no base class but Exception.
    except Exception as error:
        if options.terminate:
            raise TimeoutError from None
        raise ValueError(type(error).__name__) from None
    finally:
        watch.cancel()
