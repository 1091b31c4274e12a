"""Token ids on their way into the encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.bert import Encoder, pretrained
from train.tokens import embed, padded, with_gaps

CPU = torch.device("cpu")
TICKETS = st.lists(st.lists(st.integers(1, 99), min_size=2, max_size=9), min_size=1, max_size=5)


@given(TICKETS)
def test_padding_is_masked_and_nothing_else(tickets: list[list[int]]) -> None:
    ids, mask = padded(tickets, CPU)
    assert (mask is None) == (len({len(ticket) for ticket in tickets}) == 1)
    for row, ticket in enumerate(tickets):
        kept = slice(None) if mask is None else mask[row].bool()
        assert ids[row][kept].tolist() == ticket


@given(TICKETS, st.floats(0, 1))
def test_gaps_leave_the_first_the_last_and_the_order(tickets: list[list[int]], by: float) -> None:
    for ticket, left in zip(tickets, with_gaps(tickets, by, np.random.default_rng(0)), strict=True):
        assert (left[0], left[-1]) == (ticket[0], ticket[-1])
        rest = iter(ticket)
        assert all(token in rest for token in left), "a subsequence"


def test_features_are_those_of_each_ticket_alone_in_their_order(
    encoder_folder: Callable[[str], Path],
) -> None:
    model = Encoder(pretrained(str(encoder_folder("bert")))[0], 2, dropout=0.5)
    tickets = [[2, 9, 8, 7, 6, 3], [2, 5, 3], [2, 5, 6, 3]]
    features = embed(model, tickets)
    for ticket, its in zip(tickets, features, strict=True):
        assert np.abs(embed(model, [ticket])[0] - its).max() < 1e-5
