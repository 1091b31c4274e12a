"""Tickets' token ids on their way into the encoder while it learns."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.bert import Encoder
from train.recipe import Tickets

AT_ONCE = 64


def padded(tickets: Tickets, device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Ids ``(n, tokens)`` and their mask, None where the tickets are of one length."""
    longest = max(map(len, tickets))
    ids = torch.zeros(len(tickets), longest, dtype=torch.long)
    mask = torch.zeros(len(tickets), longest)
    for at, tokens in enumerate(tickets):
        ids[at, : len(tokens)] = torch.as_tensor(tokens)
        mask[at, : len(tokens)] = 1
    return ids.to(device), mask.to(device) if bool((mask == 0).any()) else None


def with_gaps(
    tickets: Tickets, share: float, random: np.random.Generator
) -> list[NDArray[np.int32]]:
    """Tickets without a random share of the tokens between the first and the last."""
    out = []
    for ticket in tickets:
        tokens = np.asarray(ticket, dtype=np.int32)
        kept = random.random(len(tokens)) >= share
        kept[[0, -1]] = True
        out.append(tokens[kept])
    return out


def features(model: Encoder, tickets: Tickets, at_once: int) -> Tensor:
    """Features ``(n, hidden)`` of tickets, so many at once and of like length: little is padded."""
    device = next(model.parameters()).device
    order = np.argsort([len(ticket) for ticket in tickets], kind="stable")
    parts = [
        model.features(*padded([tickets[row] for row in order[start : start + at_once]], device))
        for start in range(0, len(order), at_once)
    ]
    return torch.cat(parts)[torch.as_tensor(np.argsort(order))]


@torch.no_grad()
def embed(model: Encoder, tickets: Tickets) -> NDArray[np.float32]:
    """The same as they will be served: in float32, without dropout."""
    model.eval()
    return np.asarray(features(model, tickets, AT_ONCE).cpu().numpy(), dtype=np.float32)
