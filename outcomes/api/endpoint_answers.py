"""Endpoints as the API says them: decimals are text, subjects are ids, reasons are codes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from outcomes.endpoint_words import DEFINITIONS
from outcomes.endpoints.competing import Incidence
from outcomes.endpoints.conversion import Converted
from outcomes.endpoints.course import Censored, Course, Doubt, Span
from outcomes.endpoints.milestones import Milestone, State
from outcomes.endpoints.numbers import Absent, Interval
from outcomes.endpoints.proportions import Proportion
from outcomes.endpoints.report import Conversion, Endpoints, Survival
from outcomes.endpoints.survival import Curve, Point
from outcomes.endpoints.tables import Cause, Row
from outcomes.endpoints.timing import Endpoint, Timed, Untimed, timed
from trialsite.crf.catalogue import TextAnswer, in_both

#: Decimals of an estimate: more than anybody shows, as many as two programs can agree on.
_PLACES = Decimal("1e-12")


def _ids(help_text: str) -> serializers.ListField:
    return serializers.ListField(child=serializers.UUIDField(), help_text=help_text)


def _code(codes: Any, **options: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=[each.value for each in codes], **options)


class IntervalAnswer(serializers.Serializer[Any]):
    low = serializers.CharField()
    high = serializers.CharField()


class PointAnswer(serializers.Serializer[Any]):
    """An estimate on a day after day 0; without a value `absent` says why there is none."""

    day = serializers.IntegerField()
    at_risk = serializers.IntegerField(help_text="Under observation just before the day")
    value = serializers.CharField(allow_null=True, help_text="Decimal")
    interval = IntervalAnswer(allow_null=True, help_text="95 %")
    absent = _code(Absent, allow_null=True)


class StepAnswer(serializers.Serializer[Any]):
    """A day on which something happened, with whom, and the estimate from that day on."""

    day = serializers.IntegerField()
    at_risk = serializers.IntegerField()
    deaths = _ids("Subjects")
    transplants = _ids("Subjects")
    censored = _ids("Subjects, at risk of that day's events")
    value = serializers.CharField()
    interval = IntervalAnswer(allow_null=True)


class LeftOutAnswer(serializers.Serializer[Any]):
    subject = serializers.UUIDField()
    reason = _code(Untimed)


class MedianAnswer(serializers.Serializer[Any]):
    day = serializers.IntegerField(allow_null=True, help_text="null: not reached")
    low = serializers.IntegerField(allow_null=True)
    high = serializers.IntegerField(allow_null=True)


class SurvivalAnswer(serializers.Serializer[Any]):
    definition = TextAnswer()
    subjects = serializers.IntegerField(help_text="In the estimate")
    events = serializers.IntegerField()
    median = MedianAnswer()
    points = PointAnswer(many=True, help_text="The protocol's days")
    points_latest = PointAnswer(
        many=True, help_text="The same with inexact events as late as possible; else empty"
    )
    steps = StepAnswer(many=True)
    left_out = LeftOutAnswer(many=True)


class ProportionAnswer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    of = serializers.IntegerField()
    value = serializers.CharField(allow_null=True)
    wilson = IntervalAnswer(allow_null=True)
    clopper_pearson = IntervalAnswer(allow_null=True)
    absent = _code(Absent, allow_null=True)


class IncidenceAnswer(serializers.Serializer[Any]):
    events = serializers.IntegerField()
    points = PointAnswer(many=True)
    steps = StepAnswer(many=True)


class CrudeAnswer(serializers.Serializer[Any]):
    day = serializers.IntegerField()
    proportion = ProportionAnswer()
    transplanted = _ids("Subjects")
    unsettled = _ids("Subjects of whom it is not known")
    not_yet_due = serializers.IntegerField()


class ConversionAnswer(serializers.Serializer[Any]):
    definition = TextAnswer()
    transplant = IncidenceAnswer()
    death = IncidenceAnswer()
    crude = CrudeAnswer(many=True)


class StateAnswer(serializers.Serializer[Any]):
    state = _code(State)
    count = serializers.IntegerField()
    subjects = _ids("In the order of the courses")


class MilestoneAnswer(serializers.Serializer[Any]):
    day = serializers.IntegerField()
    enrolled = serializers.IntegerField()
    dosed = serializers.IntegerField()
    evaluable = serializers.IntegerField(help_text="The day has come, and the state is known")
    unknown = serializers.IntegerField()
    dead_before_due = serializers.IntegerField(help_text="Not yet among the evaluable")
    states = StateAnswer(many=True)
    alive_of_enrolled = ProportionAnswer()
    alive_of_dosed = ProportionAnswer()
    alive_of_evaluable = ProportionAnswer()
    native_of_evaluable = ProportionAnswer()


class AnchorAnswer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    text = TextAnswer(help_text="Printed beside every number")


class EndpointsAnswer(serializers.Serializer[Any]):
    version = serializers.CharField(help_text="Of the definitions")
    anchor = AnchorAnswer()
    on = serializers.DateField(allow_null=True, help_text="null: the present day at each site")
    sites = serializers.ListField(
        child=serializers.CharField(), help_text="Whose subjects these are"
    )
    study_wide = serializers.BooleanField(help_text="Whether these are all sites of the study")
    enrolled = serializers.IntegerField()
    dosed = serializers.IntegerField()
    untreated = _ids("Enrolled without day 0: in no estimate")
    overall = SurvivalAnswer()
    transplant_free = SurvivalAnswer()
    conversion = ConversionAnswer()
    milestones = MilestoneAnswer(many=True)


class SpanAnswer(serializers.Serializer[Any]):
    first = serializers.DateField()
    last = serializers.DateField(help_text="The same day where the date is exact")


class TimedAnswer(serializers.Serializer[Any]):
    """Time and status of an endpoint; no time: `untimed` says why."""

    day = serializers.IntegerField(allow_null=True)
    last_day = serializers.IntegerField(allow_null=True)
    cause = _code(Cause)
    censored = _code(Censored, allow_null=True)
    untimed = _code(Untimed, allow_null=True)


class CourseAnswer(serializers.Serializer[Any]):
    subject = serializers.UUIDField()
    SUBJID = serializers.CharField()
    SITEID = serializers.CharField()
    cut_on = serializers.DateField()
    enrolled_on = serializers.DateField()
    dosed_on = serializers.DateField(allow_null=True)
    anchor_on = serializers.DateField(allow_null=True)
    died_on = SpanAnswer(allow_null=True)
    transplanted_on = SpanAnswer(allow_null=True)
    last_alive_on = serializers.DateField(allow_null=True)
    last_alive_by = serializers.CharField(help_text="Form OID, visit or withdrawal")
    withdrawn_on = serializers.DateField(allow_null=True)
    lost_on = serializers.DateField(allow_null=True)
    treatment_ended_on = serializers.DateField(allow_null=True)
    study_ended_on = serializers.DateField(allow_null=True)
    doubts = serializers.ListField(child=_code(Doubt))
    overall = TimedAnswer()
    transplant_free = TimedAnswer()


def said_endpoints(found: Endpoints, *, sites: list[str], study_wide: bool) -> dict[str, Any]:
    text = found.anchor.printed
    return {
        "version": found.version,
        "anchor": {"kind": found.anchor.kind, "text": {"en": text.en, "zh": text.zh}},
        "on": found.on,
        "sites": sites,
        "study_wide": study_wide,
        "enrolled": found.enrolled,
        "dosed": found.dosed,
        "untreated": [course.subject for course in found.untreated],
        "overall": said_survival(found.overall),
        "transplant_free": said_survival(found.transplant_free),
        "conversion": said_conversion(found.conversion),
        "milestones": [said_milestone(each) for each in found.milestones],
    }


def said_survival(found: Survival) -> dict[str, Any]:
    median = found.curve.median
    return {
        "definition": in_both(DEFINITIONS[found.endpoint.value]),
        "subjects": found.curve.subjects,
        "events": found.curve.events,
        "median": {"day": median.day, "low": median.low, "high": median.high},
        "points": [said_point(point) for point in found.points],
        "points_latest": [said_point(point) for point in found.points_latest],
        "steps": said_steps(found.curve),
        "left_out": [{"subject": each.key, "reason": each.untimed} for each in found.left_out],
    }


def said_conversion(found: Conversion) -> dict[str, Any]:
    def said(incidence: Incidence, points: tuple[Point, ...]) -> dict[str, Any]:
        return {
            "events": incidence.events,
            "points": [said_point(point) for point in points],
            "steps": said_steps(incidence),
        }

    return {
        "definition": in_both(DEFINITIONS["conversion"]),
        "transplant": said(found.transplant, found.transplant_points),
        "death": said(found.death, found.death_points),
        "crude": [said_crude(each) for each in found.crude],
    }


def said_crude(found: Converted) -> dict[str, Any]:
    return {
        "day": found.day,
        "proportion": said_proportion(found.crude),
        "transplanted": [course.subject for course in found.transplanted],
        "unsettled": [course.subject for course in found.unsettled],
        "not_yet_due": found.not_yet_due,
    }


def said_milestone(found: Milestone) -> dict[str, Any]:
    return {
        "day": found.day,
        "enrolled": found.enrolled,
        "dosed": found.dosed,
        "evaluable": found.evaluable,
        "unknown": found.unknown,
        "dead_before_due": found.dead_before_due,
        "states": [
            {"state": state, "count": len(who), "subjects": [course.subject for course in who]}
            for state, who in found.subjects.items()
        ],
        "alive_of_enrolled": said_proportion(found.alive_of_enrolled),
        "alive_of_dosed": said_proportion(found.alive_of_dosed),
        "alive_of_evaluable": said_proportion(found.alive_of_evaluable),
        "native_of_evaluable": said_proportion(found.native_of_evaluable),
    }


def said_point(point: Point) -> dict[str, Any]:
    return {
        "day": point.day,
        "at_risk": point.at_risk,
        "value": _number(point.value),
        "interval": _interval(point.interval),
        "absent": point.absent,
    }


def said_steps(curve: Curve | Incidence) -> list[dict[str, Any]]:
    return [
        _said_row(step.row) | {"value": _number(step.value), "interval": _interval(step.interval)}
        for step in curve.steps
    ]


def _said_row(row: Row) -> dict[str, Any]:
    return {
        "day": row.time,
        "at_risk": row.at_risk,
        "deaths": list(row.deaths),
        "transplants": list(row.transplants),
        "censored": list(row.censored),
    }


def said_proportion(found: Proportion) -> dict[str, Any]:
    return {
        "count": found.count,
        "of": found.of,
        "value": _number(found.value),
        "wilson": _interval(found.wilson),
        "clopper_pearson": _interval(found.exact),
        "absent": found.absent,
    }


def said_course(course: Course) -> dict[str, Any]:
    plain = (
        "subject", "cut_on", "enrolled_on", "dosed_on", "anchor_on", "last_alive_on",
        "last_alive_by", "withdrawn_on", "lost_on", "treatment_ended_on", "study_ended_on",
    )  # fmt: skip
    return {name: getattr(course, name) for name in plain} | {
        "SUBJID": course.number,
        "SITEID": course.site,
        "died_on": _span(course.died_on),
        "transplanted_on": _span(course.transplanted_on),
        "doubts": [each for each in Doubt if each in course.doubts],
        "overall": said_timed(timed(course, Endpoint.OVERALL)),
        "transplant_free": said_timed(timed(course, Endpoint.TRANSPLANT_FREE)),
    }


def said_timed(each: Timed) -> dict[str, Any]:
    return {
        "day": each.time,
        "last_day": each.latest,
        "cause": each.cause,
        "censored": each.censored,
        "untimed": each.untimed,
    }


def _span(span: Span | None) -> dict[str, Any] | None:
    return None if span is None else {"first": span.earliest, "last": span.latest}


def _number(value: Decimal | None) -> str | None:
    return None if value is None else format(value.quantize(_PLACES), "f")


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {"low": _number(interval.low), "high": _number(interval.high)}
