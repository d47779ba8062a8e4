"""The outbox: what must be said to whom, and the log of every attempt to say it.

A notice is one promise in PostgreSQL. It is planned once (its dedupe key is unique), and
it ends sent, shown in Trialsite only, cancelled, failed or with nobody to send to; each of
these can be seen. A digest is a notice itself, to which those that it merges point.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.core.clock import TrialNow
from trialsite.core.guards import guarded

#: The kind of the mails that come with their text; no planner stands behind them.
READY_MADE = "mail"
#: The kind of the mails that merge others: at most one for each person and local day.
DIGEST = "digest"
#: A repeat of a repeat of a repeat helps nobody: from here a person looks.
DOUBTS_ALLOWED = 3
#: A weekend without a mail server loses nothing.
GIVE_UP_AFTER = dt.timedelta(days=3)
LONGEST_WAIT = dt.timedelta(hours=1)


class By(models.TextChoices):
    MAIL = "mail", _("E-mail")
    WEBHOOK = "webhook", _("Gateway")


class Lane(models.TextChoices):
    """In which line a notice waits."""

    URGENT = "urgent", _("Urgent")
    ORDINARY = "ordinary", _("By itself")
    BUNDLED = "bundled", _("In a digest")


class State(models.TextChoices):
    PLANNED = "planned", _("Planned")
    BUNDLED = "bundled", _("In a digest that is not yet sent")
    CLAIMED = "claimed", _("Taken by a worker")
    SENDING = "sending", _("Being sent")
    IN_DOUBT = "in_doubt", _("Perhaps sent")
    SENT = "sent", _("Sent")
    SHOWN = "shown", _("Shown in Trialsite only")
    CANCELLED = "cancelled", _("No longer due")
    FAILED = "failed", _("Failed")
    NOBODY = "nobody", _("Nobody to send to")


WAITING = (State.PLANNED, State.IN_DOUBT)
HELD = (State.CLAIMED, State.SENDING)
OPEN = (*WAITING, *HELD, State.BUNDLED)
FINAL = (State.SENT, State.SHOWN, State.CANCELLED, State.FAILED, State.NOBODY)


class Outcome(models.TextChoices):
    SENT = "sent", _("Accepted by the server")
    DEFERRED = "deferred", _("Put off")
    IN_DOUBT = "in_doubt", _("Interrupted: perhaps accepted")
    REFUSED = "refused", _("Refused by the server")
    SHOWN = "shown", _("Shown in Trialsite only")
    CANCELLED = "cancelled", _("No longer due")
    NOBODY = "nobody", _("Nobody to send to")


class NoticeQuerySet(SiteScopedQuerySet["Notice"]):
    def visible_to(
        self,
        user: User | AnonymousUser,
        capability: Capability = Capability.VIEW_NOTICES,
    ) -> NoticeQuerySet:
        """Notices of the person's sites; those of no site for whom the whole study is."""
        found = super().visible_to(user, capability)
        if isinstance(user, User) and user.access.study_wide(capability):
            found = found | self.filter(site=None)
        return found  # type: ignore[return-value]

    def addressed_to(self, user: User) -> NoticeQuerySet:
        """What Trialsite itself shows to a person: their own, come due, at their sites."""
        return self.filter(is_addressed_to(user))

    def unsaid(self) -> NoticeQuerySet:
        """What reached nobody and waits for a person; a digest stands for what it merges."""
        return self.filter(is_unsaid())


def is_unsaid() -> Q:
    """The condition of `unsaid`, to count by."""
    return Q(state__in=(State.FAILED, State.NOBODY), within=None)


def is_addressed_to(user: User) -> Q:
    """The condition of `addressed_to`, to count by."""
    return Q(
        ~Q(state=State.CANCELLED),
        Q(site=None) | Q(site__in=user.access.sites()),
        recipient=user,
        shown=True,
        due_at__lte=TrialNow(),
    )


