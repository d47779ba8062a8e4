"""What people say of a specimen beside its times."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from samples.models import Specimen
from samples.services.refusing import sample_refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenFacts:
    """What people say of a specimen beside its times; None says nothing."""

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
    remark: str | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What is said, by column."""
        every = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in every.items() if value is not None}


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
