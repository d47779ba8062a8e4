"""Enrolment: the one door into the study, and the way back out of an error."""

from __future__ import annotations

from django.db import connection, transaction
from django.utils.translation import gettext as _

from screening.models import Enrolment, ScreeningEntry
from screening.models.log import Outcome
from screening.selectors.enrolment import enrolment_state, refusals_of
from screening.services.log import EntryError, held, keep
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.casebook.protocols import version_in_force
from trialsite.casebook.services import (
    give_subject_number,
    lay_out_visits,
    take_back_subject_number,
)
from trialsite.core.acts import note_act
from trialsite.core.clock import TrialNow, trial_today
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError


class EnrolmentRefused(DomainError):  # noqa: N818  (a refusal is no fault)
    """The subject may not be enrolled; every reason at once."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


def hold_places() -> int:
    """How many are enrolled in the study; the count stands still until the transaction ends.

    Whoever enrols or takes back holds it first, before any entry or subject.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT trialsite.hold_places()")
        taken: int = cursor.fetchone()[0]
    return taken


@transaction.atomic
def enrol_subject(*, subject: Subject, by: User) -> Subject:
    """Take an eligible subject into the study under the site's next subject number.

    Consent, a signed decision that stands, no hold, no gate, a place left: no path leads
    around them (decisions C6). Locks: the count, the log entry, the subject.
    """
    by.require(Capability.ADD_SUBJECT, site=subject.site_id)
    taken = hold_places()
    entry = _entry_of(subject)
    waiting = Subject.objects.select_for_update(no_key=True, of=("self",)).select_related("site")
    subject = waiting.get(pk=subject.pk)
    state = enrolment_state(subject.site, taken=taken)
    reasons = refusals_of(subject, state=state)
    if entry.outcome != Outcome.OPEN and not reasons:
        reasons = [_("The screening log does not say “in screening”.")]
    if reasons:
        raise EnrolmentRefused(reasons)
    assert state.target is not None
    subject = give_subject_number(subject=subject, by=by)
    assert subject.number is not None
    today = trial_today(subject.site.time_zone)
    Enrolment.objects.create(
        site_id=subject.site_id,
        subject=subject,
        number=subject.number,
        enrolled_at=TrialNow(),
        enrolled_on=today,
        enrolled_by=by,
        protocol_version=version_in_force(subject.site, on=today),
        target=state.target,
    )
    entry.outcome, entry.outcome_on = Outcome.ENROLLED, today
    keep(entry, "outcome", "outcome_on")
    lay_out_visits(subject=subject, by=by)
    note_act(
        "enrolled",
        site_id=subject.site_id,
        subject_id=subject.pk,
        details={"number": subject.number, "place": taken + 1, "target": state.target},
    )
    return subject


@transaction.atomic
def void_enrolment(*, subject: Subject, reason: str, by: User) -> Subject:
    """Take back an enrolment made in error, before day zero; the subject is in screening again.

    The place is given back, because nobody was enrolled; the number is spent. What was found
    wrong after treatment began is no error of enrolment but a deviation (decisions C6, H5).
    """
    by.require(Capability.SIGN_FORM, site=subject.site_id)
    if not reason.strip():
        raise EntryError({"reason": [_("Say what the error was.")]})
    hold_places()
    entry = _entry_of(subject)
    enrolment = Enrolment.objects.standing().filter(subject=subject).first()
    if enrolment is None or entry.outcome != Outcome.ENROLLED:
        raise TransitionError(_("This subject is not enrolled."))
    with because(reason.strip()):
        subject = take_back_subject_number(subject=subject, by=by)
        # The log's entry is opened again by the database, in the same statement.
        enrolment.voided_at, enrolment.void_reason = TrialNow(), reason.strip()
        enrolment.save(update_fields=["voided_at", "void_reason"])
        note_act(
            "enrolment_voided",
            site_id=subject.site_id,
            subject_id=subject.pk,
            details={"number": enrolment.number},
        )
    return subject


def _entry_of(subject: Subject) -> ScreeningEntry:
    entry = ScreeningEntry.objects.filter(subject=subject).first()
    if entry is None:
        raise TransitionError(_("This subject has no entry in the screening log."))
    return held(entry)
