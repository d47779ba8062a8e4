"""Importing a laboratory's file: prepared by the data manager or the site, taken by the site.

Nothing is written before it is taken, and then all of it in one transaction, through the
same service as typed results (decisions P2, trust IM1). The hash of the file and the key of
the import stand in the reason of every change.
"""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from collections.abc import Iterable
from pathlib import PurePosixPath

from django.db import IntegrityError, transaction
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
from trialsite.exports.reading.files import expect_size
from trialsite.labs.codes import FORM_OID
from trialsite.labs.importing.comparing import DrawKey, Item
from trialsite.labs.importing.keeping import file_of, keep_file
from trialsite.labs.importing.models import (
    KEPT_FOR,
    STANDING,
    ImportState,
    LabFileMapping,
    LabImport,
)
from trialsite.labs.importing.outcomes import Outcome
from trialsite.labs.importing.planning import LEAVE, Plan, entry_of, options_of, people_of, plan_of
from trialsite.labs.importing.reporting import report_of
from trialsite.labs.models import Laboratory
from trialsite.labs.services.mappings import mapping_of
from trialsite.labs.services.panels import open_panel, save_panel
from trialsite.labs.sheet import Sheet

#: Results that a page or a request reads and takes at once; more are prepared by the command
#: and taken by the worker.
AT_ONCE = 5_000
#: Files that may wait at one site, so that nobody fills the disk.
MOST_WAITING = 50


class AlreadyImportedError(DomainError):
    """This file is known here; `found` is its import."""

    def __init__(self, found: LabImport) -> None:
        self.found = found
        taken = found.accepted_at or found.prepared_at
        person = found.accepted_by or found.prepared_by
        message = (
            _("This file was already imported on %(day)s by %(person)s. Nothing was changed.")
            if found.accepted_at
            else _("This file already waits here since %(day)s, prepared by %(person)s.")
        )
        super().__init__(message % {"day": f"{taken:%Y-%m-%d}", "person": person.full_name})


class StaleImportError(DomainError):
    """What stands in the casebook has changed since the comparison was looked at."""


@transaction.atomic
def prepare_import(
    *, laboratory: Laboratory, content: bytes, filename: str, by: User, most: int | None = AT_ONCE
) -> LabImport:
    """Read a file by its laboratory's mapping and compare it; nothing is written by it yet.

    Raises UnreadableFileError, AlreadyImportedError or DomainError.
    """
    _require_preparing(laboratory.site_id, by)
    expect_size(len(content))
    mapping = mapping_of(laboratory)
    if mapping is None:
        raise DomainError(
            _("Nobody has stated how files of this laboratory are read. Ask the data manager.")
        )
    sha256 = hashlib.sha256(content).hexdigest()
    _expect_unknown(mapping, sha256, by)
    _expect_room(laboratory.site_id)
    plan = plan_of(content, laboratory=laboratory, mapping=mapping, most=most)
    now = trial_now()
    made = LabImport(
        site_id=laboratory.site_id,
        laboratory=laboratory,
        mapping=mapping,
        filename=_name(filename),
        size=len(content),
        sha256=sha256,
        stored_as=keep_file(content),
        read_as=plan.read_as[:200],
        report=report_of(plan),
        digest=plan.digest,
        compared_at=now,
        prepared_by=by,
        prepared_at=now,
    )
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError as error:
        # Somebody prepared the same file at the same moment.
        _expect_unknown(mapping, sha256, by)
        raise TransitionError(_("This file has just been prepared by somebody else.")) from error
    return made


def _expect_room(site_id: int) -> None:
    since = trial_now() - KEPT_FOR
    waiting = LabImport.objects.filter(
        site_id=site_id, state=ImportState.PREPARED, prepared_at__gt=since
    )
    if waiting.count() >= MOST_WAITING:
        message = _("%(n)d files of this site wait already. Take them or put them away first.")
        raise DomainError(message % {"n": MOST_WAITING})


def _require_preparing(site_id: int, by: User) -> None:
    if not by.can(Capability.ENTER_DATA, site=site_id):
        by.require(Capability.MANAGE_LABS, site=site_id)


def _expect_unknown(mapping: LabFileMapping, sha256: str, by: User) -> None:
    known = LabImport.objects.filter(mapping=mapping, sha256=sha256, state__in=STANDING)
    found = known.select_related("prepared_by", "accepted_by").first()
    if found is None:
        return
    if found.state == ImportState.PREPARED and not found.is_open:
        _put_away(found, by=by, reason=_("Not taken in time."))
        return
    raise AlreadyImportedError(found)


def _name(filename: str) -> str:
    name = unicodedata.normalize("NFC", filename.replace("\\", "/"))
    name = "".join(each for each in name if unicodedata.category(each)[0] != "C")
    return PurePosixPath(name).name.strip()[:255] or "file"


def plan_now(found: LabImport) -> Plan:
    """The import against the casebook as it stands."""
    return plan_of(
        file_of(found),
        laboratory=found.laboratory,
        mapping=found.mapping,
        choices=found.choices,
    )