@guarded(
    site="site_id",
    unscoped="the dispatcher serves every site; it names no subject (decisions D8, H1)",
    unaudited="its own delivery log; a million planned reminders are no events",
)
class Notice(models.Model):
    """One thing to say to one person, once, by one channel."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("Kind"), max_length=40)
    site = models.ForeignKey(Site, models.PROTECT, null=True, related_name="notices")
    #: What it is about; only the planner of its kind knows what this identifies.
    object_id = models.UUIDField(null=True)
    recipient = models.ForeignKey(User, models.PROTECT, null=True, related_name="notices")
    channel = models.CharField(_("Channel"), max_length=10, choices=By, db_default=By.MAIL)
    lane = models.CharField(max_length=10, choices=Lane, db_default=Lane.ORDINARY)
    #: Whether Trialsite itself shows it: once, whatever the channels it goes by.
    shown = models.BooleanField(db_default=False)
    dedupe_key = models.CharField(max_length=200, unique=True)
    due_at = models.DateTimeField(_("Due"))
    #: When it may leave: `due_at`, later for quiet hours or the next digest.
    send_at = models.DateTimeField(_("To be sent"))
    #: Not before this moment: `send_at`, later after each failure.
    try_at = models.DateTimeField(_("Next attempt"))
    state = models.CharField(_("State"), max_length=10, choices=State, db_default=State.PLANNED)
    attempts = models.PositiveSmallIntegerField(_("Attempts"), db_default=0)
    #: How often it was interrupted at a moment when the mail may have gone out.
    doubts = models.PositiveSmallIntegerField(_("In doubt"), db_default=0)
    #: How often a person had it sent again; each time it is a message of its own.
    repeats = models.PositiveSmallIntegerField(_("Sent again"), db_default=0)
    #: Until then one worker has it. Each claim ends at another moment, so it tells whose.
    lease_until = models.DateTimeField(null=True)
    #: The digest that says it.
    within = models.ForeignKey("self", models.PROTECT, null=True, related_name="members")
    #: Of a digest: the reader's calendar day, of which there is one.
    day = models.DateField(_("Day"), null=True)
    #: A mail given ready-made (it may hold a reset link): encrypted, wiped at the end.
    sealed = models.TextField(db_default="", blank=True)
    sent_at = models.DateTimeField(_("Sent"), null=True)
    seen_at = models.DateTimeField(_("Seen"), null=True)
    last_error = models.CharField(_("Last error"), max_length=500, db_default="", blank=True)
    #: What its planner found that it is about, while it is being rendered; no column.
    about: object = None

    objects = NoticeQuerySet.as_manager()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["send_at"], name="notice_open", condition=Q(state__in=OPEN)),
            models.Index(
                fields=["send_at"],
                name="notice_urgent",
                condition=Q(state__in=OPEN, lane=Lane.URGENT),
            ),
            models.Index(
                fields=["send_at"],
                name="notice_bundled",
                condition=Q(state=State.PLANNED, lane=Lane.BUNDLED),
            ),
            models.Index(
                fields=["state"],
                name="notice_unsaid",
                condition=Q(state__in=(State.FAILED, State.NOBODY)),
            ),
            models.Index(fields=["recipient", "-due_at"], name="notice_reader"),
            models.Index(
                fields=["recipient", "due_at"],
                name="notice_unseen",
                condition=Q(seen_at=None, shown=True),
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
                condition=~Q(state=State.SENT) | Q(sent_at__isnull=False),
                name="notice_dated_once_sent",
            ),
            models.CheckConstraint(
                condition=~Q(state=State.BUNDLED) | Q(within__isnull=False, lane=Lane.BUNDLED),
                name="notice_bundled_in_a_digest",
            ),
            models.CheckConstraint(
                condition=Q(kind=DIGEST, day__isnull=False) | (~Q(kind=DIGEST) & Q(day=None)),
                name="notice_day_of_a_digest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dedupe_key} {self.state}"

    @property
    def message_id(self) -> str:
        """The same at every attempt, so that a mail program shows a repeat once; another
        one when a person has it sent again, which is meant to be seen."""
        again = f".{self.repeats}" if self.repeats else ""
        return f"<{self.kind}.{self.pk}{again}@{urlsplit(settings.BASE_URL).hostname}>"

    @property
    def certainly_unsent(self) -> bool:
        """Whether no server can have accepted it yet, nor a person asked for it by hand."""
        return not (self.doubts or self.sent_at or self.repeats or self.state in HELD)

    def postpone(self, until: dt.datetime) -> None:
        """Let it wait: for quiet hours, or for the next digest. What has failed before
        stays late by its first moment."""
        self.try_at = until
        if not self.attempts:
            self.send_at = until

    def follow(self, outcome: Outcome, now: dt.datetime) -> None:
        """Take the state that follows from what the latest attempt came to."""
        self.lease_until = None
        if outcome not in {Outcome.CANCELLED, Outcome.NOBODY, Outcome.SHOWN}:
            self.attempts += 1
        self.doubts += outcome is Outcome.IN_DOUBT
        self.state = self._next_state(outcome, now)
        if outcome is Outcome.SENT:
            self.sent_at = now
        if self.state in FINAL:
            self.sealed = ""
            return
        self.within = None
        wait = dt.timedelta(minutes=2 ** max(0, min(self.attempts - 1, 6)))
        self.try_at = now + min(wait, LONGEST_WAIT)

    def _next_state(self, outcome: Outcome, now: dt.datetime) -> State:
        if outcome is Outcome.DEFERRED:
            return State.FAILED if now > self.send_at + GIVE_UP_AFTER else State.PLANNED
        if outcome is Outcome.IN_DOUBT:
            return State.FAILED if self.doubts > DOUBTS_ALLOWED else State.IN_DOUBT
        if outcome is Outcome.CANCELLED and self.sent_at:
            return State.SENT  # a repeat that is no longer due: said it was
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


class Hush(models.TextChoices):
    """Whose quiet hours a person keeps."""

    SITE = "site", _("As the protocol says for my site")
    OWN = "own", _("My own")
    NONE = "none", _("None")


#: The morning round comes after it.
DIGEST_AT = dt.time(8)


@guarded()
class Preferences(models.Model):
    """How one person wants to be told; without a row the defaults hold."""

    user = models.OneToOneField(
        User, models.PROTECT, primary_key=True, related_name="notice_preferences"
    )
    #: Kinds that Trialsite shows, and says by no other channel.
    switched_off = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    digest_at = models.TimeField(_("Digest from"), default=DIGEST_AT)
    quiet = models.CharField(_("Quiet hours"), max_length=5, choices=Hush, default=Hush.SITE)
    quiet_from = models.TimeField(_("From"), null=True, blank=True)
    quiet_until = models.TimeField(_("Until"), null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(quiet=Hush.OWN, quiet_from__isnull=False, quiet_until__isnull=False)
                & ~Q(quiet_from=F("quiet_until"))
                | (Q(quiet__in=(Hush.SITE, Hush.NONE), quiet_from=None, quiet_until=None)),
                name="preferences_own_quiet_hours",
                violation_error_message=_("Give your quiet hours a beginning and another end."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.digest_at} {self.quiet}"


@guarded(unaudited="a mark of the dispatcher's own; losing it costs one more look")
class Planning(models.Model):
    """Until which moment everything of one kind that has come due is planned."""

    kind = models.CharField(max_length=40, primary_key=True)
    through = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} {self.through:%Y-%m-%d %H:%M}"
