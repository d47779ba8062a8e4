"""The outbox: what must be said to whom, and the log of every attempt to say it.

A notice is one promise in PostgreSQL. It is planned once (its dedupe key is unique), and
it ends sent, cancelled, failed or with nobody to send to; each of these can be seen.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, User
from trialsite.core.guards import guarded

#: The kind of the mails that come with their text; no planner stands behind them.
READY_MADE = "mail"
#: A repeat of a repeat of a repeat helps nobody: from here a person looks.
DOUBTS_ALLOWED = 3
#: A weekend without a mail server loses nothing.
GIVE_UP_AFTER = dt.timedelta(days=3)
LONGEST_WAIT = dt.timedelta(hours=1)


class By(models.TextChoices):
    MAIL = "mail", _("E-mail")


class State(models.TextChoices):
    PLANNED = "planned", _("Planned")
    CLAIMED = "claimed", _("Taken by a worker")
    SENDING = "sending", _("Being sent")
    IN_DOUBT = "in_doubt", _("Perhaps sent")
    SENT = "sent", _("Sent")
    CANCELLED = "cancelled", _("No longer due")
    FAILED = "failed", _("Failed")
    NOBODY = "nobody", _("Nobody to send to")


WAITING = (State.PLANNED, State.IN_DOUBT)
HELD = (State.CLAIMED, State.SENDING)
OPEN = (*WAITING, *HELD)
FINAL = (State.SENT, State.CANCELLED, State.FAILED, State.NOBODY)


class Outcome(models.TextChoices):
    SENT = "sent", _("Accepted by the mail server")
    DEFERRED = "deferred", _("Put off")
    IN_DOUBT = "in_doubt", _("Interrupted: perhaps accepted")
    REFUSED = "refused", _("Refused by the mail server")
    CANCELLED = "cancelled", _("No longer due")
    NOBODY = "nobody", _("Nobody to send to")


@guarded(
    site="site_id",
    unscoped="the dispatcher serves every site; it names no subject (decisions D8, H1)",
    unaudited="its own delivery log; a million planned reminders are no events",
)
class Notice(models.Model):
    """One thing to say to one person, once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("Kind"), max_length=40)
    site = models.ForeignKey(Site, models.PROTECT, null=True, related_name="notices")
    #: What it is about; only the planner of its kind knows what this identifies.
    object_id = models.UUIDField(null=True)
    recipient = models.ForeignKey(User, models.PROTECT, null=True, related_name="notices")
    channel = models.CharField(_("Channel"), max_length=10, choices=By, db_default=By.MAIL)
    dedupe_key = models.CharField(max_length=200, unique=True)
    due_at = models.DateTimeField(_("Due"))
    #: Not before this moment: `due_at`, later after each failure.
    try_at = models.DateTimeField(_("Next attempt"))
    state = models.CharField(_("State"), max_length=10, choices=State, db_default=State.PLANNED)
    attempts = models.PositiveSmallIntegerField(_("Attempts"), db_default=0)
    #: How often it was interrupted at a moment when the mail may have gone out.
    doubts = models.PositiveSmallIntegerField(db_default=0)
    #: Until then one worker has it. Each claim ends at another moment, so it tells whose.
    lease_until = models.DateTimeField(null=True)
    #: A mail given ready-made (it may hold a reset link): encrypted, wiped at the end.
    sealed = models.TextField(db_default="", blank=True)
    sent_at = models.DateTimeField(_("Sent"), null=True)
    last_error = models.CharField(_("Last error"), max_length=500, db_default="", blank=True)
    #: What its planner found that it is about, while it is being rendered; no column.
    about: object = None

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], name="notice_open", condition=Q(state__in=OPEN)),
            models.Index(
                fields=["state"],
                name="notice_unsaid",
                condition=Q(state__in=(State.FAILED, State.NOBODY)),
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="notice_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=HELD, lease_until__isnull=False)
                | (~Q(state__in=HELD) & Q(lease_until=None)),
                name="notice_leased_while_held",
            ),
            models.CheckConstraint(
                condition=Q(state__in=OPEN) | Q(sealed=""), name="notice_wiped_at_the_end"
            ),
            models.CheckConstraint(
                condition=Q(state=State.SENT, sent_at__isnull=False)
                | (~Q(state=State.SENT) & Q(sent_at=None)),
                name="notice_dated_iff_sent",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dedupe_key} {self.state}"

    @property
    def message_id(self) -> str:
        """The same at every attempt, so that a mail program shows a repeat once."""
        return f"<{self.kind}.{self.pk}@{urlsplit(settings.BASE_URL).hostname}>"

    @property
    def has_reader(self) -> bool:
        """Whether somebody would get it: an active account, or an address outside."""
        return self.recipient.is_active if self.recipient else bool(self.sealed)

    def follow(self, outcome: Outcome, now: dt.datetime) -> None:
        """Take the state that follows from what the latest attempt came to."""
        self.lease_until = None
        if outcome not in {Outcome.CANCELLED, Outcome.NOBODY}:
            self.attempts += 1
        self.doubts += outcome is Outcome.IN_DOUBT
        self.state = self._next_state(outcome, now)
        if self.state is State.SENT:
            self.sent_at = now
        if self.state in FINAL:
            self.sealed = ""
        else:
            wait = dt.timedelta(minutes=2 ** min(self.attempts - 1, 6))
            self.try_at = now + min(wait, LONGEST_WAIT)

    def _next_state(self, outcome: Outcome, now: dt.datetime) -> State:
        if outcome is Outcome.DEFERRED:
            return State.FAILED if now > self.due_at + GIVE_UP_AFTER else State.PLANNED
        if outcome is Outcome.IN_DOUBT:
            return State.FAILED if self.doubts > DOUBTS_ALLOWED else State.IN_DOUBT
        return State.FAILED if outcome is Outcome.REFUSED else State(outcome.value)


@guarded(unaudited="it is the delivery log", changeable=False)
class DeliveryAttempt(models.Model):
    """One line of the delivery log."""

    notice = models.ForeignKey(Notice, models.PROTECT, related_name="log")
    outcome = models.CharField(_("Outcome"), max_length=10, choices=Outcome)
    error = models.CharField(_("Error"), max_length=500, blank=True)
    at = models.DateTimeField(_("At"))

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.outcome}"
