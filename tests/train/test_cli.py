"""``cascade train``: every mistake that people make is one line and exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from cascade.cli import main
from cascade.errors import InputError
from train.cli import train
from train.starter import write

Run = Callable[..., "subprocess.CompletedProcess[str]"]
TABLE = b"text,queue\n" + b"".join(
    b"%s ticket %s,%s\n" % (queue, bytes([97 + n]) * 3, queue)
    for n in range(12)
    for queue in (b"bug", b"access")
)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process, where its libraries are loaded already."""

    def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["cascade", *map(str, args)])
        # What the options say of the llm is kept in the environment, for the processes that follow.
        with patch.dict(os.environ), pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(args, ended.value.code, said.out, said.err)

    return run


def one_class(folder: Path) -> Path:
    return put(folder, "one.csv", TABLE.replace(b",access", b",bug"))


def put(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


MISTAKES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no such file": (lambda d: d / "none.csv", "none.csv: no such file"),
    "no such column": (
        lambda d: put(d, "t.csv", TABLE.replace(b"text,", b"body,")),
        "t.csv: no column 'text'; it has 'body', 'queue'",
    ),
    "utf-16": (
        lambda d: put(d, "t.csv", TABLE.decode().encode("utf-16")),
        "t.csv: this is UTF-16, not UTF-8; pass --encoding utf-16",
    ),
    "cp1252": (
        lambda d: put(d, "t.csv", TABLE + "hunter2 Grüße,bug\n".encode("cp1252")),
        "t.csv, line 26: column 'text' is not valid UTF-8",
    ),
    "empty file": (lambda d: put(d, "t.csv", b""), "t.csv: the file is empty"),
    "one class": (one_class, "column 'queue' has one class only, 'bug'"),
}


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_a_mistake_is_one_line_and_exit_code_2(here: Run, tmp_path: Path, mistake: str) -> None:
    assert_told(here, tmp_path, mistake)


def test_a_process_of_its_own_says_no_more(command: Run, tmp_path: Path) -> None:
    assert_told(command, tmp_path, "cp1252")


def assert_told(run: Run, tmp_path: Path, mistake: str) -> None:
    make, message = MISTAKES[mistake]
    path = make(tmp_path)
    args = ("--text", "text", "--label", "queue", "--out", tmp_path / "it", "--minutes", "0")
    done = run("train", path, *args, "--quiet")
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"cascade: {tmp_path}")
    assert message in line
    assert "hunter2" not in line
    assert not (tmp_path / "it").exists()


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["t.csv", "--label", "queue", "--out", "it"],
        ["t.csv", "--text", "text", "--label", "queue"],
        ["t.csv", "--text", "t", "--label", "queue", "--out", "it", "--minutes", "-1"],
        ["t.csv", "--text", "t", "--label", "queue", "--out", "it", "--also", "queue"],
        ["t.csv", "--text", "t", "--label", "team", "--out", "it", "--also", "team"],
        ["t.csv", "--text", "t", "--label", "queue", "--out", "it", "--min-rows", "1"],
        ["t.csv", "--text", "t", "--label", "queue", "--out", "it", "--queues", "none.toml"],
        [
            *[
                "t.csv",
                "--text",
                "t",
                "--label",
                "queue",
                "--out",
                "it",
                "--minutes",
                "0",
                "--llm",
                "http://10.0.0.5/v1",
            ]
        ],
    ],
)
def test_options_that_make_no_sense_are_exit_code_2(args: list[str]) -> None:
    result = CliRunner().invoke(train, args)
    assert result.exit_code == 2
    assert "Error: " in result.output


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--llm", "http://8.8.8.8/v1"], "neither loopback nor private"),
        (["--llm", "http://127.0.0.1:9/v1"], "http://127.0.0.1:9/v1: the LLM server is down"),
        (["--llm", "http://10.0.0.5/v1", "--llm-dialect", "x"], "there is no dialect 'x'"),
        (["--llm-model", "qwen3:4b"], "CASCADE_LLM_MODEL=qwen3:4b: no such folder"),
    ],
)
def test_an_llm_that_cannot_be_used_is_known_before_anything_is_read(
    here: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: list[str], message: str
) -> None:
    args = ("--text", "text", "--label", "queue", "--out", tmp_path / "it", *flags)
    monkeypatch.setenv("CASCADE_LLM_STORE", str(tmp_path / "answers"))
    done = here("train", tmp_path / "no-such-file.csv", *args)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("cascade: ")
    assert message in line


def test_ctrl_c_while_fine_tuning_says_how_to_go_on(
    tmp_path: Path, encoder_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "t.csv", 120, seed=61)

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("train.encoder._Run.step", stop)
    monkeypatch.setattr("train.few.FEW", 0)  # else it would be stopped in the trial of ways
    args = ["--text", "subject", "--text", "body", "--label", "queue", "--quiet"]
    args += ["--encoder", str(encoder_folder("bert")), "--out", str(tmp_path / "it")]
    result = CliRunner().invoke(train, [str(tmp_path / "t.csv"), *args])
    assert result.exit_code == 130
    assert "stopped; the same command goes on from here" in result.stderr
    assert (tmp_path / ".it.checkpoint.safetensors").is_file()


def test_ctrl_c_before_that_says_that_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("train.fit.read_table", stop)
    args = ["t.csv", "--text", "text", "--label", "queue", "--out", str(tmp_path / "it")]
    result = CliRunner().invoke(train, args)
    assert result.exit_code == 130
    assert "stopped; nothing is kept" in result.stderr


def test_help_loads_no_training_library(command: Run) -> None:
    code = (
        "import sys\nfrom cascade.cli import main\nsys.argv = ['cascade', 'train', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('LOADED', sorted({'torch', 'sklearn', 'onnxruntime'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "LOADED []" in done.stdout
    assert "--encoder" in done.stdout


def test_a_target_that_is_none_is_told_before_anything_is_read() -> None:
    args = ["t.csv", "--text", "t", "--label", "queue", "--out", "it", "--target", "1.5"]
    result = CliRunner().invoke(train, args)
    assert isinstance(result.exception, InputError)
    assert "write precision>=0.95" in str(result.exception)
