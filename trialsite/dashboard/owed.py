"""Forms left after visits that took place, and visits whose window went by: read by what is
owed, not by what the study holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast, Left, Length

from outcomes.models import Transplantation
from trialsite.access.models import Site, User
from trialsite.casebook.models import (
    ConsentState,
    LockState,
    ProtocolVersion,
    SubjectStatus,
    Visit,
)
from trialsite.casebook.windows import STANDING
from trialsite.crf.models import stored
from trialsite.dashboard.compliance import Kept, dated
from trialsite.dashboard.models import OwedForm
from trialsite.dashboard.worklist import DONE, labs_go_on
from trialsite.labs.codes import FORM_OID as LAB_FORM


def owed_forms(user: User, sites: Iterable[Site]) -> QuerySet[OwedForm]:
    """The forms of attended visits at these sites that are still to be entered, oldest visit
    first; what is locked or withdrawn is not asked for, nor labs that the protocol spares."""
    owed = OwedForm.objects.visible_to(user).at([site.pk for site in sites]).filter(owed=True)
    return (
        owed.filter(
            record__voided_at=None,
            record__lock_state=LockState.OPEN,
            visit__lock_state=LockState.OPEN,
            subject__lock_state=LockState.OPEN,
        )
        .exclude(record__status__in=DONE)
        .exclude(subject__consent_state=ConsentState.WITHDRAWN)
        .exclude(subject__status=SubjectStatus.SCREEN_FAILED)
        .exclude(_spared_labs())
        .order_by("visit__attended_on", "subject__screening_number", "record__form_oid", "pk")
    )


def _spared_labs() -> Q:
    """Laboratory forms not begun, of visits later than a transplantation, under versions of the
    protocol that ask for none then. A date partly known is compared as far as it is known."""
    sparing = [
        pk for pk in ProtocolVersion.objects.values_list("pk", flat=True) if not labs_go_on(pk)
    ]
    if not sparing:
        return Q(pk__in=[])
    known = Length("transplanted_on")
    attended = Cast(OuterRef("visit__attended_on"), TextField())
    before = (
        stored(Transplantation)
        .filter(subject=OuterRef("subject"), record__voided_at=None)
        .alias(attended=Left(attended, known))
        .filter(attended__gt=Cast("transplanted_on", TextField()))
    )
    return (
        Q(record__form_oid=LAB_FORM, record__version=0)
        & Q(visit__protocol_version__in=sparing)
        & Q(Exists(before))
    )


def overdue_visits(user: User, sites: list[Site], *, now: dt.datetime) -> QuerySet[Any]:
    """Visits whose window has passed, neither attended nor stated as missed.

    The same as in the table of window compliance, found by the index on the last day.
    """
    visits = Visit.objects.visible_to(user).at([site.pk for site in sites])
    past = visits.filter(status__in=STANDING, last_day__lte=now.astimezone(dt.UTC).date())
    return dated(past, now=now, sites=sites).filter(kept=Kept.OVERDUE)


def by_site(rows: QuerySet[Any]) -> dict[int, int]:
    """How many rows each site has."""
    counted = rows.order_by().values_list("site_id").annotate(n=Count("pk"))
    return dict(counted.values_list("site_id", "n"))
