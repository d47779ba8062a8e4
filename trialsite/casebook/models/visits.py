"""The schedule in time: visits, and what ends it (ODM StudyEventData)."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField, DateRangeField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet
from trialsite.casebook.models.states import (
    STORED,
    ClosingCause,
    LockState,
    SubjectStatus,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.models.subjects import Subject
from trialsite.casebook.models.versions import ProtocolVersion
from trialsite.core.date_ranges import ends_of
from trialsite.core.guards import guarded


@guarded(site="site_id", subject="subject_id")
class Visit(models.Model):
    """One occurrence of a protocol visit for one subject (ODM StudyEventData)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT)
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="visits")
    event_oid = models.CharField(_("Study event"), max_length=20)
    repeat_key = models.PositiveSmallIntegerField(default=1)
    visit_number = models.DecimalField(
        _("Visit number"), max_digits=7, decimal_places=2, null=True, blank=True
    )
    status = models.CharField(
        _("Status"), max_length=15, choices=VisitStatus, default=VisitStatus.PLANNED
    )
    target_on = models.DateField(_("Target date"), null=True, blank=True)
    window = DateRangeField(_("Window"), null=True, blank=True)
    #: Counts up each time its dates move: what was planned for other dates can be told apart.
    anchor_version = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(_("Opened"), null=True, blank=True)
    attended_on = models.DateField(_("Attended on"), null=True, blank=True)
    mode = models.CharField(_("How"), max_length=10, choices=VisitMode, blank=True)
    missed_reason = models.CharField(_("Missed, because"), max_length=500, blank=True)
    not_required_cause = models.CharField(
        _("Not required, because"), max_length=20, choices=ClosingCause, blank=True
    )
    #: The milestone missed in person that this contact stands for.
    stands_for = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="contacts"
    )
    protocol_version = models.ForeignKey(ProtocolVersion, models.PROTECT)
    lock_state = models.CharField(
        _("Lock"), max_length=10, choices=LockState, default=LockState.OPEN
    )
    #: Counts changes; who changes from an older version is refused (DI1).
    version = models.PositiveIntegerField(default=0)

    objects = SiteScopedQuerySet["Visit"].as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["visit_number", "repeat_key"]
        # Work lists and calendars read by target day: dates compare without leaking, so these
        # conditions reach the index also under row-level security; those on a range do not.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["site", "target_on"], name="visit_of_a_day"),
            models.Index(
                fields=["site", "target_on"],
                name="visit_waiting",
                condition=Q(status__in=["planned", "due", "open"]),
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["subject", "event_oid", "repeat_key"], name="visit_once_per_occurrence"
            ),
            models.UniqueConstraint(fields=["site", "subject", "id"], name="visit_site_key"),
            models.CheckConstraint(
                condition=Q(status__in=STORED)
                & Q(mode__in=["", *VisitMode.values])
                & Q(not_required_cause__in=["", *ClosingCause.values]),
                name="visit_states_known",
            ),
            models.CheckConstraint(
                condition=Q(status=VisitStatus.ATTENDED, attended_on__isnull=False)
                | (~Q(status=VisitStatus.ATTENDED) & Q(attended_on=None)),
                name="visit_attended_iff_dated",
                violation_error_message=_(
                    "An attended visit needs its date; no other visit has one."
                ),
            ),
            models.CheckConstraint(
                condition=Q(status=VisitStatus.ATTENDED) ^ Q(mode=""),
                name="visit_attended_iff_mode",
                violation_error_message=_("Say how the person was seen."),
            ),
            models.CheckConstraint(
                condition=Q(status=VisitStatus.MISSED) ^ Q(missed_reason=""),
                name="visit_missed_iff_reason",
                violation_error_message=_("A missed visit needs its reason."),
            ),
            models.CheckConstraint(
                condition=Q(status=VisitStatus.NOT_REQUIRED) ^ Q(not_required_cause=""),
                name="visit_not_required_iff_cause",
                violation_error_message=_("A visit that is not required needs its cause."),
            ),
            models.CheckConstraint(
                condition=Q(status__in=[VisitStatus.ATTENDED, VisitStatus.MISSED])
                | (Q(status=VisitStatus.OPEN) ^ Q(opened_at=None)),
                name="visit_open_has_its_time",
            ),
            models.CheckConstraint(
                condition=Q(window=None) | Q(target_on__isnull=False),
                name="visit_window_has_its_target",
            ),
            models.CheckConstraint(
                condition=Q(lock_state__in=LockState.values), name="visit_lock_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_oid} {self.repeat_key}"

    @property
    def window_ends(self) -> tuple[dt.date, dt.date] | None:
        """The first and last day of its window, both inside; None while it has none."""
        return ends_of(self.window)

    def state_on(self, today: dt.date) -> VisitStatus:
        """Where it stands on a day at its site: a planned visit whose window has begun is due.

        A visit without a window is due from its date on. It stays due after its last day,
        until it is attended or missed.
        """
        ends = self.window_ends
        first = ends[0] if ends else self.target_on
        if self.status == VisitStatus.PLANNED and first is not None and first <= today:
            return VisitStatus.DUE
        return VisitStatus(self.status)

    def days_outside(self, on: dt.date) -> int:
        """By how many days a date misses the window: negative before it, 0 inside or without."""
        ends = self.window_ends
        if ends is None or ends[0] <= on <= ends[1]:
            return 0
        return (on - ends[0]).days if on < ends[0] else (on - ends[1]).days


@guarded(site="site_id", subject="subject_id")
class ScheduleClosing(models.Model):
    """What ends a subject's schedule from a day on, until it is revoked.

    Which visits are not required follows from the closings that stand, in whatever order
    they were recorded: one that is revoked gives back only what no other one takes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="closings")
    cause = models.CharField(_("Cause"), max_length=20, choices=ClosingCause)
    #: What of the cause it is, where one cause can close more than one thing.
    scope = models.CharField(max_length=20, blank=True)
    #: Visits whose window ended before this day are left as they are.
    after = models.DateField(_("From"))
    #: Roles of visits that go on (`EventRole`).
    kept = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    #: What a death took the subject out of, to go back to should it be revoked.
    status_before = models.CharField(max_length=20, choices=SubjectStatus, blank=True)
    closed_at = models.DateTimeField(_("Closed"))
    revoked_at = models.DateTimeField(_("Revoked"), null=True, blank=True)

    objects = SiteScopedQuerySet["ScheduleClosing"].as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["after", "closed_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["subject", "cause", "scope"],
                condition=Q(revoked_at=None),
                name="closing_stands_once",
            ),
            models.CheckConstraint(
                condition=Q(cause__in=ClosingCause.values)
                & (Q(cause=ClosingCause.DEATH) ^ Q(status_before=""))
                & Q(status_before__in=["", *SubjectStatus.values]),
                name="closing_states_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cause} {self.after}"
