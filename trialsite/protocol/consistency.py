"""What must hold between the parts of a protocol once each part could be read."""

import itertools
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from .criteria import Criterion
from .labs import Analyte, Labs
from .problems import Mark, Problem
from .proposals import SafetyProposals
from .reading import Reader
from .reminders import ReminderPlan
from .reporting import reporting_findings
from .rules import GradeAtMost, LabUse, Rule
from .schedule import EventKind, EventRole, Schedule, StudyEventDef
from .sessions import ItemLimits, SessionPlan
from .study import Anchor, AnchorKind, Outcomes
from .values import Bound, Interval

Finding = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the caller knows to exist; None leaves a name unchecked."""

    forms: Collection[str] | None = None
    roles: Collection[str] | None = None
    items: Collection[str] | None = None


def inconsistencies(parts: dict[str, Any], reader: Reader, known: Known) -> Iterator[Problem]:
    """Every contradiction between the sections that could be read."""
    labs: Labs = parts.get("labs") or Labs()
    checks: tuple[tuple[str, Callable[[Any], Iterator[Finding]]], ...] = (
        ("schedule", lambda schedule: _schedule(schedule, reader, known)),
        ("anchor", lambda anchor: _anchor(anchor, parts.get("schedule"), reader)),
        ("criteria", lambda criteria: _criteria(criteria, labs, reader, known)),
        ("labs", lambda section: _labs(section, reader)),
        ("sessions", lambda plan: _sessions(plan, reader)),
        ("item_limits", _item_limits),
        ("reminders", lambda plan: _reminders(plan, known)),
        ("safety_reporting", reporting_findings),
        ("proposals", _proposals),
        ("outcomes", lambda outcomes: _outcomes(outcomes, reader)),
    )
    for name, check in checks:
        if parts.get(name) is not None:
            for path, message in check(parts[name]):
                yield Problem.at(_nearest(reader, path), path, message)


def _nearest(reader: Reader, path: str) -> Mark:
    """The mark of a path, or of the closest part above it that stands in the file."""
    while path not in reader.marks and path:
        path = path.rpartition(".")[0]
    return reader.marks.get(path, Mark(line=1, column=1))


def _names(reader: Reader, path: str) -> tuple[str, ...]:
    return reader.names.get(path, ())


def _unknown(
    path: str, names: Collection[str], known: Collection[str], what: str
) -> Iterator[Finding]:
    for name in names:
        if name not in known:
            yield path, f"Unknown {what} {name!r}; known are {', '.join(sorted(known)) or 'none'}."


def _schedule(schedule: Schedule, reader: Reader, known: Known) -> Iterator[Finding]:
    for event in schedule.events:
        path = f"schedule.events.{event.oid}"
        yield from _event(event, path)
        yield from _expected(event, path, reader, known)
    yield from _overlaps(schedule)
    yield from _visitnums(schedule)


def _event(event: StudyEventDef, path: str) -> Iterator[Finding]:
    if (event.target_day is None) != (event.window is None):
        yield path, "A target day and a window go together; give both or neither."
    elif event.window and event.target_day is not None and event.target_day not in event.window:
        yield (
            f"{path}.window",
            f"The window {event.window} leaves out the target day {event.target_day}; widen it.",
        )
    dated = event.target_day is not None
    if event.kind is EventKind.SCHEDULED and not dated and event.role is not EventRole.TREATMENT:
        yield path, "A scheduled event needs target_day and window."
    if event.kind is not EventKind.SCHEDULED and dated:
        yield f"{path}.target_day", "Only a scheduled event has a target day; remove it."
    if event.repeat_limit < 1:
        yield f"{path}.repeat_limit", "An event occurs at least once."
    elif event.repeating and dated:
        yield f"{path}.repeat_limit", "An event with a target day occurs once; remove the limit."
    if event.role is EventRole.DAY_ZERO and event.target_day != 0:
        yield f"{path}.target_day", "The day-zero event has target day 0."


def _expected(event: StudyEventDef, path: str, reader: Reader, known: Known) -> Iterator[Finding]:
    panels, specimens = _names(reader, "labs.panels"), _names(reader, "samples.specimens")
    for field, names in (("forms", event.forms), ("optional_forms", event.optional_forms)):
        yield from _repeated(f"{path}.{field}", names)
        if known.forms is not None:
            yield from _unknown(f"{path}.{field}", names, known.forms, "form")
    for field in ("lab_panels", "optional_lab_panels"):
        yield from _unknown(f"{path}.{field}", getattr(event, field), panels, "lab panel")
    for field in ("samples", "optional_samples"):
        yield from _unknown(f"{path}.{field}", getattr(event, field), specimens, "specimen")


def _repeated(path: str, names: tuple[str, ...]) -> Iterator[Finding]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield path, f"{name!r} is listed twice; keep one."


def _overlaps(schedule: Schedule) -> Iterator[Finding]:
    """Scheduled visits after the anchor may not share a day: an attended date must say which
    visit it was."""
    later = [
        (event, event.window)
        for event in schedule.events
        if event.window and event.target_day is not None and event.target_day > 0
    ]
    for (one, window), (other, other_window) in itertools.combinations(later, 2):
        if window.shares_a_day_with(other_window):
            message = (
                f"The window {other_window} of {other.oid} overlaps {window} of {one.oid}; "
                "narrow one so that no day belongs to both."
            )
            yield f"schedule.events.{other.oid}.window", message


def _visitnums(schedule: Schedule) -> Iterator[Finding]:
    numbered = [event for event in schedule.events if event.visitnum is not None]
    for one, other in itertools.combinations(numbered, 2):
        shared = set(one.visitnums) & set(other.visitnums)
        if shared:
            yield (
                f"schedule.events.{other.oid}.visitnum",
                f"VISITNUM {min(shared)} belongs to {one.oid} already; choose another.",
            )
    for event in schedule.events:
        if event.visitnum is None and event.kind is EventKind.SCHEDULED:
            yield f"schedule.events.{event.oid}", "A scheduled event needs a visitnum."


def _anchor(anchor: Anchor, schedule: Schedule | None, reader: Reader) -> Iterator[Finding]:
    if schedule is None or len(schedule.events) < len(_names(reader, "schedule.events")):
        return
    treats = {AnchorKind.FIRST_TREATMENT, AnchorKind.FINAL_TREATMENT}
    if anchor.kind in treats and not schedule.with_role(EventRole.TREATMENT):
        yield "anchor.kind", "Day zero is a treatment, but no event has the role treatment."


def _criteria(
    criteria: tuple[Criterion, ...], labs: Labs, reader: Reader, known: Known
) -> Iterator[Finding]:
    for prefix in ("IN", "EX"):
        names = _names(reader, "criteria")
        ids = [name for name in names if name.startswith(prefix) and name[2:].isdigit()]
        for number, name in enumerate(ids, start=1):
            if name != f"{prefix}{number:02}":
                yield f"criteria.{name}", f"Expected {prefix}{number:02} here; number without gaps."
    for criterion in criteria:
        yield from _rule(f"criteria.{criterion.id}.rule", criterion.rule, labs, reader)
        for field, oid in criterion.rule.item_uses():
            if known.items is not None and oid not in known.items:
                path = f"criteria.{criterion.id}.rule.{field}"
                yield path, f"No form has the item {oid!r}; name one that exists."


def _rule(path: str, rule: Rule, labs: Labs, reader: Reader) -> Iterator[Finding]:
    for use in rule.lab_uses():
        yield from _lab_use(f"{path}.{use.field}", use, labs, reader)
    for field, lower, upper in rule.ranges():
        yield from _range(f"{path}.{field}", lower, upper)
    if isinstance(rule, GradeAtMost):
        yield from _unknown(f"{path}.highest", (rule.highest,), rule.scale, "grade")


def _lab_use(path: str, use: LabUse, labs: Labs, reader: Reader) -> Iterator[Finding]:
    known = _names(reader, "labs.analytes")
    yield from _unknown(path, (use.analyte,), known, "analyte")
    analyte = next((one for one in labs.analytes if one.key == use.analyte), None)
    if analyte is None:
        return
    units = (analyte.unit, *_names(reader, f"labs.analytes.{use.analyte}.units"))
    for bound in use.bounds:
        if bound.unit not in units:
            message = (
                f"{use.analyte} has no factor for the unit {bound.unit!r}; "
                f"add it to its units or use {', '.join(units)}."
            )
            yield path, message


def _range(path: str, lower: Bound, upper: Bound) -> Iterator[Finding]:
    if lower.unit != upper.unit:
        yield path, f"The bounds have two units, {lower.unit} and {upper.unit}; use one."
    elif lower.value > upper.value:
        yield path, f"The lower bound {lower.value} is above the upper bound {upper.value}."
    elif lower.value == upper.value and not (lower.inclusive and upper.inclusive):
        yield path, "Equal bounds leave room for a value only if both are inclusive."


def _labs(labs: Labs, reader: Reader) -> Iterator[Finding]:
    analytes = _names(reader, "labs.analytes")
    for panel in labs.panels:
        path = f"labs.panels.{panel.key}.analytes"
        yield from _unknown(path, panel.analytes, analytes, "analyte")
        yield from _repeated(path, panel.analytes)
    for analyte in labs.analytes:
        yield from _analyte(analyte)
    if labs.rules:
        path, criteria = "labs.rules.flagged_criteria", _names(reader, "criteria")
        yield from _unknown(path, labs.rules.flagged_criteria, criteria, "criterion")


def _analyte(analyte: Analyte) -> Iterator[Finding]:
    path = f"labs.analytes.{analyte.key}"
    for accepted in analyte.units:
        if accepted.factor <= 0:
            yield f"{path}.units.{accepted.unit}", "A conversion factor is greater than zero."
        if accepted.unit == analyte.unit:
            yield f"{path}.units.{accepted.unit}", "This is the canonical unit; remove the line."
    yield from _soft_in_hard(path, analyte.soft, analyte.hard)


def _soft_in_hard(path: str, soft: Interval | None, hard: Interval | None) -> Iterator[Finding]:
    if soft and hard and not hard.encloses(soft):
        yield f"{path}.soft", "The soft range reaches beyond the hard range; narrow it."


def _item_limits(limits: tuple[ItemLimits, ...]) -> Iterator[Finding]:
    for item in limits:
        yield from _soft_in_hard(f"item_limits.{item.item}", item.soft, item.hard)


def _sessions(plan: SessionPlan, reader: Reader) -> Iterator[Finding]:
    panels = _names(reader, "labs.panels")
    yield from _unknown("sessions.post_lab_panels", plan.post_lab_panels, panels, "lab panel")
    if plan.readings.every < 1:
        yield "sessions.readings.every", "Readings are at least one minute apart."
    if plan.readings.interval_for_count < 1:
        yield "sessions.readings.interval_for_count", "An interval is at least one minute."


def _reminders(plan: ReminderPlan, known: Known) -> Iterator[Finding]:
    if (plan.quiet_from is None) != (plan.quiet_until is None):
        yield "reminders", "Quiet hours need both quiet_from and quiet_until."
    for rule in plan.rules:
        path = f"reminders.rules.{rule.key}.roles"
        if not rule.roles:
            yield path, "Name at least one role to remind."
        if known.roles is not None:
            yield from _unknown(path, rule.roles, known.roles, "role")


def _proposals(proposals: SafetyProposals) -> Iterator[Finding]:
    for group in ("holds", "gates", "monitors"):
        for proposal in getattr(proposals, group):
            if proposal.active:
                message = (
                    "A proposal is switched on by the principal investigator's signed "
                    "configuration, never by the file; write false."
                )
                yield f"proposals.{group}.{proposal.key}.active", message


def _outcomes(outcomes: Outcomes, reader: Reader) -> Iterator[Finding]:
    analytes = _names(reader, "labs.analytes")
    yield from _unknown("outcomes.biomarkers", outcomes.biomarkers, analytes, "analyte")
