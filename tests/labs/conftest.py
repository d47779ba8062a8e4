"""Laboratories with ranges, and panels to enter."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import Cast, as_person, given, make_protocol, make_record, make_subject
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.labs.entry import read_panel
from trialsite.labs.models import Laboratory, ReferenceRange
from trialsite.labs.services.panels import SavedPanel, save_panel
from trialsite.protocol import Protocol, load, study_path

#: The header of a draw that is complete.
DRAW = {
    "laboratory": "CENTRAL",
    "collected_at": "2026-03-05T07:30",
    "received_at": "2026-03-05T08:10",
    "specimen": "SERUM",
}


@given
def make_laboratory(site: Site, code: str = "CENTRAL", **fields: Any) -> Laboratory:
    return Laboratory.objects.create(site=site, code=code, name=f"Laboratory {code}", **fields)


@given
def make_range(
    laboratory: Laboratory,
    analyte: str,
    low: str | None,
    high: str | None,
    unit: str,
    since: str = "2026-01-01",
    until: str | None = None,
    **fields: Any,
) -> ReferenceRange:
    return ReferenceRange.objects.create(
        site_id=laboratory.site_id,
        laboratory=laboratory,
        analyte=analyte,
        low=None if low is None else Decimal(low),
        high=None if high is None else Decimal(high),
        unit=unit,
        valid=(dt.date.fromisoformat(since), until and dt.date.fromisoformat(until)),
        **fields,
    )


@pytest.fixture
def laboratory(cast: Cast) -> Laboratory:
    """The site's laboratory with a few ranges for everybody."""
    make_protocol(cast.site)
    found: Laboratory = make_laboratory(cast.site)
    make_range(found, "BILI", "3", "23", "umol/L")
    make_range(found, "CREAT", "57", "97", "umol/L")
    make_range(found, "INR", "0.8", "1.2", "{INR}")
    make_range(found, "PTA", "70", "130", "%")
    make_range(found, "PLAT", "125", "350", "10*9/L")
    return found


@pytest.fixture
def subject(cast: Cast, laboratory: Laboratory) -> Subject:
    found: Subject = make_subject(cast.site)
    return found


@pytest.fixture
def draw(subject: Subject) -> CrfRecord:
    """A lab record of the subject, outside any visit, with nothing entered."""
    found: CrfRecord = make_record(subject, form_oid="F.LB")
    return found


Saver = Callable[..., SavedPanel]


@pytest.fixture
def save(cast: Cast) -> Saver:
    """Save texts onto a record as a person would, from the version that stands."""

    def keep(
        record: CrfRecord,
        texts: Mapping[str, str],
        *,
        by: User | None = None,
        header: Mapping[str, str] = DRAW,
        **options: Any,
    ) -> SavedPanel:
        person = by or cast.nurse
        with as_person(person):
            record.refresh_from_db()
            entry = read_panel(protocol_of(record.protocol_version_id), {**header, **texts})
            options.setdefault("base_version", record.version)
            return save_panel(record=record, entry=entry, by=person, **options)

    return keep


@pytest.fixture(scope="session")
def study() -> Protocol:
    """The protocol of the first study, read from its file."""
    return load(study_path("nct06904755"))