def _locked(found: LabImport) -> LabImport:
    rows = LabImport.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("laboratory__site", "mapping").get(pk=found.pk)


def _expect_open(found: LabImport) -> None:
    if found.state == ImportState.ACCEPTED:
        raise AlreadyImportedError(
            LabImport.objects.select_related("accepted_by", "prepared_by").get(pk=found.pk)
        )
    if found.state == ImportState.ACCEPTING:
        raise TransitionError(_("This import is being taken into the casebook right now."))
    if not found.is_open:
        raise TransitionError(_("This import was put away or has expired. Prepare the file anew."))


@transaction.atomic
def compare_again(*, found: LabImport, by: User) -> LabImport:
    """Compare anew with what stands now, and keep that as what people look at."""
    found = _locked(found)
    _require_preparing(found.site_id, by)
    _expect_open(found)
    _keep_report(found, plan_now(found))
    return found


def _keep_report(found: LabImport, plan: Plan) -> None:
    found.report, found.digest, found.compared_at = report_of(plan), plan.digest, trial_now()
    found.choices, found.version = dict(plan.choices), found.version + 1
    found.save(update_fields=["report", "digest", "compared_at", "choices", "version"])


@transaction.atomic
def choose(
    *, found: LabImport, choices: dict[str, str], by: User, leave_all: Iterable[str] = ()
) -> LabImport:
    """Say of single lines what becomes of them; of the outcomes in `leave_all`, leave all out.

    Only the site chooses: the data are its own. An empty choice takes one back.
    """
    found = _locked(found)
    by.require(Capability.ENTER_DATA, site=found.site_id)
    _expect_open(found)
    plan = plan_now(found)
    said = {key: text for key, text in found.choices.items() if key not in choices}
    whole = set(leave_all)
    for item in plan.items:
        key = item.line.key
        chosen = LEAVE if item.outcome in whole else choices.get(key, "")
        if chosen and chosen in options_of(item):
            said[key] = chosen
        elif chosen:
            raise DomainError(_("Line %(place)s cannot be taken so.") % {"place": item.line.place})
    plan.choices = said
    _keep_report(found, plan)
    return found


@transaction.atomic
def accept_import(
    *, found: LabImport, by: User, digest: str, reason: str = "", at_once: bool = True
) -> LabImport:
    """Take everything that is settled into the casebook, or nothing.

    `digest` is of the comparison the person looked at. Raises StaleImportError where it would
    now do something else, ReasonRequiredError where values change without one. Large imports
    are handed to the worker unless `at_once`.
    """
    found = _locked(found)
    by.require(Capability.ENTER_DATA, site=found.site_id)
    _expect_open(found)
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
    found.problem = ""
    found.version += 1
    found.save(update_fields=["state", "asked_by", "reason", "problem", "version"])
    return found


def waiting_imports() -> list[uuid.UUID]:
    """The imports that were handed to the worker, the first one first."""
    rows = LabImport.objects.filter(state=ImportState.ACCEPTING).order_by("prepared_at")
    return list(rows.values_list("pk", flat=True))


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
    plan = _plan_under_lock(found)
    if plan.digest != digest:
        raise StaleImportError(_stale())
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
    found.report, found.digest, found.state = report_of(plan), plan.digest, ImportState.ACCEPTED
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


def _plan_under_lock(found: LabImport) -> Plan:
    """The plan while nobody else can change what it was made from.

    Records are locked before subjects, as a page that saves does it.
    """
    people = people_of(file_of(found), laboratory=found.laboratory, mapping=found.mapping)
    subjects = list(people.subjects)
    records = CrfRecord.objects.filter(subject__in=subjects, form_oid=FORM_OID).order_by("pk")
    list(records.select_for_update(no_key=True).values_list("pk"))
    own = Subject.objects.filter(pk__in=subjects).order_by("pk")
    list(own.select_for_update(no_key=True).values_list("pk"))
    return plan_now(found)


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


@transaction.atomic
def discard_import(*, found: LabImport, reason: str, by: User) -> LabImport:
    """Put a prepared import away; nothing of it was written, and its file is removed later."""
    found = _locked(found)
    _require_preparing(found.site_id, by)
    if found.state != ImportState.PREPARED:
        _expect_open(found)
    if not reason.strip():
        raise ReasonRequiredError(_("Say why the import is put away."))
    _put_away(found, by=by, reason=reason)
    return found


def _put_away(found: LabImport, *, by: User, reason: str) -> None:
    found.state, found.discarded_by = ImportState.DISCARDED, by
    found.discarded_at, found.discard_reason = trial_now(), reason.strip()[:500]
    found.version += 1
    found.save()


def keeps_file(sha256: str) -> bool:
    """Whether an import still needs a file of the vault: put away, it needs it no more."""
    return LabImport.objects.filter(stored_as=sha256, state__in=STANDING).exists()
