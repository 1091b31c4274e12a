"""What is done to a block of rows, and how blocks travel."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cascade.batch.block import SCHEMA, Block, Scored, answer, score_block
from cascade.batch.columns import output_columns
from cascade.batch.tables import Format
from cascade.router import Cascade

Build = Callable[..., Cascade]
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
shares = st.floats(0, 1)


def rows(*given: tuple[int, str | None, str | None, str | None]) -> pa.RecordBatch:
    return pa.record_batch([list(its) for its in zip(*given, strict=True)], schema=SCHEMA)


def test_good_rows_are_decided_and_bad_ones_listed(fake_cascade: Build) -> None:
    cascade = fake_cascade(("linear", 0.8, 0.7))
    columns, bad, settled = score_block(
        cascade,
        rows((2, "A", "a bug", None), (3, None, None, "empty text"), (4, None, "billing", None)),
    )
    assert list(columns) == output_columns(cascade.heads)
    assert columns["id"] == ["A", None]
    assert columns["line"] == [2, 4]
    assert columns["queue"] == ["bug", "billing"]
    assert bad == [(3, "empty text")]
    assert settled == {"linear": 2}


def test_the_outcome_of_rows_is_that_of_their_blocks(fake_cascade: Build) -> None:
    """Where a block ends changes no decision."""
    cascade = fake_cascade(("linear", 0.8, 0.85), ("encoder", 0.9, 0.85))
    many = rows(*((n, str(n), ("a bug", "access", "?")[n % 3], None) for n in range(10)))
    whole, _, _ = score_block(cascade, many)
    for at in range(11):
        first, _, _ = score_block(cascade, many[:at])
        second, _, _ = score_block(cascade, many[at:])
        assert {name: first[name] + second[name] for name in whole} == whole


def test_an_empty_block_has_no_bytes(fake_cascade: Build) -> None:
    cascade = fake_cascade(("linear", 0.8, 0.7))
    for kind in ("CSV", "JSONL", "Parquet"):
        block = Block(0, 1.0, True, Format(kind), pa.record_batch([[]] * 4, schema=SCHEMA))
        assert answer(cascade, block) == Scored(0, 1.0, True, 0, [], {}, b"")


@given(
    st.lists(st.tuples(st.integers(1, 2**40), texts, texts, texts)),
    st.integers(0, 10**6),
    shares,
    st.booleans(),
)
def test_a_block_arrives_as_it_was_sent(
    given: list[tuple[int, str | None, str | None, str | None]], job: int, share: float, last: bool
) -> None:
    sent = Block(
        job, share, last, Format("CSV", True), rows(*given) if given else rows((1, *[None] * 3))
    )
    assert Block.from_bytes(sent.to_bytes()) == sent


@given(
    st.lists(st.tuples(st.integers(1, 2**40), st.text())),
    st.dictionaries(st.text(), st.integers(0)),
    st.binary(),
    shares,
)
def test_what_came_of_it_arrives_as_it_was_sent(
    bad: list[tuple[int, str]], settled: dict[str, int], data: bytes, share: float
) -> None:
    sent = Scored(3, share, False, 256, bad, settled, data)
    assert Scored.from_bytes(sent.to_bytes()) == sent
