"""Other libraries' text classifiers, each as its own documentation recommends it.

They are fitted on the same training tickets as a bundle and asked about the same test tickets, raw:
cleaning is part of what is compared. None is needed for anything else, so a library is imported
when its peer is fitted.
"""

from __future__ import annotations

from importlib import import_module

from cascade.errors import MissingExtraError
from eval.labelled import Labelled
from eval.peers.peer import FitPeer, Peer


def _lazily(name: str) -> FitPeer:
    def fit(train: Labelled, seed: int) -> Peer:
        try:
            module = import_module(f"{__name__}.{name}")
        except ImportError as error:
            raise MissingExtraError(error.name or name, "peers") from None
        peer: Peer = module.fit(train, seed)
        return peer

    return fit


PEERS: dict[str, FitPeer] = {
    name: _lazily(name)
    for name in ("sklearn", "model2vec", "semantic_router", "setfit", "pipeline")
}
"""By the name that the command line knows. Each raises `MissingExtraError` without its library."""
