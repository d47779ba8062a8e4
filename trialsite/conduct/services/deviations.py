"""The life of a deviation: proposed or reported, accepted or dismissed, answered, closed."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from django.db import DatabaseError, models, transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject
from trialsite.conduct.kinds import kind_of
from trialsite.conduct.models import Deviation, DeviationStatus, Origin
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.context import because, reason_given
from trialsite.core.exceptions import DomainError, StaleError, TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf import writing
from trialsite.crf.violations import refusal_of, said_by

FORM_OID = "F.DV"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviationFacts:
    """What people say of a deviation."""

    description: str
    importance: str
    categories: list[str]
    occurred_on: PartialDate | None
    discovered_on: dt.date
    measures: str = ""
    ethics_reported_on: dt.date | None = None


class DeviationError(DomainError):
    """A rule of deviations refuses; `errors` says what to which field."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(" ".join(message for each in errors.values() for message in each))
        self.errors = errors


#: Which field a constraint's message stands beside.
_FIELDS = {
    "deviation_states_known": "description",
    "deviation_dismissed_iff_reason": "reason",
    "deviation_accepted_is_classed": "importance",
    "deviation_important_is_answered": "measures",
    "deviation_discovered_after_it_occurred": "occurred_on",
}


@transaction.atomic
def propose_deviation(
    *,
    site: Site,
    kind: str,
    key: str,
    description: str,
    subject: Subject | None = None,
    occurred_on: PartialDate | None = None,
) -> Deviation:
    """Put a possible deviation before the site, once for each key whatever became of it.

    Proposed again about the same, what nobody has decided yet says what is so now.
    The consequence of another act or of a nightly look, whose rights have been checked:
    nobody proposes by hand. `kind` is declared in `trialsite.conduct.kinds`.
    """
    proposal = kind_of(kind)
    if subject is not None:  # before the site, as every act on the subject that proposes
        Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    # Whoever proposes the same at this moment waits here and then finds it made.
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    found = Deviation.objects.filter(site=site, key=key).first()
    if found is not None:
        return _propose_again(found, description=description, occurred_on=occurred_on)
    deviation = Deviation(
        site=site,
        origin=Origin.PROPOSED,
        kind=kind,
        key=key,
        status=DeviationStatus.PROPOSED,
        description=description,
        categories=[proposal.category],
        importance=proposal.importance,
        discovered_on=trial_today(site.time_zone),
    )
    deviation.occurred_on = occurred_on
    return _insert(deviation, subject, RecordStatus.IN_PROGRESS)


def _propose_again(
    found: Deviation, *, description: str, occurred_on: PartialDate | None
) -> Deviation:
    """Let a proposal follow the correction of what it is about; a decision stands as made."""
    if found.is_closed_to_entry:
        return found
    said = (found.description, found.occurred_on, found.cause_ended_at)
    found.cause_ended_at = None
    if found.status == DeviationStatus.PROPOSED:
        found.description, found.occurred_on = description, occurred_on
    if said != (found.description, found.occurred_on, found.cause_ended_at):
        found.version += 1
        with because(reason_given() or _("What it was proposed for was corrected")):
            found.save(update_fields=["description", "occurred_on", "cause_ended_at", "version"])
    return found


@transaction.atomic
def end_deviation_cause(*, site: Site, key: str) -> None:
    """Note on what was proposed under a key that its cause has been corrected away.

    It stays to be decided, and a decision stays made: whoever decides reads it. Should it
    be so again, the proposal says so.
    """
    standing = Deviation.objects.select_for_update(no_key=True, of=("self",))
    found = standing.filter(site=site, key=key, cause_ended_at=None).first()
    if found is None or found.is_closed_to_entry:
        return
    found.cause_ended_at = trial_now()
    found.version += 1
    with because(reason_given() or _("What it was proposed for was corrected")):
        found.save(update_fields=["cause_ended_at", "version"])


@transaction.atomic
def report_deviation(
    *, site: Site, facts: DeviationFacts, by: User, subject: Subject | None = None
) -> Deviation:
    """Report a deviation that somebody noticed; it stands accepted."""
    by.require(Capability.ENTER_DATA, site=site)
    if subject is not None and subject.site_id != site.pk:
        raise DomainError(_("This subject belongs to another site."))
    deviation = Deviation(
        site=site,
        origin=Origin.REPORTED,
        status=DeviationStatus.ACCEPTED,
        decided_by=by,
        decided_at=trial_now(),
    )
    _state(deviation, facts)
    return _insert(deviation, subject, RecordStatus.COMPLETE)


@transaction.atomic
def accept_proposal(
    *, deviation: Deviation, facts: DeviationFacts, by: User, base_version: int
) -> Deviation:
    """Make the proposal the site's own deviation, in its words and with its class."""
    deviation = _lock(deviation, by, base_version, DeviationStatus.PROPOSED)
    _state(deviation, facts)
    deviation.status = DeviationStatus.ACCEPTED
    deviation.decided_by, deviation.decided_at = by, trial_now()
    return _store(deviation, by)


@transaction.atomic
def dismiss_proposal(
    *, deviation: Deviation, reason: str, by: User, base_version: int
) -> Deviation:
    """State that a proposal is no deviation, and why; it is not proposed again."""
    deviation = _lock(deviation, by, base_version, DeviationStatus.PROPOSED)
    reason = _reason(reason)
    deviation.status, deviation.dismiss_reason = DeviationStatus.DISMISSED, reason
    deviation.decided_by, deviation.decided_at = by, trial_now()
    deviation.version += 1
    with because(reason), _refusals():
        deviation.save()
        if deviation.record is not None:
            _dismiss_record(deviation.record, reason)
    return deviation


