"""Endpoints as datasets: the course of each subject, and where each stands on each milestone.

Both are rows of the same reading as the page and the API; the estimates follow from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from django.utils.translation import gettext_lazy as _

from outcomes.endpoint_words import CAUSES, CENSORED, DOUBTS, STATES, UNTIMED, codes
from outcomes.endpoints.course import Course, Doubt
from outcomes.endpoints.milestones import is_due, state_on
from outcomes.endpoints.report import VERSION
from outcomes.endpoints.tables import Cause
from outcomes.endpoints.timing import Endpoint, Timed, timed
from outcomes.selectors.courses import courses_at
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets
from trialsite.protocol import Protocol

_KEYS = (
    Column(name="SITEID", label=_("Site"), sdtm="DM.SITEID"),
    Column(name="SUBJID", label=_("Subject number"), sdtm="DM.SUBJID"),
    Column(name="SUBJECT", label=_("Subject"), kind=Kind.ID),
)
_READING = (
    Column(name="ANCHOR", label=_("What day 0 is")),
    Column(name="ANCHORDT", label=_("Day 0"), kind=Kind.DATE),
    Column(name="CUTDT", label=_("Data up to"), kind=Kind.DATE),
    Column(name="DEFVERSION", label=_("Version of the definitions")),
)

#: Prefix of an endpoint's columns, and what its columns say.
_TIMED = {Endpoint.OVERALL: "OS", Endpoint.TRANSPLANT_FREE: "TFS"}


@register_datasets
def endpoint_datasets() -> list[Dataset]:
    return [endpoint_courses(), endpoint_milestones()]


def endpoint_courses() -> Dataset:
    """One row for each enrolled subject: dates, and time and status of each endpoint (ADTTE)."""
    days = (
        ("ENRLDT", _("Enrolled on")),
        ("TRTSDT", _("First treated on")),
        ("DTHFIRST", _("Died on, the first possible day")),
        ("DTHLAST", _("Died on, the last possible day")),
        ("LTFIRST", _("Transplanted on, the first possible day")),
        ("LTLAST", _("Transplanted on, the last possible day")),
        ("LSTALVDT", _("Last known alive on")),
    )
    return Dataset(
        name="endpoint_courses",
        title=_("Endpoints: course of each subject"),
        columns=(
            *_KEYS,
            *_READING,
            *(Column(name=name, label=label, kind=Kind.DATE) for name, label in days),
            Column(name="LSTALVBY", label=_("Known alive by")),
            Column(name="WDALLDT", label=_("Withdrew all data on"), kind=Kind.DATE),
            Column(name="LOSTDT", label=_("Lost to follow-up on"), kind=Kind.DATE),
            Column(name="TRTEDT", label=_("Treatment ended on"), kind=Kind.DATE),
            Column(name="STUDYEDT", label=_("Taking part ended on"), kind=Kind.DATE),
            Column(name="DOUBTS", label=_("To look at"), codes=codes(DOUBTS)),
            *(column for prefix in _TIMED.values() for column in _of_endpoint(prefix)),
        ),
        rows=_course_rows,
    )


def _of_endpoint(prefix: str) -> Iterator[Column]:
    reasons = codes(CENSORED) | codes(UNTIMED)
    yield Column(name=f"{prefix}DAY", label=_("Days from day 0"), kind=Kind.INTEGER)
    yield Column(
        name=f"{prefix}LASTDAY",
        label=_("Days from day 0, with an inexact event as late as possible"),
        kind=Kind.INTEGER,
    )
    yield Column(
        name=f"{prefix}CNSR",
        label=_("0 event, 1 censored"),
        kind=Kind.INTEGER,
        codes={"0": _("Event"), "1": _("Censored")},
    )
    yield Column(name=f"{prefix}EVENT", label=_("Event"), codes=codes(CAUSES))
    yield Column(name=f"{prefix}REASON", label=_("Why censored, or in no estimate"), codes=reasons)


def endpoint_milestones() -> Dataset:
    """One row for each enrolled subject and milestone of the protocol."""
    return Dataset(
        name="endpoint_milestones",
        title=_("Endpoints: state on each milestone"),
        columns=(
            *_KEYS,
            *_READING,
            Column(name="DAY", label=_("Milestone, days from day 0"), kind=Kind.INTEGER),
            Column(name="DAYDT", label=_("Date of the milestone"), kind=Kind.DATE),
            Column(name="STATE", label=_("State"), codes=codes(STATES)),
            Column(name="DUE", label=_("The day has come"), kind=Kind.BOOLEAN),
            Column(name="DOSED", label=_("Treated"), kind=Kind.BOOLEAN),
        ),
        rows=_milestone_rows,
    )


def _course_rows(sites: Collection[int]) -> Iterator[dict[str, Any]]:
    for course, protocol in _read(sites):
        row = _keys(course, protocol) | {
            "ENRLDT": course.enrolled_on,
            "TRTSDT": course.dosed_on,
            "DTHFIRST": course.died_on and course.died_on.earliest,
            "DTHLAST": course.died_on and course.died_on.latest,
            "LTFIRST": course.transplanted_on and course.transplanted_on.earliest,
            "LTLAST": course.transplanted_on and course.transplanted_on.latest,
            "LSTALVDT": course.last_alive_on,
            "LSTALVBY": course.last_alive_by or None,
            "WDALLDT": course.withdrawn_on,
            "LOSTDT": course.lost_on,
            "TRTEDT": course.treatment_ended_on,
            "STUDYEDT": course.study_ended_on,
            "DOUBTS": "; ".join(each for each in Doubt if each in course.doubts) or None,
        }
        for endpoint, prefix in _TIMED.items():
            said = _said(timed(course, endpoint))
            row |= {f"{prefix}{name}": value for name, value in said.items()}
        yield row


def _said(each: Timed) -> dict[str, Any]:
    """Time and status as ADTTE says them; without a time there is the reason."""
    if each.time is None:
        nothing = dict.fromkeys(("DAY", "LASTDAY", "CNSR", "EVENT"))
        return nothing | {"REASON": each.untimed}
    return {
        "DAY": each.time,
        "LASTDAY": each.latest,
        "CNSR": int(each.cause is Cause.CENSORED),
        "EVENT": each.cause,
        "REASON": each.censored,
    }


def _milestone_rows(sites: Collection[int]) -> Iterator[dict[str, Any]]:
    for course, protocol in _read(sites):
        keys = _keys(course, protocol)
        for day in protocol.outcomes.survival_days:
            yield keys | {
                "DAY": day,
                "DAYDT": course.date_of(day) if course.anchor_on else None,
                "STATE": state_on(course, day),
                "DUE": is_due(course, day),
                "DOSED": course.dosed,
            }


def _keys(course: Course, protocol: Protocol) -> dict[str, Any]:
    return {
        "SITEID": course.site,
        "SUBJID": course.number,
        "SUBJECT": course.subject,
        "ANCHOR": protocol.anchor.kind,
        "ANCHORDT": course.anchor_on,
        "CUTDT": course.cut_on,
        "DEFVERSION": VERSION,
    }


def _read(sites: Collection[int]) -> Iterator[tuple[Course, Protocol]]:
    """The courses with the protocol in force; before there is one, nobody is enrolled."""
    courses = courses_at(sites)
    protocol = protocol_of(current_version().pk) if courses else None
    for course in courses:
        assert protocol is not None
        yield course, protocol
