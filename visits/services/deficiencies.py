"""Device deficiencies: reported, corrected, voided."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.following import after_void
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.moments import not_yet
from trialsite.casebook.services import open_record, void_record
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, StaleError, TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf import writing
from trialsite.crf.violations import ImpossibleError, refusal_of
from visits.models import TreatmentSession
from visits.models.deficiencies import DEFICIENCY_FORM, DeviceDeficiency


@dataclass(frozen=True, slots=True, kw_only=True)
class DeficiencyFacts:
    """What people say of a deficiency."""

    component: str
    description: str
    occurred_on: PartialDate
    phase: str
    harm: bool
    could_have_led: bool
    whereabouts: str
    product: str = ""
    lot: str = ""
    returned_on: dt.date | None = None


#: Which field a constraint's message stands beside.
_FIELDS = {
    "deficiency_described": "description",
    "deficiency_returned_has_the_day": "returned_on",
}


@transaction.atomic
def report_deficiency(
    *,
    site: Site,
    facts: DeficiencyFacts,
    by: User,
    subject: Subject | None = None,
    session: TreatmentSession | None = None,
) -> DeviceDeficiency:
    """Report a deficiency, of a session, of a participant or of the site's stock."""
    by.require(Capability.ENTER_DATA, site=site)
    if session is not None and subject is None:
        subject = session.subject
    if subject is not None and subject.site_id != site.pk:
        raise DomainError(_("This subject belongs to another site."))
    if session is not None and subject is not None and session.subject_id != subject.pk:
        raise DomainError(_("This session is another subject’s."))
    deficiency = DeviceDeficiency(
        site=site, subject=subject, session=session, reported_by=by, reported_at=trial_now()
    )
    _state(deficiency, facts)
    with _refusals():
        if subject is not None:
            deficiency.record = open_record(subject=subject, form_oid=DEFICIENCY_FORM, by=by)
            _advance(deficiency.record, deficiency, by)
        deficiency.save(force_insert=True)
    return deficiency


@transaction.atomic
def change_deficiency(
    *,
    deficiency: DeviceDeficiency,
    facts: DeficiencyFacts,
    reason: str,
    by: User,
    base_version: int,
) -> DeviceDeficiency:
    """Correct or complete a deficiency; the reason stands in the trail."""
    deficiency = _lock(deficiency, by)
    if deficiency.version != base_version:
        raise StaleError(
            _("Somebody else changed this deficiency. Read it again."),
            current={"description": deficiency.description},
            version=deficiency.version,
        )
    with because(_reason(reason)), _refusals():
        _state(deficiency, facts)
        deficiency.version += 1
        deficiency.save()
        if deficiency.record is not None:
            _advance(deficiency.record, deficiency, by)
    return deficiency


@transaction.atomic
def void_deficiency(*, deficiency: DeviceDeficiency, reason: str, by: User) -> DeviceDeficiency:
    """Take out a deficiency that was entered in error; it stays in the trail."""
    deficiency = _lock(deficiency, by)
    reason = _reason(reason)
    if deficiency.record is not None:
        void_record(record=deficiency.record, reason=reason, by=by)
    else:
        with because(reason):
            _void(deficiency, reason)
    deficiency.refresh_from_db()
    return deficiency


@after_void
def follow_record(record: CrfRecord, _by: User) -> None:
    """A deficiency goes with its record, wherever that was voided."""
    if record.form_oid == DEFICIENCY_FORM:
        for deficiency in DeviceDeficiency.objects.standing().filter(record=record):
            _void(deficiency, record.void_reason)


def _void(deficiency: DeviceDeficiency, reason: str) -> None:
    deficiency.voided_at, deficiency.void_reason = trial_now(), reason
    deficiency.version += 1
    deficiency.save(update_fields=["voided_at", "void_reason", "version"])


def _lock(deficiency: DeviceDeficiency, by: User) -> DeviceDeficiency:
    rows = DeviceDeficiency.objects.select_for_update(no_key=True, of=("self",))
    deficiency = rows.select_related("site", "record").get(pk=deficiency.pk)
    by.require(Capability.ENTER_DATA, site=deficiency.site_id)
    if deficiency.voided_at is not None:
        raise TransitionError(_("This record has been voided."))
    if deficiency.is_closed_to_entry:
        raise TransitionError(_("This record is locked. Ask the data manager to unlock it."))
    return deficiency


def _state(deficiency: DeviceDeficiency, facts: DeficiencyFacts) -> None:
    """Put the facts into the row, after what no column can know: the day it is today."""
    zone = deficiency.site.time_zone
    dates = {"occurred_on": facts.occurred_on, "returned_on": facts.returned_on}
    errors = {
        name: [problem]
        for name, date in dates.items()
        if date is not None and (problem := not_yet(date, zone))
    }
    if errors:
        raise ImpossibleError(errors)
    for each in fields(facts):
        setattr(deficiency, each.name, getattr(facts, each.name))


def _reason(text: str) -> str:
    reason = text.strip()[:500]
    if not reason:
        raise ImpossibleError({"reason": [_("Give the reason.")]})
    return reason


@contextmanager
def _refusals() -> Iterator[None]:
    """Say what the database refuses beside the field that caused it."""
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        refusal = refusal_of(DeviceDeficiency, error)
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        if isinstance(refusal, ImpossibleError) and name in _FIELDS:
            raise ImpossibleError(
                {_FIELDS[name]: refusal.errors.get("", [str(refusal)])}
            ) from error
        if refusal is None:
            raise
        raise refusal from error


def _advance(record: CrfRecord, deficiency: DeviceDeficiency, by: User) -> None:
    """Let the header of its record follow: a signature is bound to what stands here."""
    said = {each.name: str(getattr(deficiency, each.name)) for each in fields(DeficiencyFacts)}
    text = json.dumps(said, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    writing.advance(record, by=by, complete=True, content_hash=digest)
