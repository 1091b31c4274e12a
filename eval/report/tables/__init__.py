"""The tables of a report, each from its part of the record."""

from eval.report.tables.costs import (
    cost_table,
    http_table,
    main_table,
    peer_table,
    promise_table,
    stage_table,
)
from eval.report.tables.learning import curve_table, in_context_table, stability_table
from eval.report.tables.weaknesses import mistake_tables, slice_tables, stress_table

__all__ = [
    "cost_table",
    "curve_table",
    "http_table",
    "in_context_table",
    "main_table",
    "mistake_tables",
    "peer_table",
    "promise_table",
    "slice_tables",
    "stability_table",
    "stage_table",
    "stress_table",
]
