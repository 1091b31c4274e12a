"""``python -m eval.bench``: as ``cascade bench``, from a checkout."""

from cascade.errors import CascadeError
from eval.bench.cli import bench

try:
    bench(prog_name="bench")
except CascadeError as error:
    raise SystemExit(f"eval.bench: {error}") from None
