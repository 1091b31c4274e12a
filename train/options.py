"""What a user can choose about training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cascade.bundle import Columns
from cascade.llm.settings import LLMSettings
from train.promise import Promise
from train.read import MIN_ROWS


@dataclass(frozen=True, slots=True)
class Options:
    """What a user can choose about training.

    Attributes:
        columns: of the training file.
        minutes: most time for fine-tuning the encoder; 0 leaves the encoder out.
        encoder: local folder or hub id of the pretrained encoder; None for all-MiniLM-L6-v2.
        tokens: most tokens of a ticket that the encoder reads.
        layers: of the encoder that serves, taught by the whole one; None keeps all of them.
        promise: what is asked of the settled tickets.
        llm: who answers in the llm stage; None leaves out that stage and the neighbours' vote.
        queues: ``queues.toml`` with descriptions of queues, for the llm stage.
        test_file: tickets to test on; by default a tenth of the training file.
        out_of_scope: label of the rows that belong to no queue: they teach what to refuse.
        trust_labels: look for no tickets whose queue is probably wrong.
        seed: of the split and of everything drawn at random.
    """

    columns: Columns
    minutes: float = 15.0
    encoder: str | None = None
    tokens: int = 256
    layers: int | None = None
    promise: Promise = field(default_factory=Promise)
    llm: LLMSettings | None = None
    queues: Path | None = None
    test_file: Path | None = None
    encoding: str = "utf-8"
    min_rows: int = MIN_ROWS
    trust_labels: bool = False
    out_of_scope: str | None = None
    seed: int = 0
    quiet: bool = False
