"""What each role finds on Today: its sections, its figures, and where each figure opens."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from outcomes.models import AdverseEvent
from outcomes.models.codes import Outcome
from screening.selectors.enrolment import enrolled_total
from screening.selectors.log import Line as ScreeningLine
from screening.selectors.log import Step
from trialsite.access.capabilities import Capability, Role
from trialsite.access.models import Site, User
from trialsite.casebook.models import ConsentState, Subject
from trialsite.conduct.models import Deviation, DeviationStatus, Hold, ProposalStatus, ProposedHold
from trialsite.crf.models import stored
from trialsite.dashboard.owed import overdue_visits, owed_forms
from trialsite.dashboard.study import target_enrolment


class Section(StrEnum):
    """A part of the page."""

    BOARD = "board"
    LANES = "lanes"
    SIGNING = "signing"
    SAFETY = "safety"
    SITES = "sites"
    SAMPLES = "samples"
    FREEZING = "freezing"
    PEOPLE = "people"
    SESSIONS = "sessions"
    WEEK = "week"
    SCREENING = "screening"
    DRAFTS = "drafts"
    QUERIES = "queries"


_S = Section
_INVESTIGATOR = frozenset(
    {_S.BOARD, _S.LANES, _S.SIGNING, _S.SAFETY, _S.SESSIONS, _S.WEEK, _S.SCREENING, _S.DRAFTS,
     _S.QUERIES}
)  # fmt: skip
_OVERSIGHT = frozenset({_S.BOARD, _S.SITES, _S.QUERIES})

SECTIONS: dict[Role, frozenset[Section]] = {
    Role.RESEARCH_NURSE: frozenset(
        {
            _S.LANES,
            _S.FREEZING,
            _S.SESSIONS,
            _S.SCREENING,
            _S.DRAFTS,
            _S.QUERIES,
            _S.BOARD,
        }
    ),
    Role.PRINCIPAL_INVESTIGATOR: _INVESTIGATOR,
    Role.SUB_INVESTIGATOR: _INVESTIGATOR,
    Role.DATA_MANAGER: _OVERSIGHT,
    Role.MONITOR: _OVERSIGHT,
    Role.SAFETY_OFFICER: frozenset({_S.BOARD, _S.SAFETY, _S.SESSIONS, _S.WEEK}),
    Role.SAMPLE_TECHNICIAN: frozenset({_S.SAMPLES, _S.FREEZING}),
    Role.AUDITOR: frozenset({_S.BOARD, _S.SITES}),
    Role.SITE_RECRUITER: frozenset({_S.SCREENING}),
    Role.STUDY_ADMINISTRATOR: frozenset({_S.PEOPLE}),
    Role.SPONSOR: frozenset(),
}

#: What the page is for, in the words of each role.
WORDS: dict[Role, Promise] = {
    Role.RESEARCH_NURSE: gettext_lazy(
        "Visits with work left, the most urgent first; sessions, and what is asked of you, beside."
    ),
    Role.PRINCIPAL_INVESTIGATOR: gettext_lazy(
        "What waits for your decision, the state of safety, and visits late or closing."
    ),
    Role.SUB_INVESTIGATOR: gettext_lazy(
        "What waits for your decision, the state of safety, and visits late or closing."
    ),
    Role.DATA_MANAGER: gettext_lazy(
        "Answers to judge, and what is late or incomplete at each site."
    ),
    Role.MONITOR: gettext_lazy(
        "Answers to judge, and what is late or incomplete at each of your sites. "
        "You read and ask; the site enters."
    ),
    Role.SAFETY_OFFICER: gettext_lazy(
        "Serious adverse events that go on, holds and what asks for one, and the sessions of "
        "the week."
    ),
    Role.SAMPLE_TECHNICIAN: gettext_lazy(
        "Samples expected at the visits of today and the next seven days. Clinical results are "
        "no part of this page."
    ),
    Role.AUDITOR: gettext_lazy(
        "The state of the study at a glance; the audit trail and the access report hold the detail."
    ),
    Role.SITE_RECRUITER: gettext_lazy(
        "People who are considered for the study, longest waiting first, with the next step."
    ),
    Role.STUDY_ADMINISTRATOR: gettext_lazy(
        "People whose access needs you. Clinical data are no part of your role."
    ),
    Role.SPONSOR: gettext_lazy(
        "Your role reads de-identified results, which have their own place once they are "
        "released. No work waits for you here."
    ),
}


def sections_of(roles: Iterable[Role]) -> frozenset[Section]:
    """Every section that one of the roles finds."""
    return frozenset().union(*(SECTIONS[role] for role in roles))


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the board; it opens to the list behind it."""

    key: str
    title: str
    figure: str
    href: str
    #: "urgent", "warning" or nothing.
    tone: str = ""


def serious_events(user: User, sites: list[Site]) -> list[AdverseEvent]:
    """Serious adverse events that are not over, the latest first."""
    rows = stored(AdverseEvent).visible_to(user).at([site.pk for site in sites])
    over = (Outcome.RECOVERED, Outcome.SEQUELAE, Outcome.FATAL)
    found = rows.filter(serious=True, record__voided_at=None).exclude(outcome__in=over)
    return list(found.select_related("subject", "record", "site").order_by("-started_on")[:50])


