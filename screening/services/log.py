"""Keeping the screening log: who was considered, and where it ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from screening.models.log import (
    AFTER_CONSENT,
    BEFORE_CONSENT,
    BY_CRITERION,
    Outcome,
    Reason,
    ScreeningEntry,
    Source,
)
from screening.selectors.consent import consent_fact, standing_of
from trialsite.access.capabilities import Capability
from trialsite.access.models import IdempotentAnswer, Site, User
from trialsite.casebook.models import ProtocolVersion, Subject, SubjectStatus
from trialsite.casebook.protocols import protocol_of, version_in_force
from trialsite.casebook.services import add_subject, move_in_screening, next_number
from trialsite.core.clock import TrialNow, trial_today
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.core.ids import with_check


class EntryError(DomainError):
    """What was said of an entry cannot stand; `errors` says why, by field."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(" ".join(text for texts in errors.values() for text in texts))
        self.errors = errors


@transaction.atomic
def open_entry(
    *,
    site: Site,
    first_contact_on: dt.date,
    source: str,
    by: User,
    earlier: ScreeningEntry | None = None,
) -> ScreeningEntry:
    """Log a person who is considered, under the site's next screening number.

    `earlier` is the closed entry of the same person's last screening.
    """
    by.require(Capability.SCREEN, site=site)
    if source not in Source.values:
        raise EntryError({"source": [_("Choose one of the ways listed.")]})
    if first_contact_on > trial_today(site.time_zone):
        raise EntryError({"first_contact_on": [_("This day has not come yet.")]})
    if earlier is not None:
        earlier = held(earlier)
        _refuse_as_earlier(earlier, site)
    entry = ScreeningEntry.objects.create(
        site=site,
        number=with_check(f"{site.code}-S{next_number(site, 'screening'):03d}"),
        first_contact_on=first_contact_on,
        source=source,
        considered_by=by,
        opened_at=TrialNow(),
        earlier=earlier,
    )
    entry.refresh_from_db()
    return entry


def open_once(*, once: str, by: User, **said: Any) -> ScreeningEntry:
    """A new entry; the same form sent again, even at the same moment, opens no second one."""
    key = f"screening-entry {once[:36]}"
    try:
        with transaction.atomic():
            entry = open_entry(by=by, **said)
            IdempotentAnswer.objects.create(
                user=by, key=key, fingerprint="", status=302, body={"entry": str(entry.pk)}
            )
    except IntegrityError:
        kept = IdempotentAnswer.objects.get(user=by, key=key)
        assert kept.body is not None
        return ScreeningEntry.objects.visible_to(by, Capability.SCREEN).get(pk=kept.body["entry"])
    return entry


def _refuse_as_earlier(earlier: ScreeningEntry, site: Site) -> None:
    if earlier.site_id != site.pk:
        raise EntryError({"earlier": [_("That entry belongs to another site.")]})
    if earlier.outcome in (Outcome.OPEN, Outcome.ENROLLED) or earlier.voided_at is not None:
        raise EntryError(
            {"earlier": [_("Only a screening that has ended can be followed by another.")]}
        )


@transaction.atomic
def admit(*, entry: ScreeningEntry, by: User, on: dt.date | None = None) -> Subject:
    """The person consented: a subject under the entry's number, its visits laid out.

    Called by the recording of consent; the protocol version is the one in force on that day.
    """
    by.require(Capability.ADD_SUBJECT, site=entry.site_id)
    entry = held(entry, expecting=(Outcome.OPEN,))
    if entry.subject_id is not None:
        raise TransitionError(_("This person is in the casebook already."))
    subject = add_subject(site=entry.site, screening_number=entry.number, by=by, on=on)
    entry.subject = subject
    keep(entry, "subject")
    return subject


@transaction.atomic
def close_entry(
    *,
    entry: ScreeningEntry,
    outcome: str,
    on: dt.date,
    by: User,
    criteria: Iterable[str] = (),
    reasons: Iterable[str] = (),
    comment: str = "",
) -> ScreeningEntry:
    """End a screening: not approached, declined, failed, withdrawn; with all its reasons."""
    by.require(Capability.SCREEN, site=entry.site_id)
    entry = held(entry, expecting=(Outcome.OPEN,))
    entry.outcome, entry.outcome_on, entry.comment = outcome, on, comment.strip()
    entry.criteria, entry.reasons = sorted(set(criteria)), sorted(set(reasons))
    errors = _problems_of_end(entry)
    if errors:
        raise EntryError(errors)
    if entry.subject is not None:
        failed = outcome == Outcome.SCREEN_FAILED
        to = SubjectStatus.SCREEN_FAILED if failed else SubjectStatus.WITHDRAWN
        move_in_screening(subject=entry.subject, to=to, by=by)
    keep(entry, "outcome", "outcome_on", "criteria", "reasons", "comment")
    return entry


