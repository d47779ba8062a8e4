"""Reads over laboratories, draws and results."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import DateTimeField, F, Func, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Least

from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.labs.codes import Sex
from trialsite.labs.facts import LabFact
from trialsite.labs.models import (
    Laboratory,
    LabPanel,
    LabResult,
    PurificationInterval,
    ReferenceRange,
    digits,
)
from trialsite.protocol import Protocol
from trialsite.protocol.labs import Analyte, Labs

_HOUR = Decimal(3600)
#: Printed numbers are never finer than this, and a range is never compared finer.
_FINE = Decimal(1).scaleb(-12)


class AtZone(Func):
    """A wall's clock, and the zone it hung in, as a moment."""

    template = "(%(expressions)s)"
    arg_joiner = " AT TIME ZONE "
    output_field = DateTimeField()


def _ended(moment: str) -> Subquery:
    """The end of the last purification begun before a moment: the moment itself, if during."""
    begun = PurificationInterval.objects.filter(
        subject_id=OuterRef("subject_id"), voided_at=None
    ).annotate(
        begin=AtZone("started_at", "time_zone"),
        end=Least(Coalesce(AtZone("ended_at", "time_zone"), OuterRef(moment)), OuterRef(moment)),
    )
    return Subquery(begun.filter(begin__lte=OuterRef(moment)).order_by("-end").values("end")[:1])


def standing_results() -> QuerySet[Any]:
    """Results that count, each with the moment it was drawn and the end of what purified
    the blood before: neither voided themselves nor on a voided record."""
    return (
        LabResult.objects.filter(voided_at=None, panel__record__voided_at=None)
        .annotate(drawn=AtZone("panel__collected_at", "panel__time_zone"))
        .annotate(purified=_ended("drawn"))
        .select_related("panel__laboratory")
    )


def lab_facts(subject: Subject, analytes: Iterable[str] | None = None) -> list[LabFact]:
    """The subject's standing results with a known time, the newest first; one query.

    Voided records and results count nowhere; missing results are there with their reason.
    """
    rows = standing_results().filter(subject_id=subject.pk, panel__collected_at__isnull=False)
    if analytes is not None:
        rows = rows.filter(analyte__in=list(analytes))
    return [fact_of(row) for row in rows.order_by("-drawn", "analyte", "pk")]


def fact_of(result: Any) -> LabFact:
    """A row of `standing_results` as plain data."""
    panel = result.panel
    low, high = limits_in_unit(result)
    return LabFact(
        result_id=result.pk,
        record_id=result.panel_id,
        draw=result.panel_id,
        analyte=result.analyte,
        text=result.text,
        comparator=result.comparator,
        value=plain(result.value),
        unit=result.unit,
        canonical=plain(result.canonical),
        canonical_unit=result.canonical_unit,
        laboratory=panel.laboratory.code if panel.laboratory else "",
        collected_at=result.drawn,
        low=low,
        high=high,
        hours_since_purification=hours_between(result.purified, result.drawn),
        routine_care=panel.routine_care,
        missing=result.missing,
    )


def plain(number: Decimal | None) -> Decimal | None:
    """A stored number without the zeros its column adds."""
    return None if number is None else Decimal(digits(number))


def hours_between(earlier: dt.datetime | None, later: dt.datetime | None) -> Decimal | None:
    """Hours to a tenth, rounded down: what is within a lag is never shown beyond it."""
    if earlier is None or later is None:
        return None
    seconds = Decimal(int((later - earlier).total_seconds()))
    return (seconds * 10 / _HOUR).to_integral_value(rounding="ROUND_FLOOR") / 10


def limits_in_unit(result: LabResult) -> tuple[Decimal | None, Decimal | None]:
    """The range's copy in the unit reported, whatever unit the laboratory states it in."""
    low, high = plain(result.range_low), plain(result.range_high)
    if result.range_unit == result.unit or not result.factor or not result.range_factor:
        return low, high
    ratio = Fraction(result.range_factor) / Fraction(result.factor)
    return _times(low, ratio), _times(high, ratio)


