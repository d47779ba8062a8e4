"""How much is measured: everything, or with BENCH_SMALL just enough to see that it works."""

from __future__ import annotations

import os

SMALL = bool(os.environ.get("BENCH_SMALL"))


def sized(full: int, small: int) -> int:
    """The size of a run."""
    return small if SMALL else full
