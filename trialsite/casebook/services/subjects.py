"""Subjects: they appear, are numbered, and move through screening."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.models import ConsentState, NumberSequence, Subject, SubjectStatus
from trialsite.casebook.protocols import version_in_force
from trialsite.casebook.services.holding import held
from trialsite.casebook.services.schedule import lay_out_visits
from trialsite.core.exceptions import TransitionError


def next_number(site: Site, kind: str) -> int:
    """The next number of a gap-free sequence at a site; it waits for whoever takes one now."""
    sequence, _made = NumberSequence.objects.get_or_create(site=site, kind=kind)
    sequence = NumberSequence.objects.select_for_update(no_key=True).get(pk=sequence.pk)
    sequence.last += 1
    sequence.save(update_fields=["last"])
    return sequence.last


@transaction.atomic
def add_subject(
    *, site: Site, screening_number: str, by: User, on: dt.date | None = None
) -> Subject:
    """Enter a person who consented into the casebook, under their number of the screening log."""
    by.require(Capability.ADD_SUBJECT, site=site)
    subject = Subject.objects.create(
        site=site,
        screening_number=screening_number,
        protocol_version=version_in_force(site, on=on),
    )
    lay_out_visits(subject=subject, by=by)
    return subject


@transaction.atomic
def set_consent_state(*, subject: Subject, state: str, by: User | None) -> Subject:
    """Keep what the casebook shows of a subject's consent in step with the signed acts.

    The app that keeps those acts says it; without a person the system does.
    """
    if by is not None:
        by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    subject.consent_state = ConsentState(state)
    subject.save(update_fields=["consent_state"])
    return subject


@transaction.atomic
def give_subject_number(*, subject: Subject, by: User) -> Subject:
    """Number an enrolled subject, gap-free at its site; a number is given once."""
    by.require(Capability.ADD_SUBJECT, site=subject.site_id)
    subject = held(subject)
    if subject.number is not None:
        raise TransitionError(_("This subject has its number already."))
    site = subject.site
    subject.number = f"{site.code}-{next_number(site, 'subject'):03d}"
    subject.status = SubjectStatus.ENROLLED
    subject.save(update_fields=["number", "status"])
    return subject


@transaction.atomic
def take_back_subject_number(*, subject: Subject, by: User) -> Subject:
    """Undo an enrolment in error before day zero: back in screening, the number is spent."""
    by.require(Capability.ADD_SUBJECT, site=subject.site_id)
    subject = held(subject)
    if subject.number is None or subject.status != SubjectStatus.ENROLLED:
        raise TransitionError(_("This subject is not enrolled."))
    if subject.day_zero is not None:
        raise TransitionError(_("Day zero has come: what happened since stays with the subject."))
    subject.number = None
    subject.status = SubjectStatus.SCREENING
    subject.save(update_fields=["number", "status"])
    return subject


#: Between these a subject moves before enrolment; enrolment itself is another act.
_BEFORE_ENROLMENT = (
    SubjectStatus.SCREENING,
    SubjectStatus.SCREEN_FAILED,
    SubjectStatus.WITHDRAWN,
)


@transaction.atomic
def move_in_screening(*, subject: Subject, to: SubjectStatus, by: User) -> Subject:
    """Say where a subject's screening stands: going on, failed, or withdrawn from."""
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = held(subject)
    if subject.number is not None or not {subject.status, to} <= set(_BEFORE_ENROLMENT):
        raise TransitionError(_("This subject is no longer in screening."))
    subject.status = to
    subject.save(update_fields=["status"])
    return subject
