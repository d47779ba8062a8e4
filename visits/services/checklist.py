"""The list that is gone through before a session starts: answers, and a physician's override."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import StaleError, TransitionError
from trialsite.crf import writing
from trialsite.crf.hashing import record_hash
from trialsite.crf.services import ReasonRequiredError
from trialsite.crf.violations import ImpossibleError
from visits.models import ChecklistAnswer, TreatmentSession
from visits.services.session_store import hold_session, plan_of, session_refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person says to one question; `base_version` is the answer they saw, 0 for none."""

    answer: bool
    reason: str = ""
    base_version: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the protocol's checklist in the present language, with its answer."""

    key: str
    title: str
    answer: ChecklistAnswer | None


def questions_of(session: TreatmentSession) -> list[Question]:
    """The checklist of a session as the protocol orders it, answered or not."""
    plan = plan_of(session)
    given = {each.key: each for each in session.answers.select_related("answered_by")}
    language = get_language() or "en"
    return [
        Question(item.key, item.name.in_language(language), given.get(item.key))
        for item in (plan.checklist if plan else ())
    ]


@transaction.atomic
def answer_checklist(
    *, session: TreatmentSession, answers: Mapping[str, Answer], by: User, reason: str = ""
) -> list[ChecklistAnswer]:
    """Answer questions of the checklist; what is not named stays as it was.

    Two people answer side by side: each answer has its own version. Once the session has
    started, an answer changes only with a reason.
    """
    session = hold_session(session, by=by)
    plan = plan_of(session)
    known = {item.key for item in (plan.checklist if plan else ())}
    if unknown := sorted(set(answers) - known):
        raise ImpossibleError({key: [_("The checklist has no such question.")] for key in unknown})
    given = {each.key: each for each in session.answers.all()}
    changed = [_changed(session, key, each, given.get(key), by) for key, each in answers.items()]
    rows = [row for row in changed if row is not None]
    if rows and session.started_at is not None and not reason.strip():
        raise ReasonRequiredError(_("The session has started: say why you change the answer."))
    _store(session, rows, reason=reason)
    return rows


def _changed(
    session: TreatmentSession,
    key: str,
    said: Answer,
    stands: ChecklistAnswer | None,
    by: User,
) -> ChecklistAnswer | None:
    """The row with the answer put into it; None where it says so already."""
    text = said.reason.strip()[:500]
    if stands is not None and (stands.answer, stands.reason) == (said.answer, text):
        return None
    if (stands.version if stands else 0) != said.base_version:
        raise StaleError(
            _("Somebody else answered this while you did. Read it again."),
            current={key: stands.answer if stands else None},
            version=stands.version if stands else 0,
        )
    row = stands or ChecklistAnswer(
        site_id=session.site_id, subject_id=session.subject_id, session=session, key=key, version=0
    )
    row.answer, row.reason = said.answer, text
    row.version += 1
    row.answered_by, row.answered_at = by, trial_now()
    # What a physician let pass was the answer that stood then.
    row.overridden_by, row.overridden_at, row.override_reason = None, None, ""
    return row


@transaction.atomic
def override_answer(
    *, session: TreatmentSession, key: str, reason: str, by: User, base_version: int | None = None
) -> ChecklistAnswer:
    """Let a session start in spite of a "no": a physician's decision, with its reason."""
    session = hold_session(session, by=by)
    by.require(Capability.SIGN_FORM, site=session.site_id)
    if not reason.strip():
        raise ImpossibleError({key: [_("Overriding needs a reason.")]})
    row = session.answers.filter(key=key).first()
    if row is None or row.answer:
        raise TransitionError(_("Only a “no” is overridden."))
    if base_version is not None and row.version != base_version:
        raise StaleError(
            _("Somebody else answered this while you did. Read it again."),
            current={key: row.answer},
            version=row.version,
        )
    row.overridden_by, row.overridden_at = by, trial_now()
    row.override_reason = reason.strip()[:500]
    row.version += 1
    _store(session, [row], reason=reason)
    return row


def _store(session: TreatmentSession, rows: list[ChecklistAnswer], *, reason: str) -> None:
    """Store answers; the record's content hash follows, its version stays: others go on."""
    if not rows:
        return
    with because(reason.strip()) if reason.strip() else nullcontext(), session_refusals():
        for row in rows:
            row.save()
        session.record.content_hash = record_hash(session.record)
        writing.store(session.record, ["content_hash"])
