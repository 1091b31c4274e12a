"""Ways to make the encoder faster: what stays the same in each, and what is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray

from cascade.bundle import Bundle
from cascade.errors import InputError
from cascade.onnx import session
from cascade.saving import write
from eval import encoder_variants as module
from eval.encoder_graphs import Graph, attention_fused, graphs
from eval.encoder_measured import Measured, Said
from eval.encoder_students import Part, first, parts_of
from eval.encoder_variants import turns, variants
from eval.encoder_weights import encoder_of, weights, window_of
from train.bert import Encoder, pretrained
from train.distil import shortened
from train.export import quantise, to_served_onnx

IDS = [np.asarray([[2, *range(5, 5 + length), 3]]) for length in (3, 20, 60)]


@pytest.fixture(scope="module")
def model(encoder_folder: Callable[[str], Path]) -> Encoder:
    backbone, _, _ = pretrained(str(encoder_folder("bert")))
    torch.manual_seed(0)
    made = Encoder(backbone, 5).eval()
    for parameter in made.parameters():  # equal ones, as before training, are exported as one
        parameter.data += 0.05 * torch.randn_like(parameter)
    torch.nn.init.normal_(made.head.weight, std=1.0)
    return made


@pytest.fixture(scope="module")
def float32(model: Encoder) -> bytes:
    return to_served_onnx(model)


def logits(made: Graph, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.asarray(made.session().run(["logits"], {"input_ids": ids})[0])


# --- weights ---


def test_weights_are_read_back_from_the_model(model: Encoder, float32: bytes) -> None:
    found = weights(float32)
    state = model.state_dict()
    types = "backbone.embeddings.token_type_embeddings.weight"
    assert np.array_equal(found.pop("types")[0], state[types][0].numpy())
    assert found.keys() == state.keys() - {types}
    for name, value in found.items():
        assert np.array_equal(value, state[name].numpy()), name


def test_int8_weights_are_read_back_but_for_their_rounding(model: Encoder, float32: bytes) -> None:
    state = model.state_dict()
    for name, value in weights(quantise(float32)).items():
        if name != "types":
            exact = state[name].numpy()
            assert np.abs(value - exact).max() <= np.abs(exact).max() / 127, name


def test_the_encoder_of_a_bundle_says_what_the_bundle_says(
    reader_bundle: Path, encoder_folder: Callable[[str], Path]
) -> None:
    bundle = Bundle.open(reader_bundle)
    model, window = encoder_of(bundle, str(encoder_folder("bert"))), window_of(bundle)
    served = session(bundle.read("encoder/model.onnx"))
    ids = np.asarray([window("my laptop does not start")])
    with torch.no_grad():
        ours = model(torch.as_tensor(ids)).numpy()
    assert np.abs(served.run(["logits"], {"input_ids": ids})[0] - ours).max() < 0.05


def test_so_does_one_of_fewer_layers(
    reader_bundle: Path, encoder_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    bundle, source = Bundle.open(reader_bundle), str(encoder_folder("bert"))
    short = shortened(encoder_of(bundle, source), 1)
    files = {name: bundle.read(name) for name in bundle.files}
    files["encoder/model.onnx"] = to_served_onnx(short)
    again = encoder_of(write(tmp_path / "short", bundle.manifest, files), source)
    assert len(again.backbone.encoder.layer) == 1
    ids = torch.as_tensor(IDS[1])
    with torch.no_grad():
        assert torch.allclose(again(ids), short(ids), atol=1e-5)


def test_another_encoder_than_the_bundle_was_made_of(reader_bundle: Path) -> None:
    with pytest.raises(InputError, match=r"was not made of .*all-MiniLM-L6-v2"):
        encoder_of(Bundle.open(reader_bundle))


# --- graphs ---


def test_every_graph_says_nearly_the_same(float32: bytes) -> None:
    exact = Graph("float32", float32)
    made = list(graphs(float32, 2, 32, [IDS[1]] * 3))
    names = [graph.name for graph in made]
    assert len(set(names)) == len(names)
    assert {graph.like for graph in made} <= {None, *names}
    for graph in made:
        # The tiny encoder's weights are random: rounding them to 4 bits moves its answers most.
        most = 1.0 if "int4" in graph.name else 0.3 if "int8" in graph.name else 0.02
        for ids in IDS:
            assert np.abs(logits(graph, ids) - logits(exact, ids)).max() < most, graph.name


def test_fused_attention_is_the_same_attention(float32: bytes) -> None:
    fused = Graph("fused", attention_fused(float32, 2))
    assert fused.operators()["MultiHeadAttention"] == 2
    assert "Softmax" not in fused.operators()
    for ids in IDS:
        assert np.allclose(logits(fused, ids), logits(Graph("", float32), ids), atol=1e-5)


def test_only_what_is_left_out_differs_in_the_graph(float32: bytes) -> None:
    int8 = quantise(float32)
    assert "SkipLayerNormalization" in Graph("", int8, left_out=()).operators()
    assert "SkipLayerNormalization" not in Graph("", int8).operators()


# --- figures ---


def test_times_are_medians_of_rounds_that_all_take_part_in(float32: bytes) -> None:
    graph = Graph("", float32).session()
    spent = turns({"one": graph, "other": graph}, IDS[0], rounds=3)
    assert spent.keys() == {"one", "other"}
    assert all(0 < ms < 100 for ms in spent.values())


@pytest.fixture
def measured(reader_bundle: Path, starter_file: Path) -> Measured:
    bundle = Bundle.open(reader_bundle)
    _, gate, test = parts_of(bundle, starter_file)
    return Measured(bundle, gate, test)


def sure(part: Part, classes: int, ms: float) -> Said:
    """Who knows every queue."""
    return Said(np.eye(classes, dtype=np.float32)[part.y] * 9, np.full(len(part.y), ms))


def test_a_cascade_pays_an_encoder_for_the_tickets_that_reach_it(measured: Measured) -> None:
    gate, test = (sure(part, measured.classes, 100.0) for part in (measured.gate, measured.test))
    best, figures = measured.cascade([gate], [test])
    (reached,) = figures["reached"]
    assert reached > 0
    assert figures["cpu_ms"] == pytest.approx(measured.linear_ms + 100 * reached, abs=0.1)
    assert figures["joined_macro_f1"] == 1
    assert (best == measured.test.y).mean() >= reached


def test_an_encoder_is_judged_on_the_tickets_that_it_was_asked_about(measured: Measured) -> None:
    exact = sure(measured.test, measured.classes, 1.0)
    some = Said(-exact.logits[:20], exact.ms[:20])
    figures = measured.alone(some, exact)
    assert figures["largest_logit_difference"] == 18
    assert figures["same_queue"] == 0
    assert figures["against_float32"]["drop"] == 1


def test_the_first_layers_are_those_before_the_others(model: Encoder) -> None:
    kept = first(model, 1).backbone.encoder.layer
    assert len(kept) == 1
    assert torch.equal(
        kept[0].output.dense.weight, model.backbone.encoder.layer[0].output.dense.weight
    )


def test_another_file_than_the_bundle_was_trained_on(reader_bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(
        "subject,body,queue,urgency,sentiment,id\n"
        + "".join(
            f"s{n},text number {n},{'ab'[n % 2]},{'cd'[n % 2]},{'ef'[n % 2]},{n}\n"
            for n in range(60)
        )
    )
    with pytest.raises(InputError, match="is not the file that"):
        parts_of(Bundle.open(reader_bundle), other)


def test_all_of_it(
    reader_bundle: Path,
    starter_file: Path,
    encoder_folder: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(module, "LENGTHS", (8, 16))
    monkeypatch.setattr(module, "ROUNDS", 1)
    two = ("float32", module.SERVED)  # the others have a test of their own
    monkeypatch.setattr(
        module, "graphs", lambda *its: (graph for graph in graphs(*its) if graph.name in two)
    )
    asked = f"{reader_bundle} {starter_file} --passes 1 --layers 1 --rows 10".split()
    options = ["--work", str(tmp_path / "work"), "--encoder", str(encoder_folder("bert"))]
    done = CliRunner().invoke(variants, [*asked, *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    kept = json.loads((tmp_path / "encoder_variants.json").read_text())
    rows = {row["name"]: row for row in kept["results"]}
    assert rows["int8 dynamic"]["mb"] < rows["float32"]["mb"]
    assert rows["int8 dynamic"]["ms"].keys() == {"8", "16"}
    assert rows["float32"]["alone"]["largest_logit_difference"] == 0
    assert rows["int8 dynamic"]["cascade"]["against_served"]["drop"] == 0
    assert "cascade" in rows["1 layers, distilled, then all"]
    assert "| int8 dynamic, at most 32 tokens |" in done.output
    assert len(list((tmp_path / "work").glob("*.safetensors"))) == 2
