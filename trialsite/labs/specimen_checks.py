"""Whether the specimen that a printout names is one of this person; an app above says it.

A hospital prints accession numbers of its own, which nobody here can know: whoever registers
decides which identifiers are its own and what speaks against one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping

#: Subject and identifiers -> what speaks against them, in the present language; an identifier
#: that is right, or not known to be wrong, is not in the answer. A constant number of queries.
SpecimenCheck = Callable[[uuid.UUID, Collection[str]], Mapping[str, str]]

specimen_checks: list[SpecimenCheck] = []


def register_specimen_check(check: SpecimenCheck) -> SpecimenCheck:
    """Have a check asked about every identifier that rows of lab results state."""
    specimen_checks.append(check)
    return check


def specimen_warnings(subject_id: uuid.UUID, refs: Collection[str]) -> Mapping[str, str]:
    """What speaks against these identifiers, by the identifier; nothing is refused by it."""
    found: dict[str, str] = {}
    if refs:
        for check in specimen_checks:
            found = {**check(subject_id, refs), **found}
    return found
