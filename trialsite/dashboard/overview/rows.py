"""The rows behind the overview's own figures: as many as the figure says, by the same sources."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import pgettext as _p

from outcomes.models import Grade
from samples.selectors.plan import MissingSample, missing_counts, missing_samples
from screening.models.eligibility import CriterionState
from screening.models.log import Reason
from trialsite.casebook.protocols import visit_name
from trialsite.dashboard.overview import sources
from trialsite.dashboard.overview.flow import Stand, part_named, stands_of, with_stand
from trialsite.dashboard.overview.scope import Scope
from trialsite.dashboard.overview.words import band_word, criteria_of
from visits.models.session_codes import ComplicationCode, ComplicationSeverity, StopReason

_WHO, _WHAT, _WHEN = gettext_lazy("Subject"), gettext_lazy("What"), gettext_lazy("When")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a list: whose it is, where it opens, what it is and when."""

    who: str
    href: str
    site: str
    says: str
    detail: str = ""
    on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The rows of one figure's part, ready to be paged."""

    title: str
    #: Anything with a length that can be sliced; `show` makes rows of a slice.
    found: Any
    show: Callable[[Iterable[Any]], list[Row]]
    who: str | Promise = _WHO
    what: str | Promise = _WHAT
    when: str | Promise = _WHEN


#: From scope and part to the list; None where the figure has no such part.
Lister = Callable[[Scope, str], Listing | None]


def listing(figure: str, scope: Scope, part: str) -> Listing | None:
    """The rows behind a part of a figure."""
    lister = LISTERS.get(figure)
    return lister(scope, part) if lister else None


def _subject_row(row: Any, *, says: str, detail: str = "", on: str = "", href: str = "") -> Row:
    return Row(
        who=row.subject.label,
        href=href or reverse("dashboard:subject", args=[row.subject_id]),
        site=row.site.code,
        says=says,
        detail=detail,
        on=on,
    )


def _ordered(rows: QuerySet[Any], *last: str) -> QuerySet[Any]:
    own = ("site__code", "subject__screening_number", *last, "pk")
    return rows.select_related("subject__site", "site").order_by(*own)


# Enrolment


def _enrolled(scope: Scope, part: str) -> Listing | None:
    rows = sources.enrolments(scope.keys)
    title = _("Enrolled")
    if part:
        month = _month(part)
        if month is None:
            return None
        rows = rows.filter(enrolled_on__year=month.year, enrolled_on__month=month.month)
        title = _("Enrolled in %(month)s") % {"month": part}
    return Listing(
        title=title,
        found=rows.select_related("subject__site", "site").order_by("enrolled_on", "number", "pk"),
        show=lambda found: [
            _subject_row(
                row, says=str(row.subject.get_status_display()), on=row.enrolled_on.isoformat()
            )
            for row in found
        ],
        what=_("Status"),
        when=_("Enrolled on"),
    )


