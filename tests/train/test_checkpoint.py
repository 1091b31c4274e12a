"""Checkpoints: whole or not used, and what was saved comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from train import checkpoint
from train.checkpoint import Standing

STANDING = Standing("abc", 12.5, 2, 7, 0.25, 1, 0.4, [{"seconds": 12.0, "pass": 2, "loss": 0.25}])


def trained(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = nn.Linear(4, 3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    return model, optimizer


def save(path: Path, standing: Standing = STANDING) -> tuple[nn.Module, torch.optim.Optimizer]:
    model, optimizer = trained(0)
    checkpoint.save(path, standing, model.state_dict(), optimizer)
    return model, optimizer


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    model, optimizer = save(tmp_path / "deep" / "c.safetensors")
    other, its_optimizer = trained(1)
    found = checkpoint.load(tmp_path / "deep" / "c.safetensors", "abc", other, its_optimizer)
    assert found is not None
    assert found == STANDING
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
    ours, theirs = optimizer.state_dict()["state"], its_optimizer.state_dict()["state"]
    for index, state in ours.items():
        assert all(torch.equal(value, theirs[index][name]) for name, value in state.items())
    its_optimizer.step()


def test_a_start_without_any_evaluation_comes_back(tmp_path: Path) -> None:
    save(tmp_path / "c.safetensors", Standing("abc"))
    found = checkpoint.load(tmp_path / "c.safetensors", "abc", *trained(1))
    assert found is not None
    assert found == Standing("abc")
    assert found.best == float("inf")


def test_an_optimizer_before_its_first_step_comes_back(tmp_path: Path) -> None:
    model = nn.Linear(4, 3)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    checkpoint.save(tmp_path / "c.safetensors", STANDING, model.state_dict(), optimizer)
    assert checkpoint.load(tmp_path / "c.safetensors", "abc", model, optimizer)


def test_a_checkpoint_of_another_run_changes_nothing(tmp_path: Path) -> None:
    save(tmp_path / "c.safetensors")
    model, optimizer = trained(1)
    before = model.weight.clone()
    assert checkpoint.load(tmp_path / "c.safetensors", "other", model, optimizer) is None
    assert torch.equal(model.weight, before)


def test_no_checkpoint_is_a_new_start(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path / "c.safetensors", "abc", *trained(0)) is None


@pytest.mark.parametrize("keep", [0, 8, 100, -1])
def test_half_a_checkpoint_is_a_new_start(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "c.safetensors"
    save(path)
    path.write_bytes(path.read_bytes()[:keep])
    assert checkpoint.load(path, "abc", *trained(0)) is None


def test_a_checkpoint_of_another_version_is_a_new_start(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "c.safetensors"
    for metadata in (None, {}, {"standing": "{"}, {"standing": '{"new_field": 1}'}):
        save_file({"x": torch.ones(1)}, path, metadata=metadata)
        assert checkpoint.load(path, "abc", *trained(0)) is None


def test_a_crash_while_saving_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.safetensors"
    save(path)
    before = path.read_bytes()

    def crash(tensors: object, file: Path, metadata: object) -> None:
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint, "save_file", crash)
    with pytest.raises(OSError, match="disk full"):
        save(path)
    assert path.read_bytes() == before
