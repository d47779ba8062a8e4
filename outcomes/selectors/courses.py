"""The course of every enrolled subject, made consistent from what the casebooks hold.

The rules stand in `docs/adr/0010-endpoints.md`; here is where they are applied to dates.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import replace

from outcomes.endpoints.course import Course, Doubt, Span
from outcomes.models.follow_up_codes import EndReason, SurvivalStatus
from outcomes.models.follow_up_codes import Scope as EndScope
from outcomes.selectors.course_rows import WITHDRAWAL, CourseRow, course_rows
from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.core.partial_dates import PartialDate


def courses_of(user: User, *, site: str = "", on: dt.date | None = None) -> list[Course]:
    """Every enrolled subject whose casebook this person may see, by site and number.

    `site` is a site's code. What is dated after `on` (default: the present day at each site)
    is left out. One statement, however many subjects there are.
    """
    sites = user.access.sites(Capability.VIEW_CASEBOOK)
    if site:
        found = Site.objects.filter(code=site, pk__in=sites).values_list("pk", flat=True)
        sites = frozenset(found)
    return courses_at(sites, on=on)


def courses_at(sites: Collection[int], *, on: dt.date | None = None) -> list[Course]:
    """The same of sites by their ids, which the caller has the right to read."""
    return [course_of(row) for row in course_rows(sites, on=on)]


def course_of(row: CourseRow) -> Course:
    """One subject's facts as a course: cut, and each date bounded by the others."""
    anchor = row.day_zero if row.day_zero and row.day_zero <= row.cut_on else None
    alive, by = row.alive_on, row.alive_by
    if row.withdrawn_on is not None and (alive is None or row.withdrawn_on >= alive):
        alive, by = row.withdrawn_on, WITHDRAWAL
    treatment, study = _ended(row, EndScope.TREATMENT), _ended(row, EndScope.STUDY)
    course = Course(
        subject=row.subject,
        number=row.number,
        site=row.site,
        cut_on=row.cut_on,
        enrolled_on=row.enrolled_on,
        dosed_on=row.dosed_on if row.dosed_on and row.dosed_on <= row.cut_on else None,
        anchor_on=anchor,
        last_alive_on=alive,
        last_alive_by=by,
        withdrawn_on=row.withdrawn_on,
        lost_on=_ended(row, EndScope.STUDY, EndReason.LOST),
        treatment_ended_on=treatment,
        study_ended_on=study,
        doubts=frozenset() if anchor else frozenset({Doubt.NO_ANCHOR}),
    )
    return _with_transplant(_with_death(course, row), row)


def _with_death(course: Course, row: CourseRow) -> Course:
    """The death, between the last day known alive and the last day it can have been."""
    found, doubt = _recorded(row.died_on, row), None
    if found is None and not row.died_on:
        found, doubt = _death_told(row), Doubt.DEATH_UNRECORDED
    if found is None or _later_than_known(found, course):
        return course
    seen = course.last_alive_on
    if seen is not None and seen > found.latest:
        course = _doubting(course, Doubt.SEEN_AFTER_DEATH)
        seen = None
    found = _not_before(found, course.anchor_on, seen)
    return _dated(replace(course, died_on=found), found, doubt, Doubt.DEATH_INEXACT)


def _with_transplant(course: Course, row: CourseRow) -> Course:
    """The transplantation, not before day zero and not after the death."""
    spans = [span for each in row.transplanted_on if (span := _recorded(each, row))]
    found, doubt = min(spans, key=lambda span: span.earliest, default=None), None
    if found is None and not row.transplanted_on:
        found, doubt = _transplant_told(course, row), Doubt.TRANSPLANT_UNRECORDED
    if found is None or _later_than_known(found, course):
        return course
    died = course.died_on
    if died is not None and found.earliest > died.latest:
        return _doubting(course, Doubt.TRANSPLANT_AFTER_DEATH)
    if died is not None:
        found = replace(found, latest=min(found.latest, died.latest))
    found = _not_before(found, course.anchor_on)
    if died is not None:
        died = _not_before(died, found.earliest)
    return _dated(
        replace(course, transplanted_on=found, died_on=died),
        found,
        doubt,
        Doubt.TRANSPLANT_INEXACT,
    )


