"""The built-in reader: what it sees, what it may say, and what it is trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from cascade.onnx import session
from train.bert import pretrained
from train.reader.episodes import MOST_SHOWN, Source, episodes
from train.reader.export import export
from train.reader.model import Reader
from train.reader.words import shrink

CODES = 4
ASK = CODES


@pytest.fixture
def reader(encoder_folder: Callable[[str], Path]) -> Reader:
    backbone, _, _ = pretrained(str(encoder_folder("bert")))
    torch.manual_seed(0)
    vocabulary = backbone.config.vocab_size
    return Reader(backbone, torch.arange(vocabulary), layers=2, rank=8, codes=CODES).eval()


def prompt(*parts: tuple[list[int], int]) -> torch.Tensor:
    """Texts, as token numbers, each with the mark behind it."""
    return torch.tensor([[token for text, mark in parts for token in (*text, mark)]])


EXAMPLES = (([20, 21, 22], 2), ([30, 31], 0), ([40, 41, 42], 2))


@torch.no_grad()
def test_it_gives_shares_to_codes_that_it_was_shown_and_to_none_of_them(reader: Reader) -> None:
    shares = reader(prompt(*EXAMPLES, ([20, 23], ASK)))[0, -1].exp()
    assert shares.sum() == pytest.approx(1, abs=1e-4)
    assert shares[[1, 3]].max() < 1e-5  # never shown
    assert shares[[0, 2, ASK]].min() > 1e-5


@torch.no_grad()
def test_without_examples_it_is_none_of_them(reader: Reader) -> None:
    assert reader(prompt(([20, 23], ASK)))[0, -1].argmax() == ASK


@torch.no_grad()
def test_what_comes_later_changes_nothing_that_was_said(reader: Reader) -> None:
    short, long = prompt(*EXAMPLES[:2]), prompt(*EXAMPLES, ([20, 23], ASK))
    end = short.shape[1] - 1
    assert torch.allclose(reader(short)[0, end], reader(long)[0, end], atol=1e-5)


@torch.no_grad()
def test_padding_changes_nothing(reader: Reader) -> None:
    ids = prompt(*EXAMPLES, ([20, 23], ASK))
    padded = torch.cat([ids, torch.full((1, 5), ASK)], 1)
    assert torch.allclose(reader(ids)[0, -1], reader(padded)[0, ids.shape[1] - 1], atol=1e-5)


@torch.no_grad()
def test_the_same_text_as_an_example_is_what_it_points_at(reader: Reader) -> None:
    shares = reader(prompt(*EXAMPLES, ([30, 31], ASK)))[0, -1].exp()
    assert shares[0] > shares[2] / 2  # one example against the two of the other code


def test_the_exported_model_agrees(reader: Reader) -> None:
    ids = prompt(*EXAMPLES, ([30, 31], ASK))
    with torch.no_grad():
        expected = reader(ids)[0, -1].exp().numpy()
    (logits,) = session(export(reader)).run(None, {"input_ids": ids.numpy()})
    assert np.exp(logits[0, -1]) == pytest.approx(expected, abs=0.1)  # int8


def test_the_smaller_vocabulary_numbers_words_behind_the_codes(
    encoder_folder: Callable[[str], Path],
) -> None:
    _, content, _ = pretrained(str(encoder_folder("bert")))
    smaller, kept = shrink(content, CODES)
    old, new = Tokenizer.from_str(content), Tokenizer.from_str(smaller)
    assert new.token_to_id("<ask>") == ASK
    assert new.get_vocab_size() == CODES + 1 + len(kept)
    words = [old.id_to_token(row) for row in kept]
    assert [new.token_to_id(word) for word in words] == list(
        range(CODES + 1, CODES + 1 + len(kept))
    )
    ids = new.encode("<code 1> the <ask>", add_special_tokens=False).ids
    assert min(ids) > ASK  # no text can write a mark


def test_episodes_show_the_nearest_of_a_pool_and_never_the_ticket() -> None:
    kinds = [f"topic{label} word{row} common" for label in range(6) for row in range(30)]
    labels = np.repeat(np.arange(6), 30)
    source = Source("made", tuple(kinds), labels, labels // 2)
    drawn = [episode for pool in episodes([source], 10, seed=1) for episode in pool]
    assert drawn
    for episode in drawn:
        assert 1 <= len(episode.shown) <= MOST_SHOWN
        assert episode.ticket not in episode.shown
    present = [labels[e.ticket] in labels[list(e.shown)] for e in drawn]
    assert 0.3 < np.mean(present) < 1  # now and then "none of them" is right
    again = [episode for pool in episodes([source], 10, seed=1) for episode in pool]
    assert drawn == again
