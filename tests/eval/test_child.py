"""Functions called in a fresh process."""

from __future__ import annotations

import os

import pytest

from cascade.errors import CascadeError, InputError
from eval.child import call


def whereabouts(texts: list[str]) -> dict[str, object]:
    """Where this ran, and what it was given."""
    return {"process": os.getpid(), "seed": os.environ["PYTHONHASHSEED"], "texts": texts}


def refuses() -> None:
    raise InputError("b.csv: no such file")


def dies() -> None:
    os._exit(3)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fresh process finds this module by its name, as it does those of the package."""
    here = os.path.dirname(__file__)  # noqa: PTH120  (a string is what the variable takes)
    monkeypatch.setenv("PYTHONPATH", here)
    for function in (whereabouts, refuses, dies):
        monkeypatch.setattr(function, "__module__", "test_child")


def test_it_runs_elsewhere_with_what_it_is_given() -> None:
    told = call(whereabouts, hash_seed=7, texts=["vpn ☎ down", ""])
    assert told["process"] != os.getpid()
    assert told["seed"] == "7"
    assert told["texts"] == ["vpn ☎ down", ""]


def test_an_error_for_the_user_comes_back_as_one() -> None:
    with pytest.raises(CascadeError, match=r"^b\.csv: no such file$"):
        call(refuses)


def test_a_process_that_dies_is_an_error_without_a_guess_at_its_reason() -> None:
    with pytest.raises(CascadeError, match="ended with code 3"):
        call(dies)
