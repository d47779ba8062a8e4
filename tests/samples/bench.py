"""Samples as they go through a laboratory, for the tests."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from samples.models import Aliquot, Box, Specimen
from samples.services.aliquots import store_aliquot
from samples.services.facts import SpecimenFacts
from samples.services.specimens import (
    aliquot_specimen,
    centrifuge_specimen,
    collect_specimen,
    prepare_specimens,
)
from samples.services.storage import add_box, add_freezer
from tests.factories import Cast, as_person, given, make_user
from tests.screening.consenting import wall
from tests.visits.treating import treatable
from trialsite.access.capabilities import Role
from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject, Visit

SPUN = SpecimenFacts(centrifuge_g=2000, centrifuge_minutes=10, centrifuge_celsius=4)


@given
def visit_of(subject: Subject, event_oid: str = "SE.D7") -> Visit:
    found = Visit.objects.select_related("subject__site", "site", "protocol_version")
    return found.get(subject=subject, event_oid=event_oid, repeat_key=1)


def technician_at(site: Site | None, **fields: Any) -> User:
    user: User = make_user(Role.SAMPLE_TECHNICIAN, site, **fields)
    return user


def sampled(cast: Cast, event_oid: str = "SE.D7", **fields: Any) -> Visit:
    """A visit of an enrolled, consenting subject."""
    return visit_of(treatable(cast, **fields), event_oid)


def box_at(site: Site, by: User, **said: Any) -> Box:
    with as_person(by):
        freezer = add_freezer(site=site, name=f"F{said.pop('n', 1)}", celsius=-80, racks=1, by=by)
        rack = freezer.racks.get()
        return add_box(site=site, by=by, rack=rack, **said)


def labelled(visit: Visit, by: User, kind: str = "EDTA", count: int = 1) -> list[Specimen]:
    with as_person(by):
        return prepare_specimens(visit=visit, kind=kind, count=count, by=by)


def collected(
    visit: Visit, by: User, kind: str = "EDTA", *, hours: float = -1, **said: Any
) -> Specimen:
    (specimen,) = labelled(visit, by, kind)
    with as_person(by):
        return collect_specimen(specimen=specimen, by=by, at=wall(visit.site, hours=hours), **said)


def aliquoted(
    visit: Visit, by: User, kind: str = "EDTA", *, hours: float = -1, **said: Any
) -> list[Aliquot]:
    """The aliquots of a tube collected so many hours from now."""
    specimen = collected(visit, by, kind, hours=hours)
    at = said.pop("at", None) or wall(visit.site, hours=hours + 0.5)
    with as_person(by):
        if specimen.matrix == "blood":
            centrifuge_specimen(specimen=specimen, by=by, at=at, facts=SPUN)
        return aliquot_specimen(specimen=specimen, by=by, at=at, **said)


def stored(
    visit: Visit, by: User, box: Box, *, hours: float = -1, at: dt.datetime | None = None
) -> Aliquot:
    """One aliquot in a box."""
    aliquot = aliquoted(visit, by, hours=hours, volume=Decimal("0.5"))[0]
    with as_person(by):
        return store_aliquot(aliquot=aliquot, box=box, by=by, at=at or wall(visit.site))
