"""Taking a prepared import into the casebook: by the site at once, or by the worker for it.

All of it in one transaction, through the same service as typed results (decisions P2, trust
IM1). The hash of the file and the key of the import stand in the reason of every change.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.context import context_of
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.crf.services import IncompleteError, ReasonRequiredError
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.codes import FORM_OID
from trialsite.labs.importing.comparing import DrawKey, Item
from trialsite.labs.importing.models import ImportState, LabImport
from trialsite.labs.importing.outcomes import Outcome
from trialsite.labs.importing.planning import Plan, entry_of
from trialsite.labs.importing.reporting import basis_of, report_of
from trialsite.labs.services.imports import AT_ONCE, expect_open, locked_import, plan_now
from trialsite.labs.services.panels import open_panel, save_panel
from trialsite.labs.sheet import Sheet

#: So often a worker begins with an import before it goes back to its site.
MOST_ATTEMPTS = 3


class StaleImportError(DomainError):
    """What stands in the casebook has changed since the comparison was looked at."""


@transaction.atomic
def accept_import(
    *, found: LabImport, by: User, digest: str, reason: str = "", at_once: bool = True
) -> LabImport:
    """Take everything that is settled into the casebook, or nothing.

    `digest` is of the comparison the person looked at. Raises StaleImportError where it would
    now do something else, ReasonRequiredError where values change without one. Large imports
    are handed to the worker unless `at_once`.
    """
    found = locked_import(found)
    by.require(Capability.ENTER_DATA, site=found.site_id)
    expect_open(found)
    if found.report["lines"] > AT_ONCE and not at_once:
        return _hand_over(found, by=by, digest=digest, reason=reason)
    return _take(found, by=by, digest=digest, reason=reason)


def _hand_over(found: LabImport, *, by: User, digest: str, reason: str) -> LabImport:
    if digest != found.digest:
        raise StaleImportError(_stale())
    if found.report["open"]:
        raise DomainError(_("Say first what becomes of the lines that need a look."))
    if found.report["changes"] and not reason.strip():
        raise ReasonRequiredError(_("Say why values that stand are changed."))
    found.state, found.asked_by, found.reason = ImportState.ACCEPTING, by, reason.strip()[:300]
    found.problem, found.attempts = "", 0
    found.version += 1
    found.save(update_fields=["state", "asked_by", "reason", "problem", "attempts", "version"])
    return found


@transaction.atomic
def take_back(*, found: LabImport, by: User) -> LabImport:
    """Take an import back from the worker that has not begun with it: it waits for the site."""
    found = locked_import(found)
    by.require(Capability.ENTER_DATA, site=found.site_id)
    if found.state != ImportState.ACCEPTING:
        raise TransitionError(_("This import does not wait for the worker."))
    found.state, found.asked_by, found.problem = ImportState.PREPARED, None, ""
    found.version += 1
    found.save(update_fields=["state", "asked_by", "problem", "version"])
    return found


def waiting_imports() -> list[uuid.UUID]:
    """The imports that were handed to the worker, the first one first."""
    rows = LabImport.objects.filter(state=ImportState.ACCEPTING).order_by("prepared_at")
    return list(rows.values_list("pk", flat=True))


@transaction.atomic
def begin(key: uuid.UUID) -> bool:
    """Note that the worker begins with an import; whether it should.

    A worker that dies leaves no word. What several have begun and none has finished goes back
    to the site, so that it does not hold up the others for ever.
    """
    rows = LabImport.objects.select_for_update(no_key=True, skip_locked=True)
    found = rows.filter(pk=key, state=ImportState.ACCEPTING).first()
    if found is None:
        return False
    if found.attempts >= MOST_ATTEMPTS:
        give_back(key)
        return False
    found.attempts += 1
    found.save(update_fields=["attempts"])
    return True


@transaction.atomic
def take_one(key: uuid.UUID) -> bool:
    """Take an import as the person who accepted it; whether it was.

    The row's lock is the lease: a second worker passes over it, and where one dies its
    transaction ends with it and the next begins anew (decisions D11). What is refused goes
    back to the site with the reason.
    """
    rows = LabImport.objects.select_for_update(no_key=True, of=("self",), skip_locked=True)
    rows = rows.select_related("laboratory__site", "mapping", "asked_by")
    found = rows.filter(pk=key, state=ImportState.ACCEPTING).first()
    if found is None or found.asked_by is None:
        return False
    person = found.asked_by
    try:
        with acting(context_of(person, Channel.IMPORT)):
            person.require(Capability.ENTER_DATA, site=found.site_id)
            _take(found, by=person, digest=found.digest, reason=found.reason)
    except DomainError as error:
        LabImport.objects.filter(pk=key).update(
            state=ImportState.PREPARED, problem=str(error)[:1000]
        )
        return False
    return True


@transaction.atomic
def give_back(key: uuid.UUID) -> None:
    """An import that failed for a reason of ours stands as prepared again, and says so."""
    LabImport.objects.filter(pk=key, state=ImportState.ACCEPTING).update(
        state=ImportState.PREPARED,
        problem=_("It could not be taken. Nothing was written; try it again or put it away."),
    )


def _take(found: LabImport, *, by: User, digest: str, reason: str) -> LabImport:
    plan = _held(found, digest)
    if any(plan.unsettled):
        raise DomainError(_("Say first what becomes of the lines that need a look."))
    taken = plan.taken()
    changes = any(item.outcome is Outcome.CHANGED for items in taken.values() for item in items)
    reason = reason.strip()[:300]
    if changes and not reason:
        raise ReasonRequiredError(_("Say why values that stand are changed."))
    said = f"Lab import {found.pk}, SHA-256 {found.sha256}"
    said = f"{said}: {reason}" if reason else said
    with acting(context_of(by, Channel.IMPORT, reason=said)):
        for key, items in taken.items():
            _write(plan, key, items, by=by, reason=said)
    basis = basis_of(plan)
    found.basis, found.report, found.digest = basis, report_of(basis, plan.choices), plan.digest
    found.state = ImportState.ACCEPTED
    found.accepted_by, found.accepted_at, found.reason = by, trial_now(), reason
    found.problem = ""
    found.version += 1
    found.save()
    return found


def _stale() -> str:
    return _(
        "What stands in the casebook has changed since this comparison was shown. Look at it "
        "again; nothing was taken."
    )


def _held(found: LabImport, digest: str) -> Plan:
    """The plan that was looked at, and nobody can change any more what it was made from.

    It is made without a lock, for a large file takes its time; only then are the people held,
    and compared once more if something of theirs has changed meanwhile.
    """
    plan = plan_now(found)
    if plan.digest != digest:
        raise StaleImportError(_stale())
    standing = plan.comparison.standing
    _hold(standing.subjects)
    if standing.moved:
        plan = plan_now(found)
        if plan.digest != digest:
            raise StaleImportError(_stale())
    return plan


def _hold(subjects: Collection[uuid.UUID]) -> None:
    """Lock records before subjects, as a page that saves does it."""
    records = CrfRecord.objects.filter(subject__in=subjects, form_oid=FORM_OID).order_by("pk")
    list(records.select_for_update(no_key=True).values_list("pk"))
    own = Subject.objects.filter(pk__in=subjects).order_by("pk")
    list(own.select_for_update(no_key=True).values_list("pk"))


def _write(plan: Plan, key: DrawKey, items: list[Item], *, by: User, reason: str) -> None:
    """One draw: the one that stands, the empty one its visit expects, or one more."""
    record = _record(plan, key, by=by)
    sheet = Sheet(record)
    try:
        save_panel(
            record=record,
            entry=entry_of(sheet, plan.comparison.standing.laboratory, items),
            by=by,
            base_version=record.version,
            reason=reason,
        )
    except NotPermittedError:
        raise
    except (ImpossibleError, IncompleteError) as error:
        message = _("Line %(place)s: %(problem)s") % {
            "place": items[0].line.place,
            "problem": " ".join(getattr(error, "problems", {}).values()) or str(error),
        }
        raise DomainError(message) from error


def _record(plan: Plan, key: DrawKey, *, by: User) -> CrfRecord:
    draw = plan.comparison.draw_of(key)
    if draw is not None:
        return draw.panel.record
    standing = plan.comparison.standing
    visit = plan.comparison.visit_of(key)
    expected = standing.expected.get(visit.pk, []) if visit else []
    if expected:
        return expected.pop(0)
    return open_panel(
        subject=standing.subjects[key.subject_id],
        visit_id=visit.pk if visit else None,
        protocol_version=visit.protocol_version if visit else None,
        by=by,
    )
