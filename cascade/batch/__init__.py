"""Scoring files: a stream of tickets to a stream of decisions, in flat memory.

``jobs`` reads files as blocks of rows, an engine (`cascade.engines`) has each of them scored by
``block``, ``run`` writes what comes back, in order, into ``tables``, and notes in a ``journal`` how
far it is. Nothing here depends on who scores, so the bytes are the same for every engine.
"""

from cascade.batch.columns import COLUMNS, output_columns

__all__ = ["COLUMNS", "output_columns"]
