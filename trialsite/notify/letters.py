"""The letter that a notice becomes, in its reader's language."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from trialsite.access.adapters import address_of
from trialsite.access.models import User
from trialsite.notify.channels import Letter
from trialsite.notify.models import DIGEST, READY_MADE, Lane, Notice, Outcome, State
from trialsite.notify.outbox import Sealed
from trialsite.notify.planning import Mail, render, rendered
from trialsite.notify.settling import settle


def compose(notice: Notice) -> Letter:
    """What to send; raises where the text cannot be made."""
    user = notice.recipient
    with override(user.language if user else settings.LANGUAGE_CODE):
        if notice.sealed:
            sealed = Sealed.open(notice.sealed)
            return _letter(notice, sealed.to, sealed.subject, sealed.body)
        if user is None:
            raise LookupError("there is nobody to write to")
        mail = _digest(notice, user) if notice.kind == DIGEST else render(notice, user)
        link = f"\n{address_of(mail.path)}\n" if mail.path else ""
        return _letter(notice, user.email, mail.subject, f"{mail.body.strip()}\n{link}")


def _digest(digest: Notice, user: User) -> Mail:
    """Everything that it merges, a line and a link each; one thing alone reads as by itself."""
    members = Notice.objects.filter(within=digest, state=State.BUNDLED)
    merged = list(members.order_by("due_at", "id"))
    texts = rendered(merged, user)
    if not texts:
        raise LookupError("none of its texts can be made")
    for notice in merged:
        if notice.pk not in texts:
            settle(notice, Outcome.DEFERRED, "its text cannot be made")
    mails = [texts[notice.pk] for notice in merged if notice.pk in texts]
    if len(mails) == 1:
        return mails[0]
    count = {"count": len(mails), "name": user.full_name}
    lines = [_line(mail) for mail in mails]
    return Mail(
        subject=ngettext("%(count)d reminder", "%(count)d reminders", len(mails)) % count,
        body="\n\n".join([_("%(name)s, this is due:") % count, *lines]),
    )


def _line(mail: Mail) -> str:
    link = f"\n  {address_of(mail.path)}" if mail.path else ""
    return f"- {mail.line or mail.subject}{link}"


def _letter(notice: Notice, to: str, subject: str, body: str) -> Letter:
    if settings.DEMO:
        subject = f"[{_('SYNTHETIC')}] {subject}"
        notes = _("This mail comes from a demonstration: all data in it are synthetic.")
        body = f"{body.rstrip()}\n\n-- \n{notes}\n"
    return Letter(
        message_id=notice.message_id,
        kind=notice.kind,
        urgent=notice.lane == Lane.URGENT and notice.kind != READY_MADE,
        language=notice.recipient.language if notice.recipient else settings.LANGUAGE_CODE,
        to=to,
        subject=" ".join(subject.split()),
        body=body,
    )
