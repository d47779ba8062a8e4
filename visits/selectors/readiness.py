"""Can this subject be treated now? One screen, and the gate of a session's start (C18).

What stops here refuses the start (`visits.services.session_start`): page and gate are
judged by the same lines.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from screening.models.consent import Scope
from screening.models.forms.examination import Examination, Grade
from screening.selectors.consent import standing_of
from screening.standing import Standing
from trialsite.casebook.models import ClosingCause, Subject, SubjectStatus
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.services.closings import closed_problem
from trialsite.conduct.selectors import treatment_refusals
from trialsite.core.clock import trial_now
from trialsite.labs.names import analyte_names
from trialsite.labs.selectors import lab_facts
from trialsite.protocol import EventRole, Protocol
from trialsite.protocol.labs import LabPanel
from visits.effective import moment
from visits.models import TreatmentSession
from visits.models.session_codes import Modality
from visits.selectors.products import loadable_lots, lot_problem
from visits.selectors.sessions import last_ended, prepared_session

Verdict = Literal["ok", "warn", "stop", "unknown"]

TITLES: dict[str, Promise] = {
    "enrolment": gettext_lazy("Enrolment"),
    "consent": gettext_lazy("Consent"),
    "capacity": gettext_lazy("Capacity to consent"),
    "hold": gettext_lazy("Holds and gates"),
    "running": gettext_lazy("Other sessions"),
    "encephalopathy": gettext_lazy("Hepatic encephalopathy"),
    "labs": gettext_lazy("Laboratory"),
    "gap": gettext_lazy("Time since the last session"),
    "product": gettext_lazy("Cell product"),
    "checklist": gettext_lazy("Checklist"),
}

_SEVERE = (Grade.III, Grade.IV)
_HOUR = Decimal(3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that is looked at before a treatment, and what it says."""

    key: str
    verdict: Verdict
    said: str
    href: str = ""

    @property
    def title(self) -> str:
        return str(TITLES[self.key])


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Every line, and whether a session may start now."""

    lines: tuple[Line, ...]
    session: TreatmentSession | None = None

    @property
    def may_treat(self) -> bool:
        return not self.stops

    @property
    def stops(self) -> tuple[Line, ...]:
        """What refuses the start of a session."""
        return tuple(line for line in self.lines if line.verdict == "stop")

    def line(self, key: str) -> Line:
        """The line of this key."""
        return next(line for line in self.lines if line.key == key)


def readiness(
    subject: Subject,
    *,
    now: dt.datetime | None = None,
    session: TreatmentSession | None = None,
) -> Readiness:
    """Whether a subject can be treated now; `session` is the one about to start, if not the
    next that is prepared."""
    look = _Look(subject, now or trial_now(), session or prepared_session(subject))
    return Readiness(lines=tuple(look.lines()), session=look.session)


@dataclass
class _Look:
    """What is read once for all lines."""

    subject: Subject
    now: dt.datetime
    session: TreatmentSession | None
    protocol: Protocol = field(init=False)

    def __post_init__(self) -> None:
        self.protocol = protocol_of(self.subject.protocol_version_id)

    @cached_property
    def standing(self) -> Standing:
        return standing_of(self.subject, now=self.now)

    @cached_property
    def treated(self) -> int:
        """How many sessions of the subject have been started."""
        return TreatmentSession.objects.started().filter(subject=self.subject).count()

    @property
    def zone(self) -> str:
        return self.subject.site.time_zone

    def lines(self) -> Iterator[Line]:
        yield self.enrolment()
        yield self.consent()
        yield self.capacity()
        yield self.hold()
        yield self.running()
        yield self.encephalopathy()
        yield self.labs()
        yield self.gap()
        yield self.product()
        yield self.checklist()

    def enrolment(self) -> Line:
        href = reverse("screening:eligibility", args=[self.subject.pk])
        if self.subject.died_on:
            said = _("The participant died on %(date)s.") % {"date": self.subject.died_on}
            return Line(key="enrolment", verdict="stop", said=said)
        if self.subject.status != SubjectStatus.ENROLLED:
            said = _("Not enrolled: %(status)s.") % {"status": self.subject.get_status_display()}
            return Line(key="enrolment", verdict="stop", said=said, href=href)
        today = self.now.astimezone(ZoneInfo(self.zone)).date()
        ended = ClosingCause.EARLY_TERMINATION
        if over := closed_problem(self.subject, EventRole.TREATMENT, today, cause=ended):
            said = _("The study treatment has ended. %(why)s") % {"why": over}
            return Line(key="enrolment", verdict="stop", said=said)
        said = _("Enrolled as %(number)s.") % {"number": self.subject.label}
        return Line(key="enrolment", verdict="ok", said=said, href=href)

    def consent(self) -> Line:
        href = reverse("screening:consent", args=[self.subject.pk])
        silent = set(self.standing.capacity_refusals())
        reasons = [each for each in self.standing.refusals(Scope.TREATMENT) if each not in silent]
        if reasons:
            return Line(key="consent", verdict="stop", said=" ".join(reasons), href=href)
        fact = self.standing.fact
        said = _("Version %(version)s, signed %(date)s.") % {
            "version": self.standing.consents[-1].document.version,
            "date": fact.given_on.isoformat() if fact else "–",
        }
        return Line(key="consent", verdict="ok", said=said, href=href)

    def capacity(self) -> Line:
        href = reverse("screening:consent", args=[self.subject.pk])
        if reasons := self.standing.capacity_refusals():
            return Line(key="capacity", verdict="stop", said=" ".join(reasons), href=href)
        if self.standing.lost_since is not None:
            said = _("Capacity is lost; a representative has consented to go on.")
            return Line(key="capacity", verdict="warn", said=said, href=href)
        if not self.standing.assessments:
            said = _("Capacity has not been assessed.")
            return Line(key="capacity", verdict="unknown", said=said, href=href)
        return Line(key="capacity", verdict="ok", said=_("Present."), href=href)

    def hold(self) -> Line:
        href = reverse("conduct:holds")
        first = None if self.treated else self.subject.protocol_version_id
        if reasons := treatment_refusals(site_id=self.subject.site_id, first_under=first):
            return Line(key="hold", verdict="stop", said=" ".join(reasons), href=href)
        return Line(key="hold", verdict="ok", said=_("No hold stands."), href=href)

    def running(self) -> Line:
        others = TreatmentSession.objects.running().filter(subject=self.subject)
        if self.session is not None:
            others = others.exclude(pk=self.session.pk)
        other = others.first()
        if other is not None:
            said = _("Session %(number)d is running.") % {"number": other.number}
            href = reverse("crf:record", args=[other.pk])
            return Line(key="running", verdict="stop", said=said, href=href)
        return Line(key="running", verdict="ok", said=_("No session is running."))

    def encephalopathy(self) -> Line:
        last = (
            Examination.objects.filter(
                subject=self.subject,
                record__voided_at=None,
                grade__isnull=False,
                assessed_at__isnull=False,
            )
            .order_by("-assessed_at")
            .first()
        )
        if last is None:
            said = _("The grade has not been assessed.")
            return Line(key="encephalopathy", verdict="unknown", said=said)
        href = reverse("crf:record", args=[last.pk])
        hours = self._hours_since(moment(last.assessed_at, last.time_zone))
        said = _("Grade %(grade)s, %(hours)s hours ago.") % {
            "grade": last.get_grade_display(),
            "hours": hours,
        }
        late = self._too_old(hours)
        verdict: Verdict = "warn" if last.grade in _SEVERE or late else "ok"
        return Line(key="encephalopathy", verdict=verdict, said=said, href=href)

    def labs(self) -> Line:
        href = reverse("labs:subject", args=[self.subject.pk])
        panels = self._wanted_panels()
        wanted = sorted({analyte for panel in panels for analyte in panel.analytes}) or None
        facts = [fact for fact in lab_facts(self.subject, wanted) if fact.collected_at <= self.now]
        #: Of each analyte the newest result; what was not measured is none.
        hours = {
            fact.analyte: self._hours_since(fact.collected_at)
            for fact in reversed(facts)
            if not fact.missing
        }
        if not hours:
            said = _("No result is on record.")
            return Line(key="labs", verdict="unknown", said=said, href=href)
        said = _("Last drawn %(hours)s hours ago.") % {"hours": min(hours.values())}
        fresh = {analyte for analyte, age in hours.items() if not self._too_old(age)}
        verdict: Verdict = "ok" if fresh else "warn"
        if fresh and (lacking := self._lacking(panels, fresh)):
            plan, verdict = self.protocol.sessions, "warn"
            said += " " + _("No result of the last %(hours)s hours: %(what)s.") % {
                "hours": f"{plan.labs_within_hours.normalize():f}" if plan else "–",
                "what": "; ".join(lacking),
            }
        return Line(key="labs", verdict=verdict, said=said, href=href)

    def _lacking(self, panels: list[LabPanel], fresh: set[str]) -> list[str]:
        """What the newest results do not cover: whole panels by their name, else the analytes."""
        names, language = analyte_names(self.protocol.labs), get_language() or "en"
        found = []
        for panel in panels:
            late = [analyte for analyte in panel.analytes if analyte not in fresh]
            title = panel.name.in_language(language)
            if late and len(late) == len(panel.analytes):
                found.append(title)
            elif late:
                found.append(f"{title}: {', '.join(names[analyte] for analyte in late)}")
        return found

    def _wanted_panels(self) -> list[LabPanel]:
        """The panels that the protocol expects at a treatment."""
        events = self.protocol.schedule.with_role(EventRole.TREATMENT)
        keys = {panel for event in events for panel in event.lab_panels}
        return [panel for panel in self.protocol.labs.panels if panel.key in keys]

    def gap(self) -> Line:
        last = last_ended(self.subject)
        if last is None or last.ended_at is None:
            return Line(key="gap", verdict="ok", said=_("No session before."))
        hours = self._hours_since(moment(last.ended_at, last.time_zone))
        plan = self.protocol.sessions
        said = _("Session %(number)d ended %(hours)s hours ago.") % {
            "number": last.number,
            "hours": hours,
        }
        short = plan is not None and hours < plan.gap_hours
        if short and plan is not None:
            said += " " + _("The protocol plans %(least)s hours at least.") % {
                "least": f"{plan.gap_hours.normalize():f}"
            }
        full = plan is not None and self.treated >= plan.sessions_at_most
        if full and plan is not None:
            said += " " + _("The protocol plans %(most)d sessions at most.") % {
                "most": plan.sessions_at_most
            }
        return Line(key="gap", verdict="warn" if short or full else "ok", said=said)

    def product(self) -> Line:
        if self.session is None:
            return self._stock()
        if Modality.REACTOR not in self.session.modality:
            said = _("A session without the MSC reactor: %(why)s") % {
                "why": self.session.no_cells_reason
            }
            return Line(key="product", verdict="ok", said=said)
        loaded = list(self.session.products.standing().select_related("lot"))
        if not loaded:
            return Line(key="product", verdict="stop", said=_("No cells are loaded."))
        problems = [
            f"{each.lot.code}: {problem}"
            for each in loaded
            if (problem := lot_problem(each.lot, self.now))
        ]
        if problems:
            return Line(key="product", verdict="stop", said=" ".join(problems))
        said = _("Loaded: %(lots)s.") % {"lots": ", ".join(sorted({x.lot.code for x in loaded}))}
        return Line(key="product", verdict="ok", said=said)

    def _stock(self) -> Line:
        today = self.now.astimezone(ZoneInfo(self.zone)).date()
        lots = loadable_lots(self.subject.site_id, today)
        if not lots:
            said = _("The site has no released lot.")
            return Line(key="product", verdict="stop", said=said)
        said = _("Available: %(lots)s.") % {"lots": ", ".join(lot.code for lot in lots)}
        return Line(key="product", verdict="ok", said=said)

    def checklist(self) -> Line:
        if self.session is None:
            said = _("No session is prepared yet.")
            return Line(key="checklist", verdict="unknown", said=said)
        href = reverse("crf:record", args=[self.session.pk])
        given = {each.key: each for each in self.session.answers.all()}
        plan = self.protocol.sessions
        items = plan.checklist if plan else ()
        language = get_language() or "en"
        names = {item.key: item.name.in_language(language) for item in items}
        reasons = []
        if open_ := [name for key, name in names.items() if key not in given]:
            reasons.append(_("Not answered: %(what)s.") % {"what": "; ".join(open_)})
        refused = [n for key, n in names.items() if key in given and not given[key].lets_start]
        if refused:
            reasons.append(
                _("Answered “no”, and no physician has let it pass: %(what)s.")
                % {"what": "; ".join(refused)}
            )
        if reasons:
            return Line(key="checklist", verdict="stop", said=" ".join(reasons), href=href)
        passed = [n for key, n in names.items() if not given[key].answer]
        if passed:
            said = _("A physician has let pass: %(what)s.") % {"what": "; ".join(passed)}
            return Line(key="checklist", verdict="warn", said=said, href=href)
        return Line(key="checklist", verdict="ok", said=_("All confirmed."), href=href)

    def _hours_since(self, then: dt.datetime) -> Decimal:
        seconds = Decimal(int((self.now - then).total_seconds()))
        return (seconds / _HOUR).quantize(Decimal("0.1"), rounding=ROUND_FLOOR)

    def _too_old(self, hours: Decimal) -> bool:
        plan = self.protocol.sessions
        return plan is not None and hours > plan.labs_within_hours