def _times(limit: Decimal | None, ratio: Fraction) -> Decimal | None:
    if limit is None:
        return None
    exact = Fraction(limit) * ratio
    return plain((Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(_FINE))


def analyte_of(key: str, labs: Labs) -> Analyte | None:
    """The analyte in a protocol's lab section, if it is there."""
    return next((analyte for analyte in labs.analytes if analyte.key == key), None)


def range_for(
    laboratory: Laboratory, analyte: str, sex: str, age: int | None, on: dt.date
) -> ReferenceRange | None:
    """The laboratory's range for this analyte and person on a day.

    Without a known sex only a range for everybody fits; without a known age only one for
    every age.
    """
    return ranges_on(laboratory.pk, sex=sex, age=age, on=on, analytes=[analyte]).get(analyte)


def ranges_on(
    laboratory_id: uuid.UUID,
    *,
    sex: str,
    age: int | None,
    on: dt.date,
    analytes: Iterable[str] | None = None,
) -> dict[str, ReferenceRange]:
    """The same for many analytes: one query."""
    rows = ReferenceRange.objects.filter(
        laboratory_id=laboratory_id, voided_at=None, valid__contains=on
    )
    rows = rows.filter(sex__in=[Sex.ALL, sex] if sex else [Sex.ALL])
    if age is None:
        rows = rows.filter(age_from=0, age_below=None)
    else:
        rows = rows.filter(Q(age_below=None) | Q(age_below__gt=age), age_from__lte=age)
    if analytes is not None:
        rows = rows.filter(analyte__in=list(analytes))
    return {row.analyte: row for row in rows}


def previous_facts(
    facts: Iterable[LabFact], *, record_id: uuid.UUID, before: dt.datetime | None
) -> dict[str, LabFact]:
    """Of each analyte the last fact with a value before this draw, among facts newest first."""
    found: dict[str, LabFact] = {}
    for fact in facts:
        earlier = before is None or fact.collected_at < before
        if fact.record_id != record_id and earlier and fact.value is not None:
            found.setdefault(fact.analyte, fact)
    return found


def last_units(laboratory_id: uuid.UUID | None) -> Mapping[str, str]:
    """The unit in which a laboratory last reported each analyte; one query."""
    if laboratory_id is None:
        return {}
    rows = (
        LabResult.objects.filter(panel__laboratory_id=laboratory_id, voided_at=None)
        .exclude(unit="")
        .order_by("analyte", F("panel__collected_at").desc(nulls_last=True), "pk")
        .distinct("analyte")
        .values_list("analyte", "unit")
    )
    return dict(rows)


def panel_of(record: CrfRecord) -> tuple[LabPanel | None, dict[str, LabResult]]:
    """A record's draw and its standing results by analyte; two queries."""
    panel = LabPanel.objects.select_related("laboratory").filter(pk=record.pk).first()
    if panel is None:
        return None, {}
    rows = LabResult.objects.filter(panel=panel, voided_at=None)
    return panel, {row.analyte: row for row in rows}


def analytes_of(protocol: Protocol, panels: Iterable[str]) -> list[str]:
    """The analytes of some of the protocol's lab panels, each once, in the order of the panels."""
    chosen = set(panels)
    keys: dict[str, None] = {}
    for panel in protocol.labs.panels:
        if panel.key in chosen:
            keys |= dict.fromkeys(panel.analytes)
    return list(keys)


def panels_of_visit(record: CrfRecord) -> tuple[str, ...]:
    """The lab panels that the protocol expects at the record's visit."""
    if record.visit is None:
        return ()
    schedule = protocol_of(record.protocol_version_id).schedule
    return schedule.event(record.visit.event_oid).lab_panels


def panels_open(record: CrfRecord) -> list[str]:
    """The visit's panels that no other draw of the visit was for; what the draw starts with."""
    expected = panels_of_visit(record)
    if not expected:
        return []
    others = LabPanel.objects.filter(record__visit=record.visit, record__voided_at=None).exclude(
        pk=record.pk
    )
    taken = {key for panels in others.values_list("panels", flat=True) for key in panels}
    return [key for key in expected if key not in taken]


def as_routine(fact: LabFact, consented_at: dt.datetime | None) -> LabFact:
    """The fact marked as routine care where it was drawn before consent (decisions C3)."""
    if consented_at is None or fact.collected_at < consented_at:
        return replace(fact, routine_care=True)
    return fact


def labs_of(user: Any) -> QuerySet[Laboratory]:
    """The laboratories of the sites whose casebooks this person may see."""
    return Laboratory.objects.visible_to(user).select_related("site").order_by("site__code", "code")
