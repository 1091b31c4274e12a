"""The encoder in PyTorch: the same numbers as transformers' own, and clear words if none loads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from cascade.errors import TrainingError
from train.bert import Encoder, pretrained

Folder = Callable[[str], Path]
KINDS = ["bert", "distilbert", "roberta"]


def batch(vocabulary: int, lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Random ids, padded with 0, and their mask."""
    random = torch.Generator().manual_seed(1)
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    mask = torch.zeros(len(lengths), max(lengths))
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(5, vocabulary, (length,), generator=random)
        mask[row, :length] = 1
    return ids, mask


def pooled(backbone: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of transformers' own output over the tokens that are no padding."""
    states = backbone(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


@torch.no_grad()
@pytest.mark.parametrize("lengths", [[7, 7, 7], [20, 3, 9, 1]], ids=["even", "padded"])
@pytest.mark.parametrize("source", [*KINDS, "bundled"])
def test_the_scores_are_those_of_transformers(
    encoder_folder: Folder, source: str, lengths: list[int]
) -> None:
    backbone, _, _ = pretrained(None if source == "bundled" else str(encoder_folder(source)))
    ids, mask = batch(600, lengths)
    model = Encoder(backbone, 3).eval()
    # For this one the pooler is gone and transformers' own forward pass still works.
    expected = model.head(pooled(backbone, ids, mask))
    assert model.plain == (source in ("bert", "bundled"))
    assert (model(ids, mask) - expected).abs().max() < 1e-4
    if len(set(lengths)) == 1:
        assert (model(ids) - expected).abs().max() < 1e-4


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_no_score(encoder_folder: Folder, kind: str) -> None:
    backbone, _, _ = pretrained(str(encoder_folder(kind)))
    model = Encoder(backbone, 3).eval()
    ids, mask = batch(600, [20, 3, 9])
    together = model(ids, mask)
    for row, length in enumerate([20, 3, 9]):
        assert (model(ids[row : row + 1, :length]) - together[row]).abs().max() < 1e-4


def test_dropout_acts_in_training_only(encoder_folder: Folder) -> None:
    backbone, _, _ = pretrained(str(encoder_folder("bert")))
    model = Encoder(backbone, 3, dropout=0.5)
    ids, mask = batch(600, [10, 10])
    model.train()
    assert not torch.equal(model(ids, mask), model(ids, mask))
    model.eval()
    assert torch.equal(model(ids, mask), model(ids, mask))


def test_the_bundled_encoder_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    backbone, tokenizer, name = pretrained(None)
    assert name == "sentence-transformers/all-MiniLM-L6-v2"
    assert backbone.config.hidden_size == 384
    assert Tokenizer.from_str(tokenizer).encode("vpn is down").ids[0] == 101
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}


def copy(source: Path, target: Path) -> Path:
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def nothing(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def no_tokenizer(folder: Path) -> None:
    for file in folder.glob("*token*"):
        file.unlink()


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")


def broken_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def unknown_kind(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "oracle"}))


@pytest.mark.parametrize(
    "damage",
    [nothing, no_tokenizer, broken_tokenizer, broken_weights, broken_config, unknown_kind],
)
def test_a_folder_that_holds_no_encoder_is_one_error_that_names_it(
    encoder_folder: Folder, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = copy(encoder_folder("bert"), tmp_path / "encoder")
    damage(folder)
    with pytest.raises(TrainingError, match=f"--encoder {folder}: cannot be loaded") as caught:
        pretrained(str(folder))
    assert "\n" not in str(caught.value)


def t5(folder: Path) -> None:
    from transformers import T5Config, T5Model

    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2}
    T5Model(T5Config(vocab_size=600, **sizes)).save_pretrained(folder)


def gpt2(folder: Path) -> None:
    from transformers import GPT2Config, GPT2Model

    GPT2Model(GPT2Config(vocab_size=600, n_embd=32, n_layer=1, n_head=2)).save_pretrained(folder)


@pytest.mark.parametrize("kind", [t5, gpt2])
def test_a_model_of_another_kind_is_one_error_that_says_what_is_supported(
    encoder_folder: Folder, tmp_path: Path, kind: Callable[[Path], None]
) -> None:
    folder = copy(encoder_folder("bert"), tmp_path / "encoder")
    kind(folder)
    with pytest.raises(TrainingError) as caught:
        pretrained(str(folder))
    assert str(caught.value) == (
        f"--encoder {folder}: {kind.__name__} is not an encoder that can be fine-tuned here; take "
        "a BERT, MiniLM, RoBERTa, DistilBERT, DeBERTa, MPNet or ModernBERT"
    )


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(TrainingError, match=r"--encoder \./none/such/folder: cannot be loaded"):
        pretrained("./none/such/folder")
