"""Who runs what when the suite is shared by several processes (pytest-xdist).

A module stays in one process, for it shares what it sets up. What takes long although it has
few tests comes first, or its process would be the last to work while the others are idle. The
browser tests are one unit: one browser and one server of theirs at a time, so that they do not
take the machine from each other.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

BROWSER = "tests/e2e"
#: Longest first; the rest follows by its number of tests.
FIRST = (BROWSER, "tests/faults/", "tests/launcher/", "tests/demo/", "tests/deployment/")


class LongestFirst(LoadScopeScheduling):  # type: ignore[misc]
    """Modules as units, those that are known to take long before all others."""

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER if nodeid.startswith(f"{BROWSER}/") else nodeid.partition("::")[0]

    def _assign_work_unit(self, node: Any) -> None:
        """The next unit is the one that is known to take longest."""
        self.workqueue.move_to_end(min(self.workqueue, key=self._rank), last=False)
        super()._assign_work_unit(node)

    def _rank(self, unit: str) -> int:
        return next((n for n, part in enumerate(FIRST) if unit.startswith(part)), len(FIRST))
