"""The page of the endpoints: curves with their numbers, milestones, conversion.

Every count and every point carries the address of its subjects (`outcomes.pages.behind`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from outcomes.charts.steps import Stair, StepFigure, step_figure
from outcomes.endpoint_words import ABSENT, STATES
from outcomes.endpoints.competing import Incidence, Rise
from outcomes.endpoints.conversion import Converted
from outcomes.endpoints.milestones import Milestone, State
from outcomes.endpoints.proportions import Proportion
from outcomes.endpoints.report import Endpoints
from outcomes.endpoints.survival import Curve, Point, Step
from outcomes.pages.numbers import interval, percent
from outcomes.pages.words import STATES_SAY

#: Makes the address of the subjects behind a figure.
Behind = Callable[..., str]

OVERALL, FREE, TRANSPLANT, DEATH = "overall", "transplant_free", "transplant", "death"

TITLES: dict[str, Promise] = {
    OVERALL: gettext_lazy("Overall survival"),
    FREE: gettext_lazy("Transplant-free survival"),
    TRANSPLANT: gettext_lazy("Cumulative incidence of transplantation"),
    DEATH: gettext_lazy("Cumulative incidence of death without transplantation"),
}
SAYS: dict[str, Promise] = {
    OVERALL: gettext_lazy(
        "Death of any cause is the event; a transplantation is neither event nor end of "
        "observation. Kaplan–Meier, 95 % interval by log(−log)."
    ),
    FREE: gettext_lazy(
        "Death or transplantation, whichever is first, is the event. Kaplan–Meier, 95 % "
        "interval by log(−log)."
    ),
    TRANSPLANT: gettext_lazy(
        "Transplantation with death as the competing event. Aalen–Johansen, 95 % interval by "
        "log(−log)."
    ),
    DEATH: gettext_lazy(
        "Death before any transplantation, with transplantation as the competing event. "
        "Aalen–Johansen, 95 % interval by log(−log)."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRow:
    """The estimate on one of the protocol's days."""

    day: int
    at_risk: int
    at_risk_href: str
    value: str
    interval: str
    absent: str
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A day of the table behind a curve."""

    day: int
    at_risk: int
    deaths: int
    transplants: int
    censored: int
    value: str
    interval: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePanel:
    """One curve with everything beside it."""

    key: str
    title: str
    says: str
    figure: StepFigure
    subjects: int
    subjects_href: str
    events: int
    events_href: str
    points: list[PointRow]
    steps: list[StepRow]
    spoken: str
    median: str = ""
    inexact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCell:
    """How many are in a state, and who."""

    key: str
    count: int
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A proportion: the counts first, then the estimate with both intervals or the reason."""

    key: str
    count: int
    of: int
    value: str
    wilson: str
    exact: str
    absent: str
    count_href: str
    of_href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneRow:
    """One day of the milestone table."""

    day: int
    name: str
    states: list[StateCell]
    shares: list[Share]
    unknown: int
    early: int
    early_href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRow:
    """Conversion to transplantation by a day, crudely counted and as incidence."""

    day: int
    crude: Share
    unsettled: int
    unsettled_href: str
    waiting: int
    estimated: bool
    incidence: str
    incidence_interval: str
    incidence_absent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A state as a column, with what it counts."""

    key: str
    title: str | Promise
    says: str | Promise


STATE_HEADINGS = tuple(Heading(key=s.value, title=STATES[s], says=STATES_SAY[s]) for s in State)


def panels(found: Endpoints, behind: Behind) -> list[CurvePanel]:
    """The four curves."""
    survival, conversion = found.survival_days, found.conversion
    free = found.transplant_free
    return [
        _survival(OVERALL, found.overall.curve, found.overall.points, survival, behind,
                  found.overall.points_latest),
        _survival(FREE, free.curve, free.points, survival, behind, free.points_latest),
        _incidence(TRANSPLANT, conversion.transplant, survival, behind),
        _incidence(DEATH, conversion.death, survival, behind),
    ]  # fmt: skip


def _survival(
    key: str,
    curve: Curve,
    points: Sequence[Point],
    days: Sequence[int],
    behind: Behind,
    latest: Sequence[Point],
) -> CurvePanel:
    own = {step.row.time: len(step.row.events) for step in curve.steps}
    return _panel(
        key, curve.steps, points, days, behind, at_risk=curve.at_risk, begin=Decimal(1), own=own,
        subjects=curve.subjects, events=curve.events, median=_median(curve),
        inexact=_inexact(latest),
    )  # fmt: skip


def _incidence(key: str, found: Incidence, days: Sequence[int], behind: Behind) -> CurvePanel:
    own = {
        rise.row.time: len(rise.row.transplants if key == TRANSPLANT else rise.row.deaths)
        for rise in found.steps
    }
    points = [found.at(day) for day in days]
    return _panel(
        key, found.steps, points, days, behind, at_risk=found.at_risk, begin=Decimal(0), own=own,
        subjects=found.subjects, events=found.events,
    )  # fmt: skip


def _panel(
    key: str,
    steps: Sequence[Step | Rise],
    points: Iterable[Point],
    days: Sequence[int],
    behind: Behind,
    *,
    at_risk: Callable[[int], int],
    begin: Decimal,
    own: dict[int, int],
    **counts: int | str,
) -> CurvePanel:
    rows = [_point(key, point, behind) for point in points]
    stairs = [_stair(key, step, own[step.row.time], behind) for step in steps]
    return CurvePanel(
        key=key,
        title=str(TITLES[key]),
        says=str(SAYS[key]),
        figure=step_figure(stairs, begin=begin, ticks=days, at_risk=at_risk),
        points=rows,
        steps=[_step(key, step, behind) for step in steps],
        subjects_href=behind(of=key, what="all"),
        events_href=behind(of=key, what="events"),
        spoken=" ".join(_spoken(row) for row in rows),
        **counts,  # type: ignore[arg-type]
    )


def _spoken(row: PointRow) -> str:
    if not row.known:
        return _("Day %(day)s: no estimate.") % {"day": row.day}
    return _("Day %(day)s: %(value)s.") % {"day": row.day, "value": row.value}


def _point(key: str, point: Point, behind: Behind) -> PointRow:
    return PointRow(
        day=point.day,
        at_risk=point.at_risk,
        at_risk_href=behind(of=key, what="at_risk", day=point.day),
        value=percent(point.value),
        interval=interval(point.interval),
        absent=str(ABSENT[point.absent]) if point.absent else "",
        known=point.value is not None,
    )


def _stair(key: str, step: Step | Rise, events: int, behind: Behind) -> Stair:
    row, limits = step.row, step.interval
    href = behind(of=key, what="day", day=row.time)
    said = ngettext("Day %(day)s: %(n)s event", "Day %(day)s: %(n)s events", events)
    gone = ngettext("Day %(day)s: %(n)s censored", "Day %(day)s: %(n)s censored", len(row.censored))
    return Stair(
        day=row.time,
        value=step.value,
        low=limits.low if limits else None,
        high=limits.high if limits else None,
        says=said % {"day": row.time, "n": events} + f", {percent(step.value)}",
        href=href if events else "",
        events=events,
        censored=len(row.censored),
        censored_says=gone % {"day": row.time, "n": len(row.censored)},
        censored_href=href,
    )


def _step(key: str, step: Step | Rise, behind: Behind) -> StepRow:
    row = step.row
    return StepRow(
        day=row.time,
        at_risk=row.at_risk,
        deaths=len(row.deaths),
        transplants=len(row.transplants),
        censored=len(row.censored),
        value=percent(step.value),
        interval=interval(step.interval),
        href=behind(of=key, what="day", day=row.time),
    )


def _median(curve: Curve) -> str:
    found = curve.median
    if found.day is None:
        return _("Median: not reached.")
    low = "–" if found.low is None else str(found.low)
    high = _("not reached") if found.high is None else str(found.high)
    return _("Median: day %(day)s (95 %% interval %(low)s to %(high)s).") % {
        "day": found.day,
        "low": low,
        "high": high,
    }


def _inexact(latest: Sequence[Point]) -> str:
    """What the estimates are where inexact dates count on their last possible day."""
    if not latest:
        return ""
    said = "; ".join(
        _("day %(day)s %(value)s") % {"day": point.day, "value": percent(point.value)}
        for point in latest
    )
    return _(
        "A date is not known to the day. Events are counted on the first day they may have "
        "been on; on the last it would be: %(said)s."
    ) % {"said": said}


def milestone_rows(found: Endpoints, names: dict[int, str], behind: Behind) -> list[MilestoneRow]:
    """The milestone table: a line for each of the protocol's days."""
    return [_milestone(each, names.get(each.day, ""), behind) for each in found.milestones]


