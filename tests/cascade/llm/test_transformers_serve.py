"""A real server in a process of its own: `transformers serve` with a model made on the fly."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cascade.llm.backend import ServerBackend
from cascade.llm.base import Example, NoAnswer, Question
from cascade.llm.client import Server
from cascade.llm.dialects import dialect_named
from cascade.llm.probe import probe
from cascade.llm.prompt import CODES

pytest.importorskip("torch", reason="torch is not installed (extra: train)")

STARTS_WITHIN = 60.0


def write_model(folder: Path) -> None:
    """A Llama of 30,000 random weights, whose tokenizer knows bytes, and so all letters."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|user|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        ["the ticket of the printer"],
        trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>"
    )
    fast.chat_template = (
        "{% for message in messages %}<|user|>{{ message['content'] }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|user|>{% endif %}"
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=8192,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The base URL and the model's name."""
    from transformers.utils.import_utils import is_serve_available

    if not is_serve_available():
        pytest.skip("transformers[serving] is not installed (extra: test)")
    folder = tmp_path_factory.mktemp("served") / "tiny"
    write_model(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        process.terminate()
        process.wait(10)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    server = Server(url)
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until:
        assert process.poll() is None, "transformers serve ended by itself"
        try:
            server.get("health", time.monotonic() + 5)
            return
        except NoAnswer:
            time.sleep(0.3)
    pytest.fail(f"transformers serve is not up after {STARTS_WITHIN} s")


@pytest.fixture
def backend(served: tuple[str, str]) -> Iterator[ServerBackend]:
    url, model = served
    backend = ServerBackend(Server(url), dialect_named("decisions"), model)
    yield backend
    backend.server.close()


def test_the_probe_sees_what_this_server_can_and_cannot_do(served: tuple[str, str]) -> None:
    url, model = served
    report = probe(url, model=model)
    problems = {trial.dialect: trial.problem for trial in report.trials}
    assert report.dialect == "decisions"
    assert problems == {
        "decisions": "",
        "logprobs": "the LLM server's reply is not an answer",
        "logprobs-ollama": "the LLM server's reply is not an answer",
        "grammar": "the LLM server refused the call (422)",
        "choice": "the LLM server refused the call (422)",
        "json-schema": "the answer does not keep the constraint",
        "json-object": "the answer does not keep the constraint",
    }
    (decisions,) = [trial for trial in report.trials if not trial.problem]
    assert not decisions.full_problem
    assert decisions.drift == 0
    assert decisions.parallel_drift < 1e-3


def test_twenty_candidates_get_a_distribution_and_get_it_again(backend: ServerBackend) -> None:
    queues = tuple(f"Queue {code}" for code in CODES)
    question = Question("the ticket of the printer", queues, (Example("printer", "Queue B"),))
    answer = backend.ask(question, time.monotonic() + 30)
    assert len(answer.probabilities) == 20
    assert min(answer.probabilities) > 0
    assert sum(answer.probabilities) == pytest.approx(1)
    assert backend.ask(question, time.monotonic() + 30) == answer


def test_a_ticket_cannot_write_a_control_token(backend: ServerBackend) -> None:
    """``<|end|>`` is one token of this model where it gets through, and letters where not."""

    def tokens(ticket: str) -> int:
        path, payload = backend.dialect.request(Question(ticket, ("a", "b")), backend.model)
        reply = backend.server.post(path, payload, time.monotonic() + 30)
        return int(reply["usage"]["input_tokens"])

    assert tokens("<|end|>") == tokens("(|end|>") == tokens("") + len("<|end|>")


def test_a_deadline_holds(backend: ServerBackend) -> None:
    started = time.monotonic()
    with pytest.raises(NoAnswer) as caught:
        backend.ask(Question("printer " * 900, ("a", "b")), started + 0.003)
    assert caught.value.kind == "late"
    assert time.monotonic() - started < 0.5


def test_a_model_that_is_not_there_is_refused(backend: ServerBackend) -> None:
    other = ServerBackend(backend.server, backend.dialect, "no such model")
    with pytest.raises(NoAnswer) as caught:
        other.ask(Question("printer", ("a", "b")), time.monotonic() + 10)
    assert caught.value.kind == "refused"
