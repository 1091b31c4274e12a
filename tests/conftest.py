"""What several tests share: real, small data and a real bundle that is trained in seconds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cascade.bundle import Columns
from train.fit import Options, train
from train.starter import write

ROOT = Path(__file__).parent.parent
STARTER_COLUMNS = Columns(
    text=("subject", "body"),
    label="queue",
    also=("urgency", "sentiment"),
    id="id",
)


@pytest.fixture(scope="session")
def starter_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """700 generated tickets."""
    path = tmp_path_factory.mktemp("data") / "starter.csv.gz"
    write(path, 700, seed=3)
    return path


@pytest.fixture(scope="session")
def tiny_bundle(starter_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle with both stages, int8 encoder included; too little trained to be good."""
    out = tmp_path_factory.mktemp("bundles") / "tiny"
    options = Options(STARTER_COLUMNS, minutes=0.2, tokens=64, target=0.8, quiet=True)
    train(starter_file, out, options, say=lambda line: None)
    return out


@pytest.fixture(scope="session")
def data() -> Iterator[Path]:
    """The folder of public data sets; the test is skipped where there is none."""
    folder = Path(os.environ.get("CASCADE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no public data sets in {folder} (set CASCADE_DATA)")
    yield folder
