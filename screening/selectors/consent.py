"""Reading consent: how it stands for one subject or for many, and what is owed where."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet, TextChoices
from django.utils.translation import gettext_lazy

from screening.facts import ConsentFact
from screening.models.consent import (
    CapacityAssessment,
    Consent,
    ConsentApproval,
    ConsentDocument,
    ConsentPart,
    Scope,
    Withdrawal,
)
from screening.standing import Due, Standing, counts, in_force, in_order
from trialsite.access.capabilities import Capability, roles_granting
from trialsite.access.models import Membership, Site, User
from trialsite.casebook.models import Attachment, AttachmentKind, Subject, SubjectStatus
from trialsite.core.clock import trial_now

P = TypeVar("P", bound=ConsentPart)

#: Who is a present participant: re-consent is asked of nobody else.
PRESENT = (SubjectStatus.SCREENING, SubjectStatus.ENROLLED)


def standings_of(
    subjects: Collection[Subject], *, now: dt.datetime | None = None
) -> dict[uuid.UUID, Standing]:
    """How consent stands for each; five queries however many they are."""
    moment = now or trial_now()
    ids = [subject.pk for subject in subjects]
    sites = {subject.site_id: subject.site for subject in subjects}
    consents = _by_subject(Consent.objects.select_related("document"), ids)
    assessments = _by_subject(CapacityAssessment.objects.all(), ids)
    withdrawals = _by_subject(Withdrawal.objects.all(), ids)
    approvals: dict[int, list[ConsentApproval]] = defaultdict(list)
    for each in ConsentApproval.objects.at(sites).select_related("document"):
        approvals[each.site_id].append(each)
    return {
        subject.pk: Standing(
            consents=consents[subject.pk],
            assessments=assessments[subject.pk],
            withdrawals=withdrawals[subject.pk],
            approvals=approvals[subject.site_id],
            today=moment.astimezone(ZoneInfo(subject.site.time_zone)).date(),
            in_trial=subject.status in PRESENT and not subject.died_on,
        )
        for subject in subjects
    }


def _by_subject(rows: Iterable[P], ids: list[uuid.UUID]) -> dict[uuid.UUID, list[P]]:
    found: dict[uuid.UUID, list[P]] = defaultdict(list)
    standing = rows.standing().filter(subject_id__in=ids)  # type: ignore[attr-defined]
    for each in sorted(standing, key=in_order):
        found[each.subject_id].append(each)
    return found


def standing_of(subject: Subject, *, now: dt.datetime | None = None) -> Standing:
    """How consent stands for one subject."""
    return standings_of([subject], now=now)[subject.pk]


def consent_fact(subject: Subject) -> ConsentFact | None:
    """The consent by which the subject stands in the trial; None: there is none."""
    return standing_of(subject).fact


def withdrawn_scopes(subject: Subject) -> frozenset[Scope]:
    """What the subject has withdrawn and not taken back; all data includes the others."""
    return standing_of(subject).scopes


def dated_before_consent(subject: Subject, at: dt.datetime | dt.date) -> bool:
    """Whether something dated so was before the subject's consent, or there is none (C3).

    A protocol procedure cannot be; routine-care data, history and earlier results can, and
    are marked so. A date without its time counts as before only on an earlier day.
    """
    fact = consent_fact(subject)
    if fact is None:
        return True
    if isinstance(at, dt.datetime):
        return at < fact.given_at
    return at < fact.given_on


def is_routine_care(subject: Subject, at: dt.datetime | dt.date) -> bool:
    """Whether a result or an observation of this time can only be one of routine care."""
    return dated_before_consent(subject, at)


@dataclass(frozen=True, slots=True)
class DueLine:
    """A subject who owes a consent, and which."""

    subject: Subject
    due: list[Due]

    @property
    def since(self) -> dt.date:
        return self.due[0].since


def reconsent_due(sites: Iterable[int], *, now: dt.datetime | None = None) -> list[DueLine]:
    """Who must consent anew at these sites, the longest owed first."""
    present = Subject.objects.at(sites).filter(status__in=PRESENT).select_related("site")
    subjects = list(present)
    standings = standings_of(subjects, now=now)
    lines = [DueLine(subject, due) for subject in subjects if (due := standings[subject.pk].due)]
    return sorted(lines, key=lambda line: (line.since, line.subject.label))


class ApprovalState(TextChoices):
    """What an approval is worth on a day."""

    COMING = "coming", gettext_lazy("Coming")
    IN_FORCE = "in_force", gettext_lazy("In force")
    SUPERSEDED = "superseded", gettext_lazy("Superseded")
    WITHDRAWN = "withdrawn", gettext_lazy("Withdrawn")


@dataclass(frozen=True, slots=True)
class Offered:
    """A document as it can be chosen at a site: since when it counts there."""

    approval: ConsentApproval
    #: Today.
    state: ApprovalState

    @property
    def document(self) -> ConsentDocument:
        return self.approval.document


def approvals_at(
    sites: Iterable[Site], *, now: dt.datetime | None = None
) -> dict[int, list[Offered]]:
    """Every approval of the sites with its state today, the newest first; one query."""
    moment = now or trial_now()
    by_pk = {site.pk: site for site in sites}
    rows: dict[int, list[ConsentApproval]] = defaultdict(list)
    for each in ConsentApproval.objects.at(by_pk).select_related("document", "site"):
        rows[each.site_id].append(each)
    found = {}
    for key, site in by_pk.items():
        today = moment.astimezone(ZoneInfo(site.time_zone)).date()
        ordered = sorted(rows[key], key=lambda each: (each.effective_on, each.pk), reverse=True)
        found[key] = [Offered(each, _state(each, rows[key], today)) for each in ordered]
    return found


def _state(approval: ConsentApproval, rows: list[ConsentApproval], today: dt.date) -> ApprovalState:
    if approval.withdrawn_on is not None and approval.withdrawn_on <= today:
        return ApprovalState.WITHDRAWN
    if not counts(approval, today):
        return ApprovalState.COMING
    stands = in_force(rows, approval.document, today)
    return ApprovalState.IN_FORCE if stands else ApprovalState.SUPERSEDED


def investigators_of(site: Site, *, on: dt.date) -> list[tuple[User, str]]:
    """Who is delegated as an investigator at a site on a day, with the role."""
    roles = roles_granting(Capability.SIGN_FORM)
    here = (
        Membership.objects.on(on)
        .filter(Q(site=site) | Q(site=None), role__in=roles, user__is_active=True)
        .select_related("user")
        .order_by("user__full_name", "role")
    )
    found: dict[int, tuple[User, str]] = {}
    for each in here:
        found.setdefault(each.user_id, (each.user, each.role))
    return list(found.values())


def explainers_at(site: Site) -> QuerySet[User]:
    """Everybody who was ever an investigator here, to choose from; the day decides."""
    roles = roles_granting(Capability.SIGN_FORM)
    held = Membership.objects.filter(Q(site=site) | Q(site=None), role__in=roles)
    return User.objects.filter(pk__in=held.values("user"), is_active=True)


def documents_at(site: Site) -> QuerySet[ConsentDocument]:
    """The documents ever approved at a site, to choose from; the day decides."""
    mine = ConsentApproval.objects.at([site.pk])
    return ConsentDocument.objects.filter(pk__in=mine.values("document")).order_by(
        "-version", "language"
    )


def all_documents() -> QuerySet[ConsentDocument]:
    """Every document of the study, the newest version first."""
    return ConsentDocument.objects.order_by("-version", "language")


def acts_of(subject: Subject) -> list[ConsentPart]:
    """Every act of a subject, the voided among them, the latest first; three queries."""
    about = {"subject": subject}
    parts: list[ConsentPart] = [
        *Consent.objects.filter(**about).select_related(
            "record", "document", "explained_by", "recorded_by"
        ),
        *CapacityAssessment.objects.filter(**about).select_related(
            "record", "assessor", "recorded_by"
        ),
        *Withdrawal.objects.filter(**about).select_related("record", "recorded_by"),
    ]
    return sorted(parts, key=in_order, reverse=True)


def scans_of(subject: Subject) -> dict[uuid.UUID, list[Attachment]]:
    """The standing scans of signed consent forms, by record."""
    found: dict[uuid.UUID, list[Attachment]] = defaultdict(list)
    kept = Attachment.objects.filter(
        subject=subject, kind=AttachmentKind.CONSENT, voided_at=None, record__isnull=False
    )
    for each in kept.order_by("uploaded_at"):
        assert each.record_id is not None
        found[each.record_id].append(each)
    return found
