"""ONNX Runtime sessions, all made in the same way."""

from __future__ import annotations

import os

# Set before the libraries read it: a process that forks (gunicorn) must not own their threads.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import onnxruntime as ort


def session(model: bytes) -> ort.InferenceSession:
    """A session on one thread, so that a ticket gets the same bits whatever else runs.

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
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # ONNX Runtime's own exceptions share no base class but Exception.
    except Exception as error:
        raise ValueError(type(error).__name__) from None