def _month(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(f"{text}-01")
    except ValueError:
        return None


# The flow


def _flow(scope: Scope, part: str) -> Listing | None:
    known = part_named(part)
    if known is None:
        return None
    rows = with_stand(scope.keys).filter(stand__in=sorted(stands_of(known)))
    return _entries(str(known.label), rows)


def _failed_by(scope: Scope, part: str) -> Listing | None:
    rows = with_stand(scope.keys).filter(stand=Stand.SCREEN_FAILED)
    given = Q(criteria__contains=[part]) | Q(reasons__contains=[part])
    said = str(Reason(part).label) if part in Reason.values else part
    title = _("Screen failure: %(reason)s") % {"reason": said}
    return _entries(title, rows.filter(given)) if part else None


def _entries(title: str, rows: QuerySet[Any]) -> Listing:
    return Listing(
        title=title,
        found=rows.select_related("site").order_by("site__code", "number", "pk"),
        show=lambda found: [_entry(row) for row in found],
        who=_("Screening entry"),
        what=_("Stands at"),
        when=_("First contact"),
    )


def _entry(row: Any) -> Row:
    reasons = [*row.criteria, *(str(Reason(code).label) for code in row.reasons)]
    return Row(
        who=row.number,
        href=reverse("screening:entry", args=[row.pk]),
        site=row.site.code,
        says=str(Stand(row.stand).label),
        detail=", ".join(reasons),
        on=row.first_contact_on.isoformat(),
    )


def _verdicts(scope: Scope, part: str) -> Listing | None:
    criterion, _dot, state = part.partition(".")
    if state not in CriterionState.values:
        return None
    rows = sources.verdicts(scope.keys).filter(criterion=criterion, state=state)
    words = criteria_of()
    return Listing(
        title=f"{criterion}: {CriterionState(state).label}",
        found=_ordered(rows.select_related("evaluation")),
        show=lambda found: [
            _subject_row(
                row,
                says=words.get(row.criterion, row.criterion),
                detail=row.note,
                on=row.evaluation.evaluated_at.date().isoformat(),
                href=reverse("screening:evaluation", args=[row.evaluation_id]),
            )
            for row in found
        ],
        what=_("Criterion"),
        when=_("Evaluated"),
    )


# Sessions


#: Parts of the sessions that are no reason for an end.
ALL, RUNNING, EARLY = "all", "running", "early"


def session_part(part: str) -> Q | None:
    """The condition on sessions of a part of their figure."""
    if part == ALL:
        return Q()
    if part == RUNNING:
        return Q(ended_at=None)
    if part == EARLY:
        return Q(ended_at__isnull=False) & ~Q(stop_reason=StopReason.COMPLETED)
    return Q(stop_reason=part) if part in StopReason.values else None


def _sessions(scope: Scope, part: str) -> Listing | None:
    condition = session_part(part)
    if condition is None:
        return None
    words = {
        ALL: _("Started sessions"),
        RUNNING: _("Running sessions"),
        EARLY: _("Sessions ended early"),
    }
    title = words.get(part) or str(StopReason(part).label)
    return _session_list(title, sources.sessions(scope.keys).filter(condition))


def _effective(scope: Scope, part: str) -> Listing | None:
    if not part.isdecimal() or len(part) > 2 or int(part) > sources.LAST_BAND:
        return None
    title = _("Effective time: %(band)s") % {"band": band_word(int(part))}
    return _session_list(title, sources.sessions(scope.keys).filter(band=int(part)))


def _session_list(title: str, rows: QuerySet[Any]) -> Listing:
    return Listing(
        title=title,
        found=_ordered(rows, "number"),
        show=lambda found: [_session(row) for row in found],
        what=_("How it ended"),
        when=_("Circuit started"),
    )


def _session(row: Any) -> Row:
    number = _("Session %(number)s") % {"number": row.number}
    ended = str(row.get_stop_reason_display()) if row.stop_reason else _p("session", "Running")
    effective = "" if row.effective is None else f"{row.effective:f} min"
    return _subject_row(
        row,
        says=f"{number}: {ended}",
        detail=effective,
        on=f"{row.started_at:%Y-%m-%d %H:%M}",
        href=reverse("visits:session", args=[row.pk]),
    )


def _complications(scope: Scope, part: str) -> Listing | None:
    code, _dot, severity = part.partition(".")
    rows = sources.complications(scope.keys)
    title = _("Complications")
    if code:
        if code not in ComplicationCode.values:
            return None
        rows, title = rows.filter(code=code), str(ComplicationCode(code).label)
    if severity:
        if severity not in ComplicationSeverity.values:
            return None
        rows = rows.filter(severity=severity)
        title = f"{title}: {ComplicationSeverity(severity).label}"
    return Listing(
        title=title,
        found=_ordered(rows, "onset_at"),
        show=lambda found: [
            _subject_row(
                row,
                says=str(row.get_code_display()),
                detail=str(row.get_severity_display() or ""),
                on=f"{row.onset_at:%Y-%m-%d %H:%M}" if row.onset_at else "",
                href=reverse("visits:session", args=[row.record_id]),
            )
            for row in found
        ],
        what=_("Complication"),
        when=_("Onset"),
    )


# Safety


#: Of the events of a grade: all, those the treatment may have caused, the serious ones.
EVENT_COLUMNS = {"all": Q(), "related": Q(related=1), "serious": Q(grave=1)}


def grade_word(grade: int) -> str:
    """A grade as the form says it; an event without one says so."""
    return str(Grade(grade).label) if grade else _("not graded yet")


def _events(scope: Scope, part: str) -> Listing | None:
    column, _dot, grade = part.partition(".")
    if column not in EVENT_COLUMNS or (grade and grade not in {"0", *map(str, Grade.values)}):
        return None
    rows = sources.events(scope.keys).filter(EVENT_COLUMNS[column])
    title = {
        "all": _("Adverse events"),
        "related": _("Adverse events related to the treatment"),
        "serious": _("Serious adverse events"),
    }[column]
    if grade:
        rows = rows.filter(graded=int(grade))
        title = f"{title}: {grade_word(int(grade))}"
    return Listing(
        title=title,
        found=_ordered(rows, "record__repeat_key"),
        show=lambda found: [
            _subject_row(
                row,
                says=row.term or _("Not named yet"),
                detail=grade_word(row.graded),
                on=str(row.started_on or ""),
                href=reverse("crf:record", args=[row.record_id]),
            )
            for row in found
        ],
        what=_("Adverse event"),
        when=_("Start"),
    )


# Samples


class _Missing(Sequence[MissingSample]):
    """The missing samples of some sites, read page by page."""

    def __init__(self, sites: list[int], kind: str) -> None:
        self._sites, self._kind = sites, kind
        counts = missing_counts(sites)
        self._count = sum(count for _site, of, count in counts if kind in ("", of))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, asked: Any) -> Any:
        if isinstance(asked, int):
            return self[asked : asked + 1][0]
        start, stop, _step = asked.indices(self._count)
        return missing_samples(
            self._sites, kind=self._kind, limit=max(0, stop - start), offset=start
        )


def _samples(scope: Scope, part: str) -> Listing | None:
    return Listing(
        title=_("Samples missing"),
        found=_Missing(scope.keys, part[:40]),
        show=lambda found: [
            _subject_row(
                each.visit,
                says=each.name,
                detail=_("%(collected)s of %(planned)s tubes")
                % {"collected": each.collected, "planned": each.planned},
                on=f"{visit_name(each.visit)}, {each.visit.attended_on}",
                href=reverse("samples:visit", args=[each.visit.pk]),
            )
            for each in found
        ],
        what=_("Specimen"),
        when=_("Visit"),
    )


LISTERS: dict[str, Lister] = {
    "enrolled": _enrolled,
    "flow": _flow,
    "failed_by": _failed_by,
    "verdicts": _verdicts,
    "sessions": _sessions,
    "effective": _effective,
    "complications": _complications,
    "events": _events,
    "samples": _samples,
}
