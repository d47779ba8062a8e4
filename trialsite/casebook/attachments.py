"""Documents of a subject: kept by content, never replaced, voided instead of deleted."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

from django.conf import settings
from django.core.files.base import File
from django.db import connection, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook import vault
from trialsite.casebook.models import (
    Attachment,
    AttachmentKind,
    CrfRecord,
    LockState,
    MediaType,
    Subject,
)
from trialsite.casebook.sniffing import UnwelcomeFileError, media_type_of
from trialsite.core.clock import TrialNow
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError

SUFFIXES = {
    MediaType.PDF: (".pdf",),
    MediaType.PNG: (".png",),
    MediaType.JPEG: (".jpg", ".jpeg"),
    MediaType.WEBP: (".webp",),
}
#: One subject may fill this part of its site's quota, so that nobody starves the others.
SUBJECT_SHARE = 4


class DamagedFileError(DomainError):
    """The file on the disk is not the one that was kept."""


class QuotaError(DomainError):
    """There is no room for the file."""


@transaction.atomic
def add_attachment(
    *,
    subject: Subject,
    file: File[bytes],
    title: str,
    by: User,
    kind: str = AttachmentKind.OTHER,
    record: CrfRecord | None = None,
) -> Attachment:
    """Keep a document. Raises UnwelcomeFileError, QuotaError, TransitionError, DomainError."""
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    _expect_open(subject, record)
    title = _clean(title)[:200]
    if not title:
        raise DomainError(_("A document needs a title."))
    if kind not in AttachmentKind.values:
        raise DomainError(_("This is no kind of document."))
    content = _read(file)
    media_type = media_type_of(content)
    _expect_room(subject, len(content))
    return Attachment.objects.create(
        site_id=subject.site_id,
        subject=subject,
        record=record,
        kind=kind,
        title=title,
        filename=display_name(file.name or "", media_type),
        media_type=media_type,
        size=len(content),
        sha256=vault.store(content),
        uploaded_by=by,
        uploaded_at=TrialNow(),
    )


@transaction.atomic
def void_attachment(*, attachment: Attachment, reason: str, by: User) -> Attachment:
    """Take a document out of the casebook; the row and the file stay for the trail."""
    attachment = Attachment.objects.select_for_update(no_key=True).get(pk=attachment.pk)
    by.require(Capability.ENTER_DATA, site=attachment.site_id)
    if attachment.voided_at is not None:
        raise TransitionError(_("This document is already voided."))
    _expect_open(attachment.subject, attachment.record)
    reason = reason.strip()[:500]
    if not reason:
        raise DomainError(_("Voiding needs a reason."))
    with because(reason):
        Attachment.objects.filter(pk=attachment.pk).update(voided_at=TrialNow(), void_reason=reason)
    attachment.refresh_from_db()
    return attachment


def content_of(attachment: Attachment) -> bytes:
    """The document as it was uploaded, checked against its hash before anybody gets it."""
    if attachment.voided_at is not None:
        raise TransitionError(_("This document has been voided."))
    content = vault.fetch(attachment.sha256)
    if content is None:
        raise DamagedFileError(
            _("The stored file is missing or was altered. Tell the administrator; nothing is sent.")
        )
    return content


def sweep(older_than_seconds: float) -> int:
    """Remove files that no row of any site knows; needs a context that sees every site."""
    removed = 0
    for path in vault.files_older_than(older_than_seconds):
        kept = Attachment.objects.filter(sha256=path.name).exists() or vault.is_kept(path.name)
        if not kept:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def display_name(name: str, media_type: MediaType) -> str:
    """A client's file name made fit to be shown and offered; its ending tells the truth."""
    name = PurePosixPath(_clean(name).replace("\\", "/")).name.lstrip(".").strip() or "document"
    endings = SUFFIXES[media_type]
    if not name.lower().endswith(endings):
        name += endings[0]
    return name if len(name) <= 255 else name[: 255 - len(endings[0])] + endings[0]


def _clean(text: str) -> str:
    """Without control characters and marks that turn the direction of reading."""
    text = unicodedata.normalize("NFC", text)
    return "".join(each for each in text if unicodedata.category(each)[0] != "C").strip()


def _expect_open(subject: Subject, record: CrfRecord | None) -> None:
    if record is not None and record.subject_id != subject.pk:
        raise DomainError(_("This form belongs to another subject."))
    if subject.lock_state != LockState.OPEN or (record is not None and record.is_closed):
        raise TransitionError(_("The casebook is locked. Ask the data manager to unlock it."))


def _read(file: File[bytes]) -> bytes:
    """The content, never more of it than may be kept."""
    limit: int = settings.ATTACHMENT_MAX_BYTES
    content: bytes = file.read(limit + 1)
    if len(content) > limit:
        raise UnwelcomeFileError(
            _("This file is larger than %(limit)d MB.") % {"limit": limit // 1024**2}
        )
    return content


def _expect_room(subject: Subject, size: int) -> None:
    """Voided documents count: their files are still kept. The site's uploads queue here."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('attachment quota'), %s)", [subject.site_id]
        )
    quota: int = settings.ATTACHMENT_QUOTA_BYTES
    of_site = Attachment.objects.filter(site_id=subject.site_id)
    for rows, limit in (
        (of_site, quota),
        (of_site.filter(subject=subject), quota // SUBJECT_SHARE),
    ):
        used = rows.aggregate(sum=Sum("size"))["sum"] or 0
        if used + size > limit:
            raise QuotaError(_("There is no room left for documents. Tell the administrator."))