@transaction.atomic
def change_deviation(
    *, deviation: Deviation, facts: DeviationFacts, reason: str, by: User, base_version: int
) -> Deviation:
    """Correct or complete an accepted deviation: its measures, its report."""
    deviation = _lock(deviation, by, base_version, DeviationStatus.ACCEPTED)
    with because(_reason(reason)):
        _state(deviation, facts)
        return _store(deviation, by)


@transaction.atomic
def close_deviation(*, deviation: Deviation, by: User, base_version: int) -> Deviation:
    """Close a deviation that is answered; an important one needs measures and its report."""
    deviation = _lock(deviation, by, base_version, DeviationStatus.ACCEPTED)
    deviation.status = DeviationStatus.CLOSED
    deviation.closed_by, deviation.closed_at = by, trial_now()
    with because(_("Deviation closed")):
        return _store(deviation, by)


def _lock(
    deviation: Deviation, by: User, base_version: int, expected: DeviationStatus
) -> Deviation:
    """The deviation under a row lock, if this person may act on it from what they saw."""
    locked = Deviation.objects.select_for_update(no_key=True, of=("self",))
    deviation = locked.select_related("site", "record").get(pk=deviation.pk)
    by.require(Capability.ENTER_DATA, site=deviation.site_id)
    if deviation.is_closed_to_entry:
        raise TransitionError(_("This record is locked. Ask the data manager to unlock it."))
    if deviation.version != base_version:
        raise StaleError(
            _("Somebody else changed this deviation. Read it again."),
            current={"status": deviation.status},
            version=deviation.version,
        )
    if deviation.status != expected:
        raise TransitionError(
            _("This deviation is already %(state)s.")
            % {"state": deviation.get_status_display().lower()}
        )
    return deviation


def _state(deviation: Deviation, facts: DeviationFacts) -> None:
    """Put the facts into the row, after what no column can know: the day it is today."""
    today = trial_today(deviation.site.time_zone)
    errors = {
        name: [_("This date lies in the future.")]
        for name in ("discovered_on", "ethics_reported_on")
        if (date := getattr(facts, name)) is not None and date > today
    }
    if not facts.importance:
        errors["importance"] = [_("Choose the class.")]
    if not facts.categories:
        errors["categories"] = [_("Choose at least one category.")]
    if errors:
        raise DeviationError(errors)
    for each in fields(facts):
        setattr(deviation, each.name, getattr(facts, each.name))


def _reason(text: str) -> str:
    reason = text.strip()[:500]
    if not reason:
        raise DeviationError({"reason": [_("Give the reason.")]})
    return reason


@contextmanager
def _refusals() -> Iterator[None]:
    """Say what the database refuses beside the field that caused it."""
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        for constraint in Deviation._meta.constraints:
            if constraint.name == name and isinstance(constraint, models.CheckConstraint):
                message = said_by(constraint)
                raise DeviationError({_FIELDS.get(name, "description"): [message]}) from error
        refusal = refusal_of(Deviation, error)
        if refusal is None:
            raise
        raise refusal from error


def _insert(deviation: Deviation, subject: Subject | None, status: RecordStatus) -> Deviation:
    """Store a new deviation, with its companion record where it has a subject."""
    deviation.entered_at = trial_now()
    with _refusals():
        if subject is not None:
            deviation.subject = subject
            deviation.record = _record(deviation, subject, status)
        deviation.save(force_insert=True)
    return deviation


def _record(deviation: Deviation, subject: Subject, status: RecordStatus) -> CrfRecord:
    """The next companion record of the subject; its repeat key was never used before."""
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    taken = CrfRecord.objects.filter(subject=subject, visit=None, form_oid=FORM_OID)
    last = taken.aggregate(last=models.Max("repeat_key"))["last"] or 0
    return CrfRecord.objects.create(
        site_id=subject.site_id,
        subject=subject,
        form_oid=FORM_OID,
        repeat_key=last + 1,
        status=status,
        version=1,
        content_hash=content_hash(deviation),
        first_entered_at=deviation.entered_at,
        completed_at=deviation.decided_at,
        completed_by=deviation.decided_by,
        protocol_version_id=subject.protocol_version_id,
    )


def _store(deviation: Deviation, by: User) -> Deviation:
    """Store a change, and let the record's header follow."""
    deviation.version += 1
    with _refusals():
        deviation.save()
        if deviation.record is not None:
            writing.advance(
                deviation.record,
                by=by,
                complete=True,
                content_hash=content_hash(deviation),
                form_version=deviation.record.form_version,
            )
    return deviation


def _dismiss_record(record: CrfRecord, reason: str) -> None:
    """A form that was not done: there was nothing to report."""
    record.status, record.not_done_reason = RecordStatus.NOT_DONE, reason[:200]
    record.version += 1
    record.save(update_fields=["status", "not_done_reason", "version"])


def content_hash(deviation: Deviation) -> str:
    """SHA-256 over what people say of it: what a signature on its record is bound to."""
    said = {each.name: str(getattr(deviation, each.name)) for each in fields(DeviationFacts)}
    text = json.dumps(said | {"status": str(deviation.status)}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