def standing_holds(user: User, sites: list[Site]) -> list[Hold]:
    """Holds that bind these sites, the whole study's among them."""
    holds = Hold.objects.visible_to(user).at([site.pk for site in sites])
    return list(holds.filter(lifted_at=None).select_related("site"))


def proposed_holds(user: User, sites: list[Site]) -> list[ProposedHold]:
    """What asks for a hold and has not been decided."""
    rows = ProposedHold.objects.visible_to(user).at([site.pk for site in sites])
    return list(rows.filter(status=ProposalStatus.OPEN).select_related("site", "subject"))


def to_decide(screening: Iterable[ScreeningLine]) -> list[ScreeningLine]:
    """Who waits for an investigator's signature: a decision, or one that no longer stands."""
    return [line for line in screening if line.step == Step.DECIDE]


def proposed_deviations(user: User, sites: list[Site]) -> int:
    rows = Deviation.objects.visible_to(user).at([site.pk for site in sites])
    return rows.filter(status=DeviationStatus.PROPOSED).count()


def reconsents(user: User, sites: list[Site]) -> int:
    rows = Subject.objects.visible_to(user).at([site.pk for site in sites])
    return rows.filter(consent_state=ConsentState.RECONSENT_DUE).count()


def enrolled_tile() -> Tile:
    """Enrolled in the whole study against its target, which every site may learn (D6)."""
    target = target_enrolment()
    figure = f"{enrolled_total()}/{target}" if target else f"{enrolled_total()}"
    address = f"{reverse('dashboard:subjects')}?status=enrolled"
    return Tile("enrolled", _("Enrolled, of the target"), figure, address)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the board counts for one person."""

    user: User
    sites: list[Site]
    now: dt.datetime
    decisions: int = 0
    holds: int = 0
    proposals: int = 0
    serious: int = 0

    def tiles(self, roles: Iterable[Role]) -> list[Tile]:
        """The figures of these roles, in one order for all."""
        wanted = {name for role in roles for name in _TILES.get(role, ())}
        return [_MAKERS[name](self) for name in _MAKERS if name in wanted]


def _count(key: str, title: str, count: int, href: str, tone: str) -> Tile:
    return Tile(key, title, str(count), href, tone if count else "")


def _overdue(waiting: Waiting) -> Tile:
    count = overdue_visits(waiting.user, waiting.sites, now=waiting.now).count()
    href = f"{reverse('dashboard:compliance_visits')}?state=overdue"
    return _count("overdue", _("Overdue visits"), count, href, "urgent")


def _owed(waiting: Waiting) -> Tile:
    count = owed_forms(waiting.user, waiting.sites).count()
    href = reverse("dashboard:owed_forms")
    return _count("owed", _("Forms missing after visits"), count, href, "warning")


def _decisions(waiting: Waiting) -> Tile:
    title = _("Await your signature")
    return _count("decisions", title, waiting.decisions, "#signing", "warning")


def _holds(waiting: Waiting) -> Tile:
    return _count("holds", _("Holds that stand"), waiting.holds, reverse("conduct:holds"), "urgent")


def _proposals(waiting: Waiting) -> Tile:
    href = reverse("conduct:holds")
    return _count("proposals", _("Proposed holds"), waiting.proposals, href, "urgent")


def _serious(waiting: Waiting) -> Tile:
    title = _("Serious adverse events going on")
    return _count("serious", title, waiting.serious, "#safety", "urgent")


def _deviations(waiting: Waiting) -> Tile:
    count = proposed_deviations(waiting.user, waiting.sites)
    href = f"{reverse('conduct:deviations')}?status={DeviationStatus.PROPOSED}"
    return _count("deviations", _("Proposed deviations"), count, href, "warning")


def _reconsents(waiting: Waiting) -> Tile:
    count = reconsents(waiting.user, waiting.sites)
    title = _("Re-consent due")
    return _count("reconsent", title, count, reverse("screening:consent_due"), "warning")


#: Every figure, in the order of the board.
_MAKERS = {
    "enrolled": lambda _waiting: enrolled_tile(),
    "decisions": _decisions,
    "overdue": _overdue,
    "owed": _owed,
    "serious": _serious,
    "holds": _holds,
    "proposals": _proposals,
    "deviations": _deviations,
    "reconsent": _reconsents,
}
_ALL = tuple(_MAKERS)
_TILES: dict[Role, tuple[str, ...]] = {
    Role.RESEARCH_NURSE: ("overdue", "owed", "deviations", "reconsent"),
    Role.PRINCIPAL_INVESTIGATOR: _ALL,
    Role.SUB_INVESTIGATOR: _ALL,
    Role.DATA_MANAGER: ("enrolled", "overdue", "owed", "deviations", "holds"),
    Role.MONITOR: ("enrolled", "overdue", "owed", "deviations", "holds"),
    Role.SAFETY_OFFICER: ("enrolled", "serious", "holds", "proposals", "deviations"),
    Role.AUDITOR: ("enrolled", "overdue", "owed", "deviations", "holds"),
}


def sites_of(user: User, shown: list[Site], chosen: Site | None) -> list[Site]:
    """The sites the page is about: the chosen one, else all whose casebooks the person sees."""
    own = user.access.sites(Capability.VIEW_CASEBOOK)
    return [site for site in shown if site.pk in own and chosen in (None, site)]
