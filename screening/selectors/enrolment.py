"""Whether a further subject may be enrolled, and every reason why not."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from screening.models import StudyEnrolment
from screening.selectors.consent import consent_fact, standing_of
from screening.selectors.eligibility import signed_decision
from trialsite.access.models import Site
from trialsite.casebook.models import ConsentState, LockState, Subject, SubjectStatus
from trialsite.casebook.protocols import protocol_of, version_in_force
from trialsite.conduct.selectors import enrolment_refusals
from trialsite.core.exceptions import DomainError


@dataclass(frozen=True, slots=True)
class EnrolmentState:
    """What a site may learn of the study's enrolment (decisions D6): places, open or not."""

    enrolled: int
    target: int | None
    refusals: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        return not self.refusals

    @property
    def places_left(self) -> int:
        return max(0, (self.target or 0) - self.enrolled)


def enrolled_total() -> int:
    """How many are enrolled, over all sites."""
    places = StudyEnrolment.objects.first()
    return places.enrolled if places else 0


def enrolment_state(site: Site, *, taken: int | None = None) -> EnrolmentState:
    """The state of enrolment as it binds a site: its version in force, holds, gates, target.

    `taken` is the count held by an enrolment being decided.
    """
    taken = enrolled_total() if taken is None else taken
    try:
        version = version_in_force(site)
    except DomainError as refused:
        return EnrolmentState(taken, None, (str(refused),))
    target = protocol_of(version.pk).study.target_enrolment
    refusals = list(
        enrolment_refusals(site_id=site.pk, version_id=version.pk, enrolled_before=taken)
    )
    if taken >= target:
        refusals.append(
            _("The target is reached: %(taken)s of %(target)s are enrolled.")
            % {"taken": taken, "target": target}
        )
    return EnrolmentState(taken, target, tuple(refusals))


def refusals_of(subject: Subject, *, state: EnrolmentState | None = None) -> list[str]:
    """Every reason why this subject may not be enrolled now; none: it may be.

    `subject` comes with its site. `state` is the state of enrolment where the caller has it.
    """
    state = state or enrolment_state(subject.site)
    found = [
        *_standing(subject),
        *_consent(subject),
        *_decision(subject),
        *state.refusals,
    ]
    return [str(text) for text in found]


def _standing(subject: Subject) -> list[str]:
    found = []
    if subject.number is not None or subject.status != SubjectStatus.SCREENING:
        found.append(
            _("The subject is not in screening: “%(status)s”.")
            % {"status": subject.get_status_display()}
        )
    if subject.lock_state != LockState.OPEN:
        found.append(_("This casebook is locked."))
    return found


def _consent(subject: Subject) -> list[str]:
    if subject.consent_state == ConsentState.WITHDRAWN:
        return [_("The subject has withdrawn consent for all data.")]
    fact = consent_fact(subject)
    if fact is None:
        return [_("No consent is on file.")]
    if not fact.valid:
        return [_("The consent on file is not valid.")]
    due = [_("The subject has to consent again first.")] if fact.reconsent_due else []
    return [*due, *standing_of(subject).capacity_refusals()]


def _decision(subject: Subject) -> list[str]:
    decision = signed_decision(subject)
    if decision is None:
        return [_("No investigator has signed a decision of eligibility.")]
    if not decision.eligible:
        return [_("The signed decision says: not eligible.")]
    if not decision.stands:
        changed = _("Data changed after the decision was signed: it has to be taken again.")
        return [" ".join([changed, *decision.reasons])]
    return []
