"""The subjects behind a figure of the endpoints' page: who is counted there, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from outcomes.endpoint_words import CAUSES, CENSORED, DOUBTS, STATES, UNTIMED
from outcomes.endpoints.conversion import Converted
from outcomes.endpoints.course import Course
from outcomes.endpoints.milestones import ALIVE, Milestone, State, is_due
from outcomes.endpoints.report import Endpoints
from outcomes.endpoints.tables import Cause
from outcomes.endpoints.timing import Timed
from outcomes.pages.endpoints import DEATH, OVERALL, TITLES, TRANSPLANT


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One subject of a figure with what put it there."""

    course: Course
    says: str
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The subjects behind one figure."""

    title: str
    members: tuple[Member, ...]


def group_of(found: Endpoints, *, of: str, what: str, day: int | None) -> Group | None:
    """The subjects behind a figure; None where the page has no such figure."""
    if of in TITLES:
        return _of_curve(found, of, what, day)
    if day is None:
        return None
    if of == "milestone":
        return _of_milestone(found, what, day)
    return _of_conversion(found, what, day) if of == "conversion" else None


def everybody(found: Endpoints) -> Group:
    """All enrolled subjects."""
    return Group(
        title=_("Enrolled"),
        members=tuple(_member(course, _enrolled(course)) for course in found.courses),
    )


def doubtful(found: Endpoints) -> list[Member]:
    """The subjects with something to look at, each with what it is."""
    return [_member(course, "") for course in found.doubtful]


def _enrolled(course: Course) -> str:
    if course.dosed_on is None:
        return _("Enrolled on %(day)s, not treated.") % {"day": course.enrolled_on}
    return _("Enrolled on %(enrolled)s, first treated on %(dosed)s.") % {
        "enrolled": course.enrolled_on,
        "dosed": course.dosed_on,
    }


def _member(course: Course, says: str) -> Member:
    doubts = tuple(str(DOUBTS[each]) for each in sorted(course.doubts))
    return Member(course=course, says=says, doubts=doubts)


# The curves


def _of_curve(found: Endpoints, of: str, what: str, day: int | None) -> Group | None:
    survival = found.overall if of == OVERALL else found.transplant_free
    chosen = _chosen(of, what, day)
    if chosen is None:
        return None
    title, holds = chosen
    members = [_member(each.course, _timed(each)) for each in survival.times if holds(each)]
    return Group(title=f"{TITLES[of]}: {title}", members=tuple(members))


def _chosen(of: str, what: str, day: int | None) -> tuple[str, Callable[[Timed], bool]] | None:
    causes = {TRANSPLANT: (Cause.TRANSPLANT,), DEATH: (Cause.DEATH,)}.get(
        of, (Cause.DEATH, Cause.TRANSPLANT)
    )
    if what == "all":
        return _("everybody with a time"), lambda each: each.time is not None
    if what == "left_out":
        return _("in no estimate"), lambda each: each.untimed is not None
    if what == "events":
        return _("events"), lambda each: each.time is not None and each.cause in causes
    if day is None:
        return None
    if what == "at_risk":
        title = _("at risk just before day %(day)s") % {"day": day}
        return title, lambda each: each.time is not None and each.time >= day
    if what == "day":
        return _("day %(day)s") % {"day": day}, lambda each: each.time == day
    return None


def _timed(each: Timed) -> str:
    if each.untimed is not None:
        return str(UNTIMED[each.untimed])
    if each.censored is not None:
        return _("Censored on day %(day)s: %(why)s.") % {
            "day": each.time,
            "why": CENSORED[each.censored],
        }
    if each.exact:
        return _("%(event)s on day %(day)s.") % {"event": CAUSES[each.cause], "day": each.time}
    return _("%(event)s between day %(first)s and day %(last)s.") % {
        "event": CAUSES[each.cause],
        "first": each.time,
        "last": each.latest,
    }


# The milestones


def _of_milestone(found: Endpoints, what: str, day: int) -> Group | None:
    milestone = next((each for each in found.milestones if each.day == day), None)
    if milestone is None:
        return None
    chosen = _in_milestone(milestone, what)
    if chosen is None:
        return None
    title, keys = chosen
    said = {
        course.subject: str(STATES[state])
        for state, courses in milestone.subjects.items()
        for course in courses
    }
    members = tuple(
        _member(course, said[course.subject]) for course in found.courses if course.subject in keys
    )
    return Group(title=_("Day %(day)s: %(what)s") % {"day": day, "what": title}, members=members)


def _in_milestone(milestone: Milestone, what: str) -> tuple[str, set[object]] | None:
    by_state = milestone.subjects
    alive = [course for state in ALIVE for course in by_state[state]]
    dead = by_state[State.DEAD]
    everyone = [course for courses in by_state.values() for course in courses]
    groups: dict[str, tuple[str, Sequence[Course]]] = {
        "alive": (_("proven alive"), alive),
        "alive_dosed": (_("proven alive, of those treated"), [c for c in alive if c.dosed]),
        "evaluable": (
            _("evaluable"),
            [*alive, *(course for course in dead if is_due(course, milestone.day))],
        ),
        "dosed": (_("treated"), [course for course in everyone if course.dosed]),
        "enrolled": (_("enrolled"), everyone),
        "early": (
            _("dead before the day has come"),
            [course for course in dead if not is_due(course, milestone.day)],
        ),
        **{state.value: (str(STATES[state]), courses) for state, courses in by_state.items()},
    }
    if what not in groups:
        return None
    title, courses = groups[what]
    return title, {course.subject for course in courses}


# Conversion


def _of_conversion(found: Endpoints, what: str, day: int) -> Group | None:
    crude = next((each for each in found.conversion.crude if each.day == day), None)
    if crude is None:
        return None
    groups: dict[str, tuple[str, Iterable[Course]]] = {
        "transplanted": (_("transplanted by then"), crude.transplanted),
        "unsettled": (_("not known whether transplanted by then"), crude.unsettled),
        "dosed": (_("treated"), [course for course in found.courses if _counts(course)]),
    }
    if what not in groups:
        return None
    title, courses = groups[what]
    members = tuple(_member(course, _converted(course, crude)) for course in courses)
    return Group(title=_("Day %(day)s: %(what)s") % {"day": day, "what": title}, members=members)


def _counts(course: Course) -> bool:
    return course.dosed and course.anchor_on is not None


def _converted(course: Course, crude: Converted) -> str:
    if course in crude.transplanted:
        return _("Transplanted on %(day)s.") % {"day": course.transplanted_on}
    if course in crude.unsettled:
        return str(STATES[State.UNKNOWN])
    return _("Not transplanted by then, as far as is known.")
