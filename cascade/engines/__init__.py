"""Engines: who scores the blocks of a run. See `cascade.batch.run.Engine`."""
