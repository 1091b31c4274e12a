"""The built-in reader: a small causal model that reads a queue off the examples before the ticket.

Tokens in, one distribution out: ``text <code> text <code> ... ticket <ask>``. It starts from the
lowest layers of a pretrained sentence encoder. All but the last read each text by itself, the last
one looks back at the earlier texts and their codes; then the ticket points at the examples that
are like it, and their codes share what they get (a pointer network, Vinyals et al. 2015, over
matching networks, Vinyals et al. 2016). What it says can come from the context alone, so a queue
that it never saw is as good as any, and "none of them" is an answer too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

MASKED = -1e4
MAX_TOKENS = 128
"""Most tokens of one text."""
BACK = 32
"""How far back, in texts, distances are told apart."""


class Reader(nn.Module):
    """The reader.

    Args:
        backbone: a BERT model whose lowest layers are taken.
        kept: ``(v,)`` rows of its vocabulary that are kept; they are numbered from ``codes + 1``.
        layers: how many layers.
        rank: width that the word embeddings are squeezed into, as they are most of the size.
        codes: how many codes there are; their tokens are numbered from 0, ``<ask>`` comes next.
    """

    def __init__(
        self, backbone: Any, kept: Tensor, *, layers: int = 3, rank: int = 128, codes: int = 20
    ) -> None:
        super().__init__()
        self.codes = codes
        self.heads = int(backbone.config.num_attention_heads)
        parts = backbone.embeddings
        left, values, right = torch.linalg.svd(parts.word_embeddings.weight.detach()[kept], False)
        width = right.shape[1]
        words = torch.zeros(codes + 1 + len(kept), rank)
        words[codes + 1 :] = left[:, :rank] * values[:rank]
        self.words = nn.Parameter(words)
        self.unpack = nn.Parameter(right[:rank].clone())
        types = parts.token_type_embeddings.weight.detach()[0]
        positions = parts.position_embeddings.weight.detach()[:MAX_TOKENS]
        self.positions = nn.Parameter(positions + types)
        self.norm = parts.LayerNorm
        self.layers = nn.ModuleList(backbone.encoder.layer[:layers])
        self.marks = nn.Parameter(torch.randn(codes + 1, width) * 0.02)
        self.away = nn.Parameter(torch.full((self.heads, 1, 1), -3.0))
        self.turn = nn.Parameter(torch.eye(width))
        self.sharp = nn.Parameter(torch.tensor(2.5))
        self.back = nn.Parameter(torch.zeros(BACK))
        self.none = nn.Parameter(torch.tensor(6.0))

    def forward(self, input_ids: Tensor) -> Tensor:
        """Log-probabilities after each token; they mean something after ``<ask>`` and codes.

        After a code they are those that would have come after ``<ask>`` in its place.

        Args:
            input_ids: ``(n, tokens)`` int64, padded behind ``<ask>`` with ``<ask>``.

        Returns:
            ``(n, tokens, codes + 1)`` float32; the last one is "none of them".
        """
        return self.read(input_ids)[0]

    def read(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, and at each mark the ``(n, tokens, width)`` unit vector of its text."""
        mark = input_ids <= self.codes
        text = mark.long().cumsum(1) - mark.long()
        same = text[:, :, None] == text[:, None, :]
        earlier = text[:, None, :] < text[:, :, None]
        tokens = ~mark[:, None, :].expand_as(same)
        own = same & (tokens | torch.eye(same.shape[1], dtype=torch.bool, device=same.device))
        x = self.norm(self._embed(input_ids, mark, same))
        local = torch.where(own, 0.0, MASKED)[:, None]
        wide = local.masked_fill(earlier[:, None], 0.0) + self.away * earlier[:, None]
        for layer in self.layers[:-1]:
            x = self._layer(layer, x, local)
        x = torch.where(mark[..., None], x + self.marks[input_ids.clamp(max=self.codes)], x)
        x = self._layer(self.layers[-1], x, wide)
        return self._point(x, input_ids, (same & tokens).float(), earlier, text)

    def _embed(self, ids: Tensor, mark: Tensor, same: Tensor) -> Tensor:
        index = torch.arange(ids.shape[1], device=ids.device)
        first = torch.where(same, index, ids.shape[1]).amin(2)
        place = (index - first).clamp(max=MAX_TOKENS - 1)
        return functional.embedding(ids, self.words) @ self.unpack + self.positions[place]

    def _layer(self, layer: Any, x: Tensor, bias: Tensor) -> Tensor:
        n, tokens, width = x.shape
        own, out = layer.attention.self, layer.attention.output

        def split(values: Tensor) -> Tensor:
            return values.view(n, tokens, self.heads, width // self.heads).transpose(1, 2)

        scale = (width // self.heads) ** -0.5
        scores = (split(own.query(x)) * scale) @ split(own.key(x)).transpose(-1, -2) + bias
        values = split(own.value(x))
        mixed = (scores.softmax(-1).to(values.dtype) @ values).transpose(1, 2)
        x = out.LayerNorm(x + out.dense(mixed.reshape(n, tokens, width)))
        raised = functional.gelu(layer.intermediate.dense(x))
        done: Tensor = layer.output.LayerNorm(x + layer.output.dense(raised))
        return done

    def _point(
        self, x: Tensor, ids: Tensor, members: Tensor, earlier: Tensor, text: Tensor
    ) -> tuple[Tensor, Tensor]:
        x = x.float()
        mean = members @ x / members.sum(2, keepdim=True).clamp(min=1)
        unit = functional.normalize(mean @ self.turn, dim=-1)
        distance = (text[:, :, None] - text[:, None, :]).clamp(0, BACK - 1)
        scores = self.sharp.exp() * (unit @ unit.transpose(1, 2)) + self.back[distance]
        codes = functional.one_hot(ids.clamp(max=self.codes), self.codes + 1)[..., : self.codes]
        seen = earlier & (ids < self.codes)[:, None, :]
        scores = torch.where(seen, scores, MASKED)
        none = self.none.expand(*scores.shape[:2], 1)
        shares = torch.cat([scores, none], 2).softmax(-1)
        mixed = torch.cat([shares[..., :-1] @ codes.float(), shares[..., -1:]], 2)
        return mixed.clamp(min=1e-6).log(), unit
