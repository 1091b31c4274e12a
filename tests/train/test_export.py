"""Export: ONNX says what PyTorch says, and int8 is taken only where it costs next to nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tokenizers import Tokenizer

from cascade.clean import clean
from cascade.stages.base import Heads
from cascade.stages.encoder import EncoderStage, TokenWindow
from train import export as module
from train.bert import Encoder, pretrained
from train.export import Exported, export
from train.starter import generate

HEADS: Heads = {"queue": ("a", "b", "c"), "urgency": ("low", "high")}
TEXTS = [clean(f"{t.subject}\n{t.body}") for t in generate(40, seed=41)] + ["", "vpn"]

Folder = Callable[[str], Path]


class Case:
    """An encoder of random weights, and what was exported of it."""

    def __init__(self, folder: Path) -> None:
        backbone, tokenizer, _ = pretrained(str(folder))
        torch.manual_seed(0)
        self.model = Encoder(backbone, 5)
        # Larger than at the start of training, so that the answers differ from text to text.
        torch.nn.init.normal_(self.model.head.weight, std=1.0)
        self.window = TokenWindow(Tokenizer.from_str(tokenizer), 64, 0.75)
        with torch.no_grad():
            self.model.head.bias -= self._scores().mean(0)
            self.scores = self._scores()
        self.labels = self.scores[:, :3].argmax(dim=1).numpy()

    def _scores(self) -> torch.Tensor:
        self.model.eval()
        return torch.cat([self.model(torch.tensor([self.window(text)])) for text in TEXTS])

    def export(self) -> Exported:
        return export(self.model, self.window, HEADS, TEXTS, self.labels)


@pytest.fixture(scope="module", params=["bert", "distilbert", "roberta"])
def case(request: pytest.FixtureRequest, encoder_folder: Folder) -> Case:
    return Case(encoder_folder(request.param))


@pytest.fixture(scope="module")
def float32(case: Case) -> bytes:
    return module.to_served_onnx(case.model)


def test_onnx_says_what_pytorch_says(case: Case, float32: bytes) -> None:
    out = EncoderStage(float32, case.window, HEADS).predict(TEXTS)
    for name, scores in (("queue", case.scores[:, :3]), ("urgency", case.scores[:, 3:])):
        expected = scores.softmax(-1).numpy()
        assert np.abs(out[name] - expected).max() < 1e-4
        assert np.array_equal(out[name].argmax(axis=1), expected.argmax(axis=1))
    assert len(set(case.labels.tolist())) > 1, "else the argmax would show nothing"


def test_any_number_of_tokens_runs(case: Case, float32: bytes) -> None:
    stage = EncoderStage(float32, case.window, HEADS)
    for length in (2, 3, 16, 63, 64, 78):
        ids = np.arange(5, 5 + length)[None]
        (logits,) = stage._session.run(["logits"], {"input_ids": ids})
        with torch.no_grad():
            expected = case.model(torch.from_numpy(ids)).numpy()
        assert np.abs(logits - expected).max() < 1e-3


def test_the_graph_is_one_file_of_ids_in_scores_and_features_out(float32: bytes) -> None:
    graph = onnx.load_from_string(float32).graph
    assert [value.name for value in graph.input] == ["input_ids"]
    assert [value.name for value in graph.output] == ["logits", "features"]
    assert all(array.data_location == onnx.TensorProto.DEFAULT for array in graph.initializer)


def test_int8_is_taken_where_it_costs_next_to_nothing(
    case: Case, float32: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INT8_COST", 1.0)
    exported = case.export()
    assert exported.precision == "int8"
    kinds = {node.op_type for node in onnx.load_from_string(exported.model).graph.node}
    assert kinds & {"MatMulInteger", "DynamicQuantizeMatMul", "QGemm"}
    assert len(exported.model) < 0.9 * len(float32)
    assert exported.notes["onnx_torch_largest_difference"] < module.AGREE
    same = exported.notes["int8_same_queue"]
    assert isinstance(same, float)
    assert same > 0.8


def test_float32_is_kept_where_int8_costs_too_much(
    encoder_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INT8_COST", -2.0)
    case = Case(encoder_folder("bert"))
    exported = case.export()
    assert exported.precision == "float32"
    stage = EncoderStage(exported.model, case.window, HEADS)
    assert np.array_equal(stage.predict(TEXTS)["queue"].argmax(axis=1), case.labels)


def test_the_cost_of_int8_is_measured_on_the_labels(
    encoder_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quantiser that spoils the model is found out, and the model stays float32."""

    def spoil(model: bytes) -> bytes:
        graph = onnx.load_from_string(model)
        (bias,) = (array for array in graph.graph.initializer if list(array.dims) == [5])
        always_c = np.asarray([0, 0, 1e3, 0, 0], dtype=np.float32)
        bias.CopyFrom(onnx.numpy_helper.from_array(always_c, bias.name))
        return bytes(graph.SerializeToString())

    monkeypatch.setattr(module, "quantise", spoil)
    exported = Case(encoder_folder("bert")).export()
    assert exported.precision == "float32"
    cost = exported.notes["int8_macro_f1_cost"]
    assert isinstance(cost, float)
    assert cost > 0.2


def test_an_export_that_disagrees_is_a_fault(
    encoder_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(encoder_folder("bert"))
    wrong = Case(encoder_folder("bert"))
    torch.nn.init.normal_(wrong.model.head.weight, std=2.0)
    other = module.to_served_onnx(wrong.model)
    monkeypatch.setattr(module, "to_served_onnx", lambda model: other)
    with pytest.raises(RuntimeError, match="ONNX and PyTorch differ by"):
        case.export()


def test_the_log_level_of_others_is_left_alone(float32: bytes) -> None:
    before = logging.getLogger().level
    module.quantise(float32)
    assert logging.getLogger().level == before
