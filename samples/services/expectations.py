"""What was planned and not collected: stated with its reason, or taken back."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils.translation import gettext as _

from samples.kinds import NOT_COLLECTED
from samples.models import NotCollected, Specimen, SpecimenState, WhyNot
from samples.selectors.plan import is_after_withdrawal, withdrawn_since
from samples.services.log import hold_participants
from samples.services.planning import not_collected_key, plan_of, tubes_planned
from samples.services.refusing import sample_refusals
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import Subject, Visit, VisitStatus
from trialsite.casebook.protocols import event_of, visit_name
from trialsite.conduct.services.deviations import end_deviation_cause, propose_deviation
from trialsite.core.clock import TrialNow, trial_now, trial_today
from trialsite.core.context import because
from trialsite.core.exceptions import TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.violations import ImpossibleError


@transaction.atomic
def state_not_collected(
    *, visit: Visit, kind: str, reason: str, by: User, comment: str = ""
) -> NotCollected:
    """State why a planned specimen was not collected, or not all of it; a planned one that is
    not optional is put before the site as a deviation. Labels that wait for it stay unused."""
    by.require(Capability.HANDLE_SAMPLES, site=visit.site_id)
    subject = Subject.objects.select_for_update(no_key=True, of=("self",)).get(pk=visit.subject_id)
    _refuse_not_held(visit)
    if not tubes_planned(visit, kind):
        raise ImpossibleError({"kind": [_("The protocol plans no such specimen here.")]})
    if reason not in WhyNot.values:
        raise ImpossibleError({"reason": [_("Choose the reason.")]})
    taken = Specimen.objects.standing().filter(visit=visit, kind=kind)
    collected = taken.exclude(state=SpecimenState.PREPARED).count()
    plan = plan_of(visit).specimen(kind)
    if collected >= int(plan.tubes.low or 1):
        raise TransitionError(_("It was collected as planned: there is nothing to explain."))
    statement = NotCollected(
        id=uuid.uuid4(),
        site_id=visit.site_id,
        subject=subject,
        visit=visit,
        kind=kind,
        reason=reason,
        comment=comment.strip()[:500],
        stated_by=by,
        stated_at=TrialNow(),
    )
    with because(statement.comment), sample_refusals(NotCollected):
        statement.save(force_insert=True)
    since = withdrawn_since([subject.pk]).get(subject.pk)
    if kind in event_of(visit).samples and not is_after_withdrawal(visit, since):
        _propose(statement, visit, subject, plan.name.in_language("en"))
    return statement


def _refuse_not_held(visit: Visit) -> None:
    """Nothing can be missing at a visit that was not held or has not come."""
    if visit.status in {VisitStatus.MISSED, VisitStatus.NOT_REQUIRED}:
        raise TransitionError(_("This visit did not take place: nothing is missing at it."))
    today, ends = trial_today(visit.site.time_zone), visit.window_ends
    begins = ends[0] if ends else visit.target_on
    if visit.status == VisitStatus.PLANNED and begins is not None and begins > today:
        raise TransitionError(_("This visit has not come yet."))


def _propose(statement: NotCollected, visit: Visit, subject: Subject, name: str) -> None:
    day = visit.attended_on.isoformat() if visit.attended_on else ""
    said = _("%(kind)s was not collected at %(visit)s: %(why)s.")
    propose_deviation(
        site=visit.site,
        kind=NOT_COLLECTED.code,
        key=not_collected_key(visit, statement.kind),
        description=said
        % {
            "kind": name,
            "visit": visit_name(visit),
            "why": statement.comment or statement.get_reason_display(),
        },
        subject=subject,
        occurred_on=PartialDate.parse(day) if day else None,
    )


@transaction.atomic
def take_back_statement(*, statement: NotCollected, reason: str, by: User) -> NotCollected:
    """Take back a statement that was never so."""
    by.require(Capability.HANDLE_SAMPLES, site=statement.site_id)
    hold_participants([statement.subject_id])
    waiting = NotCollected.objects.select_for_update(no_key=True, of=("self",))
    statement = waiting.select_related("site", "visit").get(pk=statement.pk)
    if statement.voided_at is not None:
        raise TransitionError(_("This statement has been taken back."))
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Voiding needs a reason.")]})
    return _void(statement, reason.strip()[:500], by)


def collected_after_all(specimen: Specimen, by: User) -> None:
    """What was stated as not collected is so no more: the consequence of a collection."""
    stated = NotCollected.objects.standing().select_for_update(no_key=True, of=("self",))
    stated = stated.select_related("site", "visit")
    for each in stated.filter(visit=specimen.visit_id, kind=specimen.kind):
        _void(each, _("It was collected after all."), by)


def _void(statement: NotCollected, reason: str, by: User) -> NotCollected:
    statement.voided_at, statement.voided_by = trial_now(), by
    statement.void_reason = reason
    with because(reason), sample_refusals(NotCollected):
        statement.save(update_fields=["voided_at", "voided_by", "void_reason"])
        end_deviation_cause(
            site=statement.site, key=not_collected_key(statement.visit, statement.kind)
        )
    return statement
