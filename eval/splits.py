"""The tickets that a training learns from and those that it is tested on, raw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cascade.bundle import Bundle
from cascade.errors import InputError
from cascade.stages.base import QUEUE
from eval.datasets import Files
from eval.labelled import Labelled, read_labelled
from train.fit import read_split
from train.options import Options
from train.read import heads_of


def raw_splits(
    files: Files, options: Options, *, with_gate: bool = False
) -> tuple[Labelled, Labelled, str]:
    """Split the files as `train.fit.train` does it.

    Args:
        with_gate: the gate split is learned from as well, by what has no gates.

    Returns:
        What is learned from, what is tested on, and the fingerprint of the training file.

    Raises:
        CascadeError: a file cannot be read or used.
    """
    options = replace(options, test_file=files.test, quiet=True)
    tickets, held, split = read_split(files.train, options, lambda line: None)
    rows = np.concatenate([split.train, split.gate]) if with_gate else split.train
    tested = [tickets.lines[row] for row in split.test] if held is None else held.lines
    queues = heads_of(tickets)[QUEUE]
    learned, test = (
        read_labelled(
            source, files.columns, queues, encoding=options.encoding, lines=frozenset(lines)
        )
        for source, lines in (
            (files.train, [tickets.lines[row] for row in rows]),
            (files.test or files.train, tested),
        )
    )
    return learned, test, tickets.fingerprint


def splits_of(bundle: Bundle, files: Files, options: Options) -> tuple[Labelled, Labelled]:
    """The tickets that a bundle was trained on, and those that it is tested on, raw.

    Raises:
        InputError: the bundle was trained on other data, or for other queues.
    """
    learned, test, fingerprint = raw_splits(files, options)
    manifest = bundle.manifest
    if fingerprint != manifest.data["sha256"] or learned.queues != manifest.heads[QUEUE]:
        raise InputError(
            f"{bundle.path}: was trained on other data than {files.train}; train it anew, or "
            "leave out --reuse"
        )
    return learned, test