@transaction.atomic
def screen_fail(
    *,
    entry: ScreeningEntry,
    on: dt.date,
    by: User,
    criteria: Iterable[str] = (),
    reasons: Iterable[str] = (),
    comment: str = "",
) -> ScreeningEntry:
    """A screen failure after consent, ineligibility before; every criterion that failed."""
    by.require(Capability.SCREEN, site=entry.site_id)
    entry = held(entry)
    outcome = Outcome.NOT_ELIGIBLE if entry.subject_id is None else Outcome.SCREEN_FAILED
    return close_entry(
        entry=entry,
        outcome=outcome,
        on=on,
        by=by,
        criteria=criteria,
        reasons=reasons,
        comment=comment,
    )


def version_of(entry: ScreeningEntry) -> ProtocolVersion:
    """The protocol version by whose criteria a person is screened."""
    if entry.subject is not None:
        return entry.subject.protocol_version
    return version_in_force(entry.site)


def _problems_of_end(entry: ScreeningEntry) -> dict[str, list[str]]:
    checks = (
        ("outcome", _outcome_problem),
        ("on", _day_problem),
        ("criteria", _criteria_problem),
        ("reasons", _reasons_problem),
        ("comment", _comment_problem),
    )
    found = {field: check(entry) for field, check in checks}
    return {field: [text] for field, text in found.items() if text}


def _outcome_problem(entry: ScreeningEntry) -> str:
    fitting = ends_of(entry)
    return "" if entry.outcome in fitting else _("This outcome does not fit the state of consent.")


def ends_of(entry: ScreeningEntry) -> tuple[Outcome, ...]:
    """The outcomes with which this screening can be closed; enrolment is its own act."""
    if entry.subject_id is None:
        return BEFORE_CONSENT
    return tuple(end for end in AFTER_CONSENT if end != Outcome.ENROLLED)


def _day_problem(entry: ScreeningEntry) -> str:
    assert entry.outcome_on is not None
    if entry.outcome_on > trial_today(entry.site.time_zone):
        return _("This day has not come yet.")
    if entry.outcome_on < entry.first_contact_on:
        return _("The outcome cannot be earlier than the first contact.")
    fact = consent_fact(entry.subject) if entry.subject is not None else None
    if fact is not None and entry.outcome_on < fact.given_on:
        return _("The outcome cannot be earlier than the consent.")
    return ""


def _criteria_problem(entry: ScreeningEntry) -> str:
    if entry.outcome == Outcome.NOT_ELIGIBLE and not entry.criteria:
        return _("Name the criterion that decided.")
    if not entry.criteria:
        return ""
    if entry.outcome not in BY_CRITERION:
        return _("No criterion decided this outcome.")
    known = {criterion.id for criterion in protocol_of(version_of(entry).pk).criteria}
    return "" if known.issuperset(entry.criteria) else _("The protocol has no such criterion.")


def _reasons_problem(entry: ScreeningEntry) -> str:
    if not set(Reason.values).issuperset(entry.reasons):
        return _("Choose among the reasons listed.")
    if entry.outcome == Outcome.NOT_APPROACHED and not entry.reasons:
        return _("Say why the person was not approached.")
    if entry.outcome == Outcome.SCREEN_FAILED and not (entry.criteria or entry.reasons):
        return _("Say why: a criterion, or another reason.")
    return ""


def _comment_problem(entry: ScreeningEntry) -> str:
    if Reason.OTHER in entry.reasons and not entry.comment:
        return _("Another reason needs its words.")
    return _("At most 500 characters.") if len(entry.comment) > 500 else ""