def _dated(course: Course, span: Span, doubt: Doubt | None, inexact: Doubt) -> Course:
    """The course with what its date leaves to ask."""
    if doubt is not None:
        course = _doubting(course, doubt)
    if not span.exact:
        course = _doubting(course, inexact)
    if course.anchor_on is not None and span.latest < course.anchor_on:
        before = {
            Doubt.DEATH_INEXACT: Doubt.DEATH_BEFORE_ANCHOR,
            Doubt.TRANSPLANT_INEXACT: Doubt.TRANSPLANT_BEFORE_ANCHOR,
        }
        course = _doubting(course, before[inexact])
    return course


def _doubting(course: Course, doubt: Doubt) -> Course:
    return replace(course, doubts=course.doubts | {doubt})


def _recorded(text: str, row: CourseRow) -> Span | None:
    """The days that a partial date leaves possible: none after today, none wholly after the cut."""
    if not text:
        return None
    date = PartialDate.parse(text)
    if date.earliest > row.cut_on:
        return None
    return Span(earliest=date.earliest, latest=max(date.earliest, min(date.latest, row.today)))


def _later_than_known(span: Span, course: Course) -> bool:
    """Whether it is dated after all data were withdrawn, when the person lived."""
    withdrawn = course.withdrawn_on
    return withdrawn is not None and span.latest > withdrawn


def _not_before(span: Span, *days: dt.date | None) -> Span:
    """The span without the days before any of these; one that ends before them stays."""
    first = max([span.earliest, *(day for day in days if day is not None and day <= span.latest)])
    return replace(span, earliest=first)


def _death_told(row: CourseRow) -> Span | None:
    """What others than the record of the death leave possible of its day.

    It was by the first day by which anything says so, and not before what any other of them
    says of an earlier day.
    """
    told = list(_tellings(row))
    if not told:
        return None
    latest = min(span.latest for span in told)
    earliest = max(span.earliest for span in told if span.earliest <= latest)
    return Span(earliest=earliest, latest=latest)


def _tellings(row: CourseRow) -> Iterator[Span]:
    """A contact that found somebody dead, a fatal event, an ending by death: each with its days.

    A fatal event ends on the day of the death. The end of the study is the day of the death
    or the day it was heard of; the end of the treatment may have come before.
    """
    for day, status, *_rest in row.contacts:
        if status == SurvivalStatus.DEAD:
            yield _dead_by(dt.date.fromisoformat(day), row)
    for started, ended in row.fatal:
        if span := _recorded(ended, row) if ended else _undated(started, row):
            yield span
    for scope, reason, on in row.dispositions:
        if reason == EndReason.DEATH and (span := _ended_by_death(scope, on, row)):
            yield span


def _ended_by_death(scope: str | None, on: str | None, row: CourseRow) -> Span | None:
    if on is None or scope != EndScope.STUDY:
        return _undated(on, row)
    said = _recorded(on, row)
    return _dead_by(said.latest, row) if said else None


def _dead_by(day: dt.date, row: CourseRow) -> Span:
    """Between the last evidence of life and this day."""
    return Span(earliest=min(row.alive_on or row.enrolled_on, day), latest=day)


def _undated(since: str | None, row: CourseRow) -> Span | None:
    """Between the last evidence of life and today; None where it was told of after the cut."""
    if since and PartialDate.parse(since).earliest > row.cut_on:
        return None
    return _dead_by(row.today, row)


def _transplant_told(course: Course, row: CourseRow) -> Span | None:
    """A contact said that there was a transplantation, and no record of it says when."""
    earliest = course.anchor_on or row.enrolled_on
    for day, _status, alive, transplanted in row.contacts:
        if transplanted:
            latest = dt.date.fromisoformat(day)
            return Span(earliest=min(earliest, latest), latest=latest)
        if transplanted is False and alive is not None:
            earliest = max(earliest, PartialDate.parse(alive).earliest)
    return None


def _ended(row: CourseRow, scope: EndScope, reason: EndReason | None = None) -> dt.date | None:
    """The day on which the treatment or the study ended for the subject, the first possible."""
    days = (
        PartialDate.parse(on).earliest
        for of, because, on in row.dispositions
        if on and of == scope and (reason is None or because == reason)
    )
    return min((day for day in days if day <= row.cut_on), default=None)
