"""A bundle's own encoder as transformers serves it, written for transformers 5.23.

Its weights in float32, the pipeline "text-classification" on the CPU: the model that the encoder
stage runs, so what differs is how it is run.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertPreTrainedModel, PreTrainedTokenizerFast, pipeline
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils.logging import set_verbosity

from cascade.bundle import Bundle
from cascade.stages.base import QUEUE
from eval.encoder_weights import encoder_of, window_of
from eval.peers.peer import Peer, versions
from train.bert import Encoder


def same_encoder(bundle: Bundle) -> Peer:
    """The encoder of a bundle in a pipeline of transformers.

    Raises:
        InputError: the bundle's encoder is no BERT.
    """
    # It calls it an error that it does not know our class.
    set_verbosity(logging.CRITICAL)
    queues = len(bundle.manifest.heads[QUEUE])
    read = encoder_of(bundle)
    plain = Tokenizer.from_str(bundle.read("encoder/tokenizer.json").decode())
    plain.no_truncation()
    plain.no_padding()
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=plain,
        model_max_length=window_of(bundle).cap,
        pad_token="[PAD]",  # noqa: S106
    )
    classify: Any = pipeline(
        "text-classification", model=_Classifier(read, queues), tokenizer=tokenizer, device="cpu"
    )
    number = classify.model.config.label2id

    def answer(texts: list[str]) -> NDArray[np.float32]:
        out = np.zeros((len(texts), queues), dtype=np.float32)
        for row, said in enumerate(classify(texts, top_k=None, truncation=True)):
            for label in said:
                out[row, number[label["label"]]] = label["score"]
        return out

    note = f"{versions('transformers', 'torch')}, float32, the bundle's own weights"
    return Peer("the same encoder in a transformers pipeline", note, answer)


class _Classifier(BertPreTrainedModel):  # type: ignore[no-untyped-call]
    """transformers' own BERT, its mean state, and the head of the queues."""

    def __init__(self, encoder: Encoder, queues: int) -> None:
        config = encoder.backbone.config
        config.num_labels = queues
        super().__init__(config)
        self.backbone, self.head, self.queues = encoder.backbone, encoder.head, queues

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SequenceClassifierOutput:
        states = self.backbone(input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask[..., None].to(states.dtype)
        pooled = (states * mask).sum(1) / mask.sum(1)
        return SequenceClassifierOutput(logits=self.head(pooled)[:, : self.queues])
