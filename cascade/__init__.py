"""ticket-cascade: an on-premises ticket router.

from cascade import Cascade
Cascade.load("bundles/it").route(["cannot log into vpn since this morning"])
"""

from typing import TYPE_CHECKING, Any

from cascade.decision import Decision
from cascade.errors import BundleError, CascadeError, InputError
from cascade.ticket import Ticket

if TYPE_CHECKING:
    from cascade.router import Cascade

__version__ = "0.1.0"
__all__ = ["BundleError", "Cascade", "CascadeError", "Decision", "InputError", "Ticket"]


def __getattr__(name: str) -> Any:
    # Late, so that `cascade --help` does not load ONNX Runtime.
    if name == "Cascade":
        from cascade.router import Cascade

        return Cascade
    raise AttributeError(f"module 'cascade' has no attribute {name!r}")
