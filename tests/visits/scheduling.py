"""Subjects with a schedule, as the tests of visits need them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.factories import Cast, as_person, given, make_site, make_subject
from tests.screening.consenting import make_document, sign
from trialsite.access.models import Site
from trialsite.casebook.models import Subject, SubjectStatus, Visit
from trialsite.casebook.services import lay_out_visits, set_day_zero
from trialsite.core.clock import trial_today


def enrolled(cast: Cast, site: Site | None = None, *, since: int | None = None) -> Subject:
    """An enrolled subject with the protocol's visits; `since`: days since day zero."""
    site = site or cast.site
    subject = make_subject(site, status=SubjectStatus.ENROLLED, number=None)
    given(lay_out_visits)(subject=subject, by=cast.investigator)
    if since is not None:
        anchor(cast, subject, today(site) - dt.timedelta(days=since))
    return subject


def consenting(cast: Cast, *, since: int | None = None, days: float = -60) -> Subject:
    """The same, of somebody who signed the consent so many days from now."""
    subject = enrolled(cast, since=since)
    sign(cast, subject, make_document(cast, cast.site), days=days)
    return subject


def anchor(cast: Cast, subject: Subject, day_zero: dt.date | None, **said: Any) -> list[Visit]:
    with as_person(cast.investigator):
        return set_day_zero(subject=subject, day_zero=day_zero, by=cast.investigator, **said)


def today(site: Site) -> dt.date:
    return trial_today(site.time_zone)


def visit_at(subject: Subject, event_oid: str, repeat_key: int = 1) -> Visit:
    """The visit as it stands in the database."""
    found: Visit = given(
        lambda: Visit.objects.select_related("subject__site").get(
            subject=subject, event_oid=event_oid, repeat_key=repeat_key
        )
    )()
    return found


def window_of(visit: Visit) -> tuple[dt.date, dt.date]:
    """The first and last day of the window, of a visit that has one."""
    assert visit.window_ends is not None
    return visit.window_ends


def states(subject: Subject) -> dict[str, str]:
    """The stored state of every visit that the protocol lays out, and of those added."""
    rows = given(lambda: list(subject.visits.order_by("target_on", "event_oid", "repeat_key")))()
    return {str(row): row.status for row in rows}


def make_site_in(zone: str) -> Site:
    site: Site = make_site(time_zone=zone)
    return site
