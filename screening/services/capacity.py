"""Recording whether a participant can decide, and what a participant takes back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.db import transaction
from django.utils.translation import gettext as _

from screening.models.consent import (
    CAPACITY_FORM,
    WITHDRAWAL_FORM,
    CapacityAssessment,
    CapacityOutcome,
    HeGrade,
    Scope,
    Signer,
    Withdrawal,
)
from screening.selectors.consent import standing_of
from screening.services.consent_records import (
    FieldsError,
    follow_withdrawals,
    headed,
    hold_subject,
    moment_problem,
    role_on,
    sync_subjects,
)
from screening.standing import ALL, Standing
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.casebook.moments import future_problem
from trialsite.core.exceptions import TransitionError


@transaction.atomic
def assess_capacity(
    *,
    subject: Subject,
    assessed_at: dt.datetime,
    assessor: User,
    he_grade: str,
    outcome: str,
    method: str,
    by: User,
    comment: str = "",
) -> CapacityAssessment:
    """Record an investigator's assessment; it may come before consent is asked for.

    A loss refuses new procedures and asks for a representative; a recovery asks for the
    participant's own consent where a representative has signed since.
    """
    subject = hold_subject(subject, by=by)
    standing = standing_of(subject)
    if Scope.ALL_DATA in standing.scopes:
        raise TransitionError(_("The subject has withdrawn consent for all data."))
    role = role_on(subject.site, assessor, assessed_at.date())
    FieldsError.unless(
        assessed_at=moment_problem(subject, assessed_at) or _twice_problem(standing, assessed_at),
        assessor="" if role else _("Not delegated as an investigator here on that day."),
        he_grade="" if he_grade in HeGrade.values else _("Choose a grade."),
        outcome="" if outcome in CapacityOutcome.values else _("Say what was found."),
        method="" if method.strip() else _("Say how it was assessed."),
    )
    assessment = CapacityAssessment(
        site_id=subject.site_id,
        subject=subject,
        time_zone=subject.site.time_zone,
        assessed_at=assessed_at,
        assessor=assessor,
        he_grade=he_grade,
        outcome=outcome,
        method=method.strip(),
        comment=comment.strip(),
    )
    headed(assessment, form_oid=CAPACITY_FORM, by=by, complete=True)
    sync_subjects([subject])
    return assessment


def _twice_problem(standing: Standing, assessed_at: dt.datetime) -> str:
    known = any(each.wall == assessed_at for each in standing.assessments)
    return _("An assessment of this time is already recorded.") if known else ""


@transaction.atomic
def withdraw_consent(
    *,
    subject: Subject,
    withdrawn_at: dt.datetime,
    scopes: Collection[str],
    stated_by: str,
    by: User,
    relation: str = "",
    reason: str = "",
    comment: str = "",
) -> Withdrawal:
    """Record what a participant takes back, and end the schedule as far as it reaches.

    Treatment alone leaves survival contact and the follow-up of serious events running;
    all data stops every entry from this moment (trust PR6). What was collected stays.
    """
    subject = hold_subject(subject, by=by)
    standing = standing_of(subject)
    FieldsError.unless(
        # A family may withdraw what was given after the participant's death.
        withdrawn_at=future_problem(withdrawn_at, subject.site.time_zone)
        or _order_problem(standing, withdrawn_at),
        scopes=_scopes_problem(standing, scopes),
        stated_by="" if stated_by in Signer.values else _("Say who stated it."),
        relation=_("Say what the representative is to the participant.")
        if stated_by == Signer.REPRESENTATIVE and not relation.strip()
        else "",
    )
    withdrawal = Withdrawal(
        site_id=subject.site_id,
        subject=subject,
        time_zone=subject.site.time_zone,
        withdrawn_at=withdrawn_at,
        scopes=[scope.value for scope in Scope if scope in scopes],
        stated_by=stated_by,
        relation=relation.strip() if stated_by == Signer.REPRESENTATIVE else "",
        reason=reason.strip(),
        comment=comment.strip(),
    )
    headed(withdrawal, form_oid=WITHDRAWAL_FORM, by=by, complete=True)
    sync_subjects([subject])
    follow_withdrawals(subject, by=by)
    return withdrawal


def _order_problem(standing: Standing, withdrawn_at: dt.datetime) -> str:
    if not standing.consents:
        return _("No consent is on record: there is nothing to withdraw.")
    first = standing.consents[0].wall
    return _("This is before the first consent.") if withdrawn_at < first else ""


def _scopes_problem(standing: Standing, scopes: Collection[str]) -> str:
    if not scopes or not set(scopes) <= set(Scope.values):
        return _("Say what is withdrawn.")
    if standing.scopes >= (ALL if Scope.ALL_DATA in scopes else set(scopes)):
        return _("This is withdrawn already.")
    return ""