def _milestone(each: Milestone, name: str, behind: Behind) -> MilestoneRow:
    def at(what: str) -> str:
        return behind(of="milestone", what=what, day=each.day)

    shares = (
        ("evaluable", each.alive_of_evaluable, "alive"),
        ("dosed", each.alive_of_dosed, "alive_dosed"),
        ("enrolled", each.alive_of_enrolled, "alive"),
        ("native", each.native_of_evaluable, State.ALIVE_NATIVE.value),
    )
    return MilestoneRow(
        day=each.day,
        name=name,
        states=[
            StateCell(key=state.value, count=each.count(state), href=at(state.value))
            for state in State
        ],
        shares=[
            _share(key, share, at(who), at("evaluable" if key == "native" else key))
            for key, share, who in shares
        ],
        unknown=each.unknown,
        early=each.dead_before_due,
        early_href=at("early"),
    )


def _share(key: str, share: Proportion, count_href: str, of_href: str) -> Share:
    return Share(
        key=key,
        count=share.count,
        of=share.of,
        value=percent(share.value),
        wilson=interval(share.wilson),
        exact=interval(share.exact),
        absent=str(ABSENT[share.absent]) if share.absent else "",
        count_href=count_href,
        of_href=of_href,
    )


def conversion_rows(found: Endpoints, behind: Behind) -> list[ConversionRow]:
    """Conversion to transplantation: crude counts beside the incidence."""
    points = found.conversion.transplant_points
    pairs = zip(found.conversion.crude, points, strict=True)
    return [_conversion(crude, point, behind) for crude, point in pairs]


def _conversion(crude: Converted, point: Point, behind: Behind) -> ConversionRow:
    def at(what: str) -> str:
        return behind(of="conversion", what=what, day=crude.day)

    return ConversionRow(
        day=crude.day,
        crude=_share("dosed", crude.crude, at("transplanted"), at("dosed")),
        unsettled=len(crude.unsettled),
        unsettled_href=at("unsettled"),
        waiting=crude.not_yet_due,
        estimated=point.value is not None,
        incidence=percent(point.value),
        incidence_interval=interval(point.interval),
        incidence_absent=str(ABSENT[point.absent]) if point.absent else "",
    )
