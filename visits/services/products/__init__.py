"""The cell product: lots, what sites do with them, what is loaded for a session."""

from __future__ import annotations

from visits.selectors.products import scanned
from visits.services.products.loading import (
    LoadFacts,
    confirm_load,
    judge_thawing,
    load_product,
    void_load,
    void_loads,
)
from visits.services.products.lots import (
    ALERT,
    RELEASE_MEANING,
    RELEASED,
    LotFacts,
    TestFacts,
    close_lot,
    correct_lot,
    quarantine_lot,
    recall_lot,
    record_test,
    register_lot,
    release_lot,
    release_problems,
    void_test,
)
from visits.services.products.stock import (
    MovementFacts,
    destroy_units,
    receive_units,
    return_units,
    void_movement,
)

__all__ = [
    "ALERT",
    "RELEASED",
    "RELEASE_MEANING",
    "LoadFacts",
    "LotFacts",
    "MovementFacts",
    "TestFacts",
    "close_lot",
    "confirm_load",
    "correct_lot",
    "destroy_units",
    "judge_thawing",
    "load_product",
    "quarantine_lot",
    "recall_lot",
    "receive_units",
    "record_test",
    "register_lot",
    "release_lot",
    "release_problems",
    "return_units",
    "scanned",
    "void_load",
    "void_loads",
    "void_movement",
    "void_test",
]
