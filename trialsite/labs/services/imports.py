"""Importing a laboratory's file: prepared by the data manager or the site, taken by the site.

Nothing is written before it is taken, and then all of it in one transaction, through the
same service as typed results (decisions P2, trust IM1). The hash of the file and the key of
the import stand in the reason of every change.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.crf.services import ReasonRequiredError
from trialsite.exports.reading.files import expect_size
from trialsite.labs.importing.keeping import file_of, keep_file
from trialsite.labs.importing.models import (
    KEPT_FOR,
    STANDING,
    ImportState,
    LabFileMapping,
    LabImport,
)
from trialsite.labs.importing.planning import LEAVE, Plan, digest_of, plan_of
from trialsite.labs.importing.reporting import basis_of, report_of
from trialsite.labs.importing.stamps import stamp_of
from trialsite.labs.models import Laboratory
from trialsite.labs.services.mappings import mapping_of

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
    basis = basis_of(plan)
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
        basis=basis,
        report=report_of(basis, {}),
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


def is_current(found: LabImport) -> bool:
    """Whether the comparison that is kept is still what a new one would be."""
    stamp: str = found.basis["stamp"]
    return stamp_of(found.laboratory, found.basis["labels"]) == stamp


def locked_import(found: LabImport) -> LabImport:
    """The import with its row locked. One that the worker holds is not waited for."""
    handed_over = LabImport.objects.filter(pk=found.pk, state=ImportState.ACCEPTING).exists()
    rows = LabImport.objects.select_for_update(no_key=True, of=("self",), skip_locked=handed_over)
    got = rows.select_related("laboratory__site", "mapping").filter(pk=found.pk).first()
    if got is None:
        raise TransitionError(_being_taken())
    return got


def _being_taken() -> str:
    return _("This import is being taken into the casebook right now.")


def expect_open(found: LabImport) -> None:
    """Refuse an import that was taken, is being taken, was put away or has expired."""
    if found.state == ImportState.ACCEPTED:
        raise AlreadyImportedError(
            LabImport.objects.select_related("accepted_by", "prepared_by").get(pk=found.pk)
        )
    if found.state == ImportState.ACCEPTING:
        raise TransitionError(_being_taken())
    if not found.is_open:
        raise TransitionError(_("This import was put away or has expired. Prepare the file anew."))


@transaction.atomic
def compare_again(*, found: LabImport, by: User) -> LabImport:
    """Compare anew with what stands now, and keep that as what people look at."""
    found = locked_import(found)
    _require_preparing(found.site_id, by)
    expect_open(found)
    found.compared_at = trial_now()
    _keep(found, basis_of(plan_now(found)), found.choices)
    return found


def _keep(found: LabImport, basis: dict[str, Any], choices: dict[str, str]) -> None:
    found.basis, found.choices, found.version = basis, choices, found.version + 1
    found.report, found.digest = report_of(basis, choices), digest_of(basis["compared"], choices)
    found.save(
        update_fields=["basis", "report", "digest", "compared_at", "choices", "version"],
    )


@transaction.atomic
def choose(
    *, found: LabImport, choices: dict[str, str], by: User, leave_all: Iterable[str] = ()
) -> LabImport:
    """Say of single lines what becomes of them; of the outcomes in `leave_all`, leave all out.

    Only the site chooses: the data are its own. An empty choice takes one back. The file is
    compared anew only where something in the casebook has changed since.
    """
    found = locked_import(found)
    by.require(Capability.ENTER_DATA, site=found.site_id)
    expect_open(found)
    basis = found.basis
    if not is_current(found):
        basis, found.compared_at = basis_of(plan_now(found)), trial_now()
    said = {key: text for key, text in found.choices.items() if key not in choices}
    wanted, whole = {key: text for key, text in choices.items() if text}, set(leave_all)
    for key, place, outcome, _at, becomes in basis["askable"]:
        chosen = wanted.pop(key, "")
        chosen = LEAVE if outcome in whole else chosen
        if chosen and chosen not in becomes:
            raise DomainError(_("Line %(place)s cannot be taken so.") % {"place": place})
        if chosen:
            said[key] = chosen
    for key in wanted:
        raise DomainError(_("Line %(place)s cannot be taken so.") % {"place": key[:20]})
    _keep(found, basis, said)
    return found


@transaction.atomic
def discard_import(*, found: LabImport, reason: str, by: User) -> LabImport:
    """Put an import away that waits, be it for the site or for the worker.

    Nothing of it was written, and its file is removed later.
    """
    found = locked_import(found)
    _require_preparing(found.site_id, by)
    if found.state not in {ImportState.PREPARED, ImportState.ACCEPTING}:
        expect_open(found)
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
