"""What people say of a specimen beside its times."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from samples.models import Specimen
from samples.services.refusing import sample_refusals

#: Empty is how these say nothing.
_TEXTS = ("draw_site", "urine_method", "dipstick", "remark")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenFacts:
    """What people say of a specimen beside its times; None says nothing.

    `unsaid` names what was said in error and is left open again.
    """

    amount: Decimal | None = None
    draw_site: str | None = None
    fasting: bool | None = None
    on_ice: bool | None = None
    bristol: int | None = None
    blood_seen: bool | None = None
    laxatives: bool | None = None
    antibiotics: bool | None = None
    urine_method: str | None = None
    dipstick: str | None = None
    centrifuge_g: int | None = None
    centrifuge_minutes: int | None = None
    centrifuge_celsius: int | None = None
    centrifuge_brake: bool | None = None
    kept_cool: bool | None = None
    remark: str | None = None
    unsaid: frozenset[str] = frozenset()

    @property
    def said(self) -> dict[str, Any]:
        """What is said, by column."""
        every = {each.name: getattr(self, each.name) for each in fields(self)}
        every |= {name: "" if name in _TEXTS else None for name in every.pop("unsaid")}
        return {
            name: value for name, value in every.items() if value is not None or name in self.unsaid
        }


#: Each of them by its column.
FACTS = frozenset(each.name for each in fields(SpecimenFacts)) - {"unsaid"}


def describe(specimen: Specimen, facts: SpecimenFacts) -> None:
    """Write what is said of a specimen, under its lock; nothing said changes nothing."""
    said = facts.said
    if not said:
        return
    changed = Specimen.objects.get(pk=specimen.pk)
    for name, value in said.items():
        setattr(changed, name, value)
    changed.version += 1
    with sample_refusals(Specimen):
        changed.save(update_fields=[*said, "version"])
