"""Starter data: English support tickets for six queues, made by a grammar, to begin with.

A company that has no labelled tickets yet can train, look at and load-test a bundle with these,
before its own arrive. See :func:`generate` for what is in them.
"""

from train.starter.tickets import COLUMNS, QUEUES, StarterTicket, generate, write

__all__ = ["COLUMNS", "QUEUES", "StarterTicket", "generate", "write"]
