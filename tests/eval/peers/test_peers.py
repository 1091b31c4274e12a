"""Each peer, where its library is installed; on an encoder so tiny that seconds are enough."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from cascade.errors import MissingExtraError
from eval.approach import guesses
from eval.labelled import Labelled
from eval.peers import PEERS
from eval.peers.peer import minilm, spread
from train.starter import generate

LIBRARIES = {
    "sklearn": "scikit-learn",
    "model2vec": "model2vec",
    "semantic_router": "semantic-router",
    "setfit": "setfit",
    "pipeline": "transformers",
}
MODULES = {"pipeline": "transformers"}
"""What a peer imports, where that is not called as the peer is."""


@pytest.fixture(scope="module")
def train() -> Labelled:
    """64 generated tickets of four of five queues."""
    kept: dict[str, list[str]] = {}
    for ticket in generate(500, seed=11):
        kept.setdefault(ticket.queue, []).append(f"{ticket.subject}\n{ticket.body}")
    queues = sorted(kept)[:4]
    texts = [text for queue in queues for text in kept[queue][:16]]
    y = np.repeat(np.arange(4), 16)
    return Labelled("made.csv", texts, y, (*queues, "nobody's"), [*range(64)])


@pytest.fixture
def tiny(
    request: pytest.FixtureRequest,
    encoder_folder: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The name of a peer whose pretrained encoder is a tiny one of random weights."""
    name: str = request.param
    pytest.importorskip(MODULES.get(name, name))
    module = import_module(f"eval.peers.{name}")
    if hasattr(module, "minilm"):
        monkeypatch.setattr(module, "minilm", lambda: str(encoder_folder("bert")))
    for setting, low in (("WORDS", 32), ("ROUNDS", 1), ("TOKENS", 64)):
        monkeypatch.setattr(module, setting, low, raising=False)
    return name


@pytest.mark.parametrize("tiny", PEERS, indirect=True)
def test_a_peer_says_a_distribution_and_its_version(
    tiny: str, train: Labelled, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = PEERS[tiny](train, 0)
    said = peer.predict(["The VPN is down since this morning", "", *train.texts[:3]])
    assert said.shape == (5, 5) and said.dtype == np.float32
    # No ticket of the last queue was ever seen; a network's head has an output for it all the same.
    assert tiny == "pipeline" or (said[:, 4] == 0).all()
    np.testing.assert_allclose(said[2:].sum(axis=1), 1, atol=1e-4)
    assert f"{LIBRARIES[tiny]} {version(LIBRARIES[tiny])}" in peer.note
    assert peer.predict(train.texts[:1]).shape == (1, 5)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["sklearn", "semantic_router"])
def test_a_peer_knows_what_it_was_taught(name: str, train: Labelled) -> None:
    pytest.importorskip(MODULES.get(name, name))
    said = PEERS[name](train, 0).predict(train.texts)
    assert (guesses(said) == train.y).mean() > 0.8


def test_every_peer_is_tested_here() -> None:
    assert list(PEERS) == list(LIBRARIES)


@pytest.mark.parametrize("name", ["model2vec", "semantic_router", "setfit"])
def test_a_library_that_is_not_there_is_named(
    name: str, train: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, f"eval.peers.{name}", raising=False)
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    # SetFit's module wants datasets too, which may be missing as well.
    missing = rf"needs ({name}|datasets).*ticket-cascade\[peers\]"
    with pytest.raises(MissingExtraError, match=missing):
        PEERS[name](train, 0)


@pytest.mark.parametrize("tiny", ["pipeline"], indirect=True)
def test_fine_tuning_ends_with_its_minutes(
    tiny: str, train: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "3.0 epochs" in PEERS[tiny](train, 0).note
    monkeypatch.setattr("eval.peers.pipeline.MINUTES", 1e-4)
    assert "0.1 epochs" in PEERS[tiny](train, 0).note  # one step of eight


def test_setfit_gets_some_of_each_queue() -> None:
    pytest.importorskip("setfit")
    from eval.peers.setfit import some_of_each

    y = np.asarray([0] * 50 + [2] * 3 + [1] * 10)
    rows = some_of_each(y, 5, seed=1)
    assert np.bincount(y[rows]).tolist() == [5, 5, 3]
    assert len(set(rows.tolist())) == 13
    assert (rows == some_of_each(y, 5, seed=1)).all()
    assert (rows != some_of_each(y, 5, seed=2)).any()


def test_a_queue_that_a_classifier_does_not_know_gets_nothing() -> None:
    said = np.asarray([[0.25, 0.75], [1.0, 0.0]])
    assert spread(said, [2, 0], 4).tolist() == [[0.75, 0, 0.25, 0], [0, 0, 1, 0]]


def test_the_encoder_of_the_peers_is_the_one_of_ours() -> None:
    import torch
    from safetensors.torch import load_file

    from train.bert import pretrained

    ours = pretrained(None)[0].state_dict()
    theirs = load_file(Path(minilm()) / "model.safetensors")
    name = "embeddings.word_embeddings.weight"
    assert torch.equal(ours[name], theirs[name])
