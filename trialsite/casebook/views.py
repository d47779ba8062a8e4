"""The documents of a subject: list and upload, download, void."""

from __future__ import annotations

import uuid
from functools import partial

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.errors import error_page
from trialsite.access.http import StaffRequest, requires, requires_by_method
from trialsite.access.keeping import keep
from trialsite.casebook.attachments import (
    DamagedFileError,
    add_attachment,
    content_of,
    void_attachment,
)
from trialsite.casebook.models import Attachment, AttachmentKind, Subject
from trialsite.core.acts import note_act
from trialsite.core.exceptions import DomainError, NotPermittedError

ACCEPTED = ".pdf,.png,.jpg,.jpeg,.webp"


@requires_by_method(get=Capability.VIEW_CASEBOOK, post=Capability.ENTER_DATA)
def attachments(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """The list; a POST adds a document to it."""
    mine = Subject.objects.visible_to(request.user).select_related("site")
    subject = get_object_or_404(mine, pk=subject_id)
    if request.method == "POST":
        return _upload(request, subject)
    return _page(request, subject)


def _page(request: StaffRequest, subject: Subject, error: str = "") -> HttpResponse:
    rows = Attachment.objects.filter(subject=subject).select_related("uploaded_by", "record")
    context = {
        "subject": subject,
        "attachments": rows,
        "kinds": AttachmentKind.choices,
        "accepted": ACCEPTED,
        "may_add": request.user.can(Capability.ENTER_DATA, site=subject.site_id),
        "error": error,
        "typed": request.POST,
    }
    return render(request, "casebook/attachments.html", context, status=422 if error else 200)


def _upload(request: StaffRequest, subject: Subject) -> HttpResponse:
    file = request.FILES.get("file")
    if file is None:
        return _page(request, subject, _("Choose a file."))
    try:
        add_attachment(
            subject=subject,
            file=file,
            title=request.POST.get("title", ""),
            kind=request.POST.get("kind", ""),
            by=request.user,
        )
    except NotPermittedError:
        raise
    except DomainError as refused:
        return _page(request, subject, str(refused))
    messages.success(request, _("The document is kept."))
    return redirect("casebook:attachments", subject.pk)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def attachment(request: StaffRequest, attachment_id: uuid.UUID) -> HttpResponse:
    """The document itself, as a file to keep and never as a page of ours."""
    mine = Attachment.objects.visible_to(request.user).filter(voided_at=None)
    found = get_object_or_404(mine, pk=attachment_id)
    about = {
        "site_id": found.site_id,
        "subject_id": found.subject_id,
        "record_id": found.record_id,
        "details": {"attachment": str(found.pk), "title": found.title, "sha256": found.sha256},
    }
    try:
        content = content_of(found)
    except DamagedFileError as damaged:
        keep(request, partial(note_act, "attachment_damaged", **about))  # type: ignore[arg-type]
        return error_page(request, 500, str(damaged))
    note_act("attachment_downloaded", **about)  # type: ignore[arg-type]
    response = HttpResponse(content, content_type=found.media_type)
    response["Content-Disposition"] = _offered_as(found.filename)
    response["Content-Length"] = str(len(content))
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "no-store"
    return response


@requires(Capability.ENTER_DATA)
@require_POST
def void(request: StaffRequest, attachment_id: uuid.UUID) -> HttpResponse:
    """Take a document out, with the reason."""
    mine = Attachment.objects.visible_to(request.user, Capability.ENTER_DATA)
    found = get_object_or_404(mine, pk=attachment_id)
    try:
        void_attachment(attachment=found, reason=request.POST.get("reason", ""), by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("The document is voided; it stays in the trail."))
    return redirect("casebook:attachments", found.subject_id)


def _offered_as(filename: str) -> str:
    """RFC 5987: any name in any script, never a path, never shown inline."""
    return content_disposition_header(as_attachment=True, filename=filename) or "attachment"
