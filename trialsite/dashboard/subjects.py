"""The subject list, and the search across it."""

from __future__ import annotations

import datetime as dt
import unicodedata
import uuid
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.models import Count, F, IntegerField, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject, Visit, VisitStatus
from trialsite.casebook.windows import STANDING, Window
from trialsite.dashboard.study import visit_name
from trialsite.dashboard.worklist import DONE
from trialsite.review.models import Query

#: Empty forms of visits that are not required: nobody waits for them.
_WAIVED = Q(visit__status=VisitStatus.NOT_REQUIRED, status=RecordStatus.NOT_STARTED)


@dataclass(frozen=True, slots=True)
class Line:
    """One subject of the list."""

    subject: Subject
    day: int | None
    done: int
    expected: int
    open_queries: int
    next_visit: str
    next_window: Window | None
    overdue: bool


def normalised(text: str) -> str:
    """What was typed as numbers are written: full-width digits, dashes and case made plain."""
    plain = unicodedata.normalize("NFKC", text).strip().upper()
    return "".join("-" if unicodedata.category(sign) == "Pd" else sign for sign in plain)


def matching(subjects: QuerySet[Subject], typed: str) -> QuerySet[Subject]:
    """Subjects whose subject or screening number contains what was typed."""
    text = normalised(typed)
    return subjects.filter(Q(number__icontains=text) | Q(screening_number__icontains=text))


def exactly(subjects: QuerySet[Subject], typed: str) -> Subject | None:
    """The one subject with this very number, or None."""
    text = normalised(typed)
    found = subjects.filter(Q(number__iexact=text) | Q(screening_number__iexact=text))[:2]
    return found[0] if len(found) == 1 else None


def record_with_id(user: User, typed: str) -> CrfRecord | None:
    """The record of this id, or the one that the query of this id asks about."""
    try:
        key = uuid.UUID(typed.strip())
    except ValueError:
        return None
    record = CrfRecord.objects.visible_to(user).filter(pk=key).first()
    if record is not None:
        return record
    query = Query.objects.visible_to(user).filter(pk=key).select_related("record").first()
    return query.record if query else None


def for_list(subjects: QuerySet[Subject]) -> QuerySet[Subject]:
    """Subjects with what the list shows of each, in a constant number of queries."""
    records = CrfRecord.objects.standing().filter(subject=OuterRef("pk")).order_by()
    queries = Query.objects.unresolved().filter(subject=OuterRef("pk")).order_by()
    upcoming = Visit.objects.filter(status__in=STANDING, window__isnull=False).order_by(
        "window", "visit_number"
    )
    return (
        subjects.select_related("site")
        .annotate(
            expected=_count(records.exclude(_WAIVED), "subject"),
            done=_count(records.filter(status__in=DONE), "subject"),
            open_queries=_count(queries, "subject"),
        )
        .prefetch_related(Prefetch("visits", upcoming, to_attr="standing_visits"))
        .order_by(F("site__code"), "screening_number")
    )


def _count(rows: QuerySet[CrfRecord] | QuerySet[Query], by: str) -> Coalesce:
    counted = rows.values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def line_of(subject: Subject, *, now: dt.datetime) -> Line:
    """A subject that `for_list` has prepared, as a line."""
    today = now.astimezone(ZoneInfo(subject.site.time_zone)).date()
    visits: list[Visit] = subject.standing_visits  # type: ignore[attr-defined]
    visit = visits[0] if visits else None
    window = Window.of(visit) if visit else None
    return Line(
        subject=subject,
        day=(today - subject.day_zero).days if subject.day_zero else None,
        done=subject.done,  # type: ignore[attr-defined]
        expected=subject.expected,  # type: ignore[attr-defined]
        open_queries=subject.open_queries,  # type: ignore[attr-defined]
        next_visit=visit_name(visit) if visit else "",
        next_window=window,
        overdue=window is not None and window.last < today,
    )
