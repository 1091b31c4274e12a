"""Memory that a dropped cascade leaves behind goes back to the system, with glibc's help.

By itself glibc gives each thread a heap, and takes large blocks from them, too, as soon as large
ones come and go. What stays of a cascade that was dropped then lies scattered over all of them:
two workers with a bundle of 77 queues, asked by 8 clients, grew from 505 to 655 MiB in 25 changes
of bundle. So they have one heap, and large blocks apart from it, and stay between 497 and 514 MiB
over 50 changes (eval/results/service_swaps.json). The heap's lock costs nothing
that could be measured (2.6 to 3.6 ms of CPU a request in either way): Python's own lock is held
where most blocks are asked for. Where the C library is another one nothing is done.
"""

from __future__ import annotations

import ctypes
import gc

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""Their names in malloc.h."""
LARGE = 1 << 20
"""Bytes from which on a block is mapped on its own and unmapped when it is freed."""


def use_one_heap() -> None:
    """To be called before there are threads; those that have a heap of their own keep it."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE)


def give_back() -> None:
    """To be called when something large was dropped; takes some 0.1 s."""
    gc.collect()
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim:
        malloc_trim(0)
