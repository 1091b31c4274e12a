"""Calls a function in a fresh process, which owes nothing to the one that measures.

Not its memory, its hash seed, its imports or its threads. Arguments go in by stdin and the result
comes back by stdout, both JSON: tickets are neither on a disk nor in the list of processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from cascade.errors import CascadeError

ROOT = Path(__file__).parents[1]


def call(function: Callable[..., Any], *, hash_seed: int | None = None, **given: Any) -> Any:
    """What a function returns when a fresh process calls it.

    Args:
        function: at the top of a module.
        hash_seed: of strings in that process, on which the order of sets depends; None for one
            drawn at random.
        given: its arguments, of JSON types.

    Raises:
        CascadeError: the function raised one, or the process died.
    """
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PYTHONHASHSEED": "random" if hash_seed is None else str(hash_seed),
    }
    job = {"module": function.__module__, "function": function.__name__, "given": given}
    # -P: whatever lies in the current folder is not imported.
    done = subprocess.run(
        [sys.executable, "-P", "-m", "eval.child"],
        input=json.dumps(job),
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CascadeError(f"a process that measures ended with code {done.returncode}")
    told = json.loads(done.stdout)
    if "error" in told:
        raise CascadeError(told["error"])
    return told["result"]


def main() -> None:
    """Do the job on stdin."""
    job = json.load(sys.stdin)
    try:
        function = getattr(import_module(job["module"]), job["function"])
        told = {"result": function(**job["given"])}
    except CascadeError as error:
        told = {"error": str(error)}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