@transaction.atomic
def reopen_entry(*, entry: ScreeningEntry, reason: str, by: User) -> ScreeningEntry:
    """Screening goes on after all; the end that was said stays in the trail."""
    by.require(Capability.SCREEN, site=entry.site_id)
    entry = held(entry, expecting=(*BEFORE_CONSENT, Outcome.SCREEN_FAILED, Outcome.WITHDREW))
    if not reason.strip():
        raise EntryError({"reason": [_("Say why screening goes on.")]})
    if entry.later.exclude(voided_at__isnull=False).exists():
        raise TransitionError(_("This person is being screened again under a later number."))
    with because(reason.strip()):
        if entry.subject is not None:
            move_in_screening(subject=entry.subject, to=SubjectStatus.SCREENING, by=by)
        _open_again(entry)
    return entry


def _open_again(entry: ScreeningEntry) -> None:
    """Back to “in screening”, without the end that was said."""
    entry.outcome, entry.outcome_on, entry.comment = Outcome.OPEN, None, ""
    entry.criteria, entry.reasons = [], []
    keep(entry, "outcome", "outcome_on", "criteria", "reasons", "comment")


@transaction.atomic
def state_same_person(
    *, entry: ScreeningEntry, other: ScreeningEntry | None, reason: str, by: User
) -> ScreeningEntry:
    """Say that two entries are likely one person, or take that back; nothing is merged."""
    by.require(Capability.SCREEN, site=entry.site_id)
    entry = held(entry)
    if not reason.strip():
        raise EntryError({"reason": [_("Say what speaks for it.")]})
    if other is not None and (other.pk == entry.pk or other.site_id != entry.site_id):
        raise EntryError({"other": [_("Choose another entry of this site.")]})
    if other is not None and other.voided_at is not None:
        raise EntryError({"other": [_("That entry is voided.")]})
    with because(reason.strip()):
        entry.same_person_as = other
        keep(entry, "same_person_as")
    return entry


@transaction.atomic
def correct_first_contact(
    *, entry: ScreeningEntry, first_contact_on: dt.date, reason: str, by: User
) -> ScreeningEntry:
    """Put the day of the first contact right; nothing that followed lies before it."""
    by.require(Capability.SCREEN, site=entry.site_id)
    entry = held(entry)
    problems = {
        "first_contact_on": _problem_of_contact(entry, first_contact_on),
        "reason": "" if reason.strip() else _("Give the reason."),
    }
    if any(problems.values()):
        raise EntryError({name: [text] for name, text in problems.items() if text})
    with because(reason.strip()):
        entry.first_contact_on = first_contact_on
        keep(entry, "first_contact_on")
    return entry


def _problem_of_contact(entry: ScreeningEntry, on: dt.date) -> str:
    if on > trial_today(entry.site.time_zone):
        return _("This day has not come yet.")
    signed = standing_of(entry.subject).consents if entry.subject else ()
    ends = [each.signed_at.date() for each in signed]
    ends += [entry.outcome_on] if entry.outcome_on else []
    if any(on > day for day in ends):
        return _("This is after %(date)s, when consent was given or screening ended.") % {
            "date": min(ends).isoformat()
        }
    return ""


@transaction.atomic
def void_entry(*, entry: ScreeningEntry, reason: str, by: User) -> ScreeningEntry:
    """An entry made in error: it no longer counts; its number is never given again."""
    by.require(Capability.SCREEN, site=entry.site_id)
    entry = held(entry)
    if entry.subject_id is not None:
        raise TransitionError(
            _("This person consented and has a casebook: close the screening with its reason.")
        )
    if not reason.strip():
        raise EntryError({"reason": [_("Voiding needs a reason.")]})
    with because(reason.strip()):
        entry.voided_at, entry.void_reason = TrialNow(), reason.strip()
        keep(entry, "voided_at", "void_reason")
    entry.refresh_from_db()
    return entry


def held(
    entry: ScreeningEntry, *, expecting: Collection[str] = tuple(Outcome.values)
) -> ScreeningEntry:
    """The entry under a row lock, not voided and in a state from which the act starts."""
    waiting = ScreeningEntry.objects.select_for_update(no_key=True, of=("self",))
    entry = waiting.select_related("site", "subject__protocol_version").get(pk=entry.pk)
    if entry.voided_at is not None:
        raise TransitionError(_("This entry is voided."))
    if entry.outcome not in expecting:
        raise TransitionError(
            _("This screening is already “%(state)s”.") % {"state": entry.get_outcome_display()}
        )
    return entry


def keep(entry: ScreeningEntry, *fields: str) -> None:
    """Save these fields as the entry's next version."""
    entry.version += 1
    entry.save(update_fields=[*fields, "version"])
