"""Packages: asked for, made by the worker in one snapshot, kept for a while, removed."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import os
import tempfile
import uuid
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from trialsite.access.capabilities import Capability
from trialsite.access.context import context_of, system_context
from trialsite.access.models import Site, User
from trialsite.core.acts import note_act
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.exports.archive import write_archive
from trialsite.exports.models import Package, PackageState

logger = logging.getLogger(__name__)

#: After this the file is removed; the row with its manifest stays.
KEPT = dt.timedelta(days=30)
#: A package that so many workers began and none finished is not begun again: most often it
#: needs more memory than the machine has, and it would end every worker that takes it.
MOST_ATTEMPTS = 3
#: Kept as it stands here, and said in the reader's language.
STOPPED = gettext_noop(
    "Every worker that began with it was stopped before it was done; none begins again. "
    "Tell whoever operates the system: most often there is too little memory."
)
_SYSTEM = "packages"


@transaction.atomic
def request_package(*, by: User) -> Package:
    """Ask for an archive of every dataset the person may export.

    Raises NotPermittedError, and DomainError while an earlier one is still being made.
    """
    by.require(Capability.EXPORT)
    try:
        with transaction.atomic():
            return Package.objects.create(requested_by=by)
    except IntegrityError as error:
        raise DomainError(_("A package of yours is being made already.")) from error


def packages_of(user: User) -> QuerySet[Package]:
    """What the person has asked for, the newest first; a package is its person's alone."""
    return Package.objects.filter(requested_by=user)


def take_package(package: Package, *, by: User) -> Path:
    """The file, for who may still export at every site it holds; that it was taken is noted.

    Raises NotPermittedError, and TransitionError where there is no file (any more).
    """
    place = file_of(package)
    held = package.manifest["sites"] if package.manifest else []
    mine = Site.objects.filter(pk__in=by.access.sites(Capability.EXPORT))
    if not set(held) <= set(mine.values_list("code", flat=True)):
        raise NotPermittedError(_("This package holds a site where you may not export any more."))
    note_act("package_taken", details={"package": str(package.pk), "sha256": package.sha256})
    return place


def path_of(package: Package) -> Path:
    """Where the file of a package lies."""
    return Path(settings.EXPORT_ROOT) / f"{package.pk}.zip"


def file_of(package: Package) -> Path:
    """The whole file of a package; TransitionError where there is none (any more)."""
    if package.state != PackageState.READY or not path_of(package).exists():
        raise TransitionError(_("This package has no file."))
    return path_of(package)


def waiting_packages() -> list[tuple[uuid.UUID, User]]:
    """What is to be made, the oldest first."""
    with acting(system_context(_SYSTEM, Channel.TASK)):
        rows = Package.objects.filter(state=PackageState.WAITING).select_related("requested_by")
        return [(each.pk, each.requested_by) for each in rows.order_by("requested_at")]


def make_package(key: uuid.UUID, by: User) -> bool:
    """Make one package as its person may today; whether it was there to be made.

    The file is on the disk, whole, before the row says so; a failure is said on the row.
    """
    try:
        if not _begin(key):
            return False
        with acting(context_of(by, Channel.TASK), one_moment=True):
            return _make(key, by)
    except Exception as error:
        logger.exception("Package %s was not made", key)
        with acting(system_context(_SYSTEM, Channel.TASK)):
            said = str(error) if isinstance(error, DomainError) else type(error).__name__
            Package.objects.filter(pk=key, state=PackageState.WAITING).update(
                state=PackageState.FAILED, error=said[:300], finished_at=timezone.now()
            )
        return False


def _begin(key: uuid.UUID) -> bool:
    """Note that a worker begins, before it can be stopped; whether it should."""
    with acting(system_context(_SYSTEM, Channel.TASK)):
        rows = Package.objects.select_for_update(no_key=True, skip_locked=True)
        package = rows.filter(pk=key, state=PackageState.WAITING).first()
        if package is None:
            return False
        if package.attempts >= MOST_ATTEMPTS:
            logger.error("Package %s was given up after %d attempts", key, package.attempts)
            package.state, package.error = PackageState.FAILED, STOPPED
            package.finished_at = timezone.now()
            package.save(update_fields=["state", "error", "finished_at"])
            return False
        package.attempts += 1
        package.save(update_fields=["attempts"])
    return True


def _make(key: uuid.UUID, by: User) -> bool:
    rows = Package.objects.select_for_update(no_key=True, skip_locked=True)
    package = rows.filter(pk=key, state=PackageState.WAITING).first()
    if package is None:
        return False
    by.require(Capability.EXPORT)
    place = path_of(package)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".making-")
    try:
        with os.fdopen(handle, "w+b") as file:
            package.manifest = write_archive(file, by=by)
            file.flush()
            os.fsync(file.fileno())
            package.size = file.seek(0, os.SEEK_END)
            file.seek(0)
            package.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        Path(temporary).replace(place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    package.state, package.finished_at = PackageState.READY, timezone.now()
    package.save(update_fields=["manifest", "size", "sha256", "state", "finished_at"])
    note_act(
        "exported",
        details={
            "package": str(package.pk),
            "sha256": package.sha256,
            "files": len(package.manifest["files"]),
            "sites": package.manifest["sites"],
        },
    )
    return True


def remove_old() -> int:
    """Remove the files whose time is over, and what a killed worker left; how many packages."""
    with acting(system_context(_SYSTEM, Channel.TASK)):
        old = Package.objects.select_for_update().filter(
            state=PackageState.READY, finished_at__lt=timezone.now() - KEPT
        )
        gone = list(old)
        for package in gone:
            path_of(package).unlink(missing_ok=True)
        Package.objects.filter(pk__in=[each.pk for each in gone]).update(state=PackageState.REMOVED)
    _sweep()
    return len(gone)


def _sweep() -> None:
    root, limit = Path(settings.EXPORT_ROOT), timezone.now().timestamp() - 24 * 3600
    for path in root.glob(".making-*") if root.exists() else ():
        if path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)
