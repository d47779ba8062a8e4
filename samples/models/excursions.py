"""A freezer, a rack or a box was too warm: from when to when, how warm, and what was in it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from samples.models.custody import CustodyEvent
from samples.models.specimens import Aliquot
from samples.models.storage import Box, Freezer, Rack
from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import Subject
from trialsite.core.guards import guarded
from trialsite.core.voiding import VOIDED_IFF_REASON
from trialsite.core.wall_time import WallTimeField


class ExcursionQuerySet(SiteScopedQuerySet["StorageExcursion"]):
    def standing(self) -> ExcursionQuerySet:
        """Excursions that have not been voided."""
        return self.filter(voided_at=None)


@guarded(site="site_id")
class StorageExcursion(models.Model):
    """One time that a freezer, a rack or a box was warmer than it should be (clinical C19).

    Its lines are the aliquots that were inside then, by custody and by where the boxes stood.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    #: One of the three.
    freezer = models.ForeignKey(
        Freezer, models.PROTECT, null=True, blank=True, related_name="excursions"
    )
    rack = models.ForeignKey(Rack, models.PROTECT, null=True, blank=True, related_name="excursions")
    box = models.ForeignKey(Box, models.PROTECT, null=True, blank=True, related_name="excursions")
    began_at = WallTimeField(_("Too warm from"))
    #: Empty while it is still too warm.
    ended_at = WallTimeField(_("Too warm until"), null=True, blank=True)
    time_zone = models.CharField(max_length=64)
    celsius = models.DecimalField(_("Highest temperature, °C"), max_digits=5, decimal_places=1)
    what = models.CharField(_("What happened"), max_length=500)
    entered_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(_("Entered"))
    voided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)
    version = models.PositiveIntegerField(default=1)

    objects = ExcursionQuerySet.as_manager()

    class Meta:
        verbose_name = _("temperature excursion of a freezer")
        ordering: ClassVar[list[str]] = ["-began_at", "-entered_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(freezer__isnull=False, rack=None, box=None)
                | Q(freezer=None, rack__isnull=False, box=None)
                | Q(freezer=None, rack=None, box__isnull=False),
                name="excursion_of_one_place",
                violation_error_message=_("Say where it was too warm."),
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("began_at")),
                name="excursion_ends_after_it_began",
                violation_error_message=_("It ends before it begins."),
            ),
            models.CheckConstraint(
                condition=Q(celsius__range=(-273, 100)) & ~Q(what=""),
                name="excursion_says_what_happened",
                violation_error_message=_("Say how warm it was, and what happened."),
            ),
            models.CheckConstraint(
                condition=VOIDED_IFF_REASON,
                name="excursion_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="excursion_version_counts"),
        ]

    def __str__(self) -> str:
        return f"{self.where} {self.began_at:%Y-%m-%d %H:%M}"

    @property
    def where(self) -> Freezer | Rack | Box:
        """The place that was too warm."""
        found = self.freezer or self.rack or self.box
        assert found is not None
        return found

    @property
    def is_over(self) -> bool:
        """Whether it is cold again, or never was so."""
        return self.ended_at is not None or self.voided_at is not None

    def moment(self, wall: dt.datetime) -> dt.datetime:
        """A time on the clock of its zone, as a moment."""
        return wall.replace(tzinfo=ZoneInfo(self.time_zone))


@guarded(site="site_id", subject="subject_id", changeable=False)
class ExcursionLine(models.Model):
    """One aliquot that was inside while it was too warm; append-only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    excursion = models.ForeignKey(StorageExcursion, models.PROTECT, related_name="lines")
    aliquot = models.ForeignKey(Aliquot, models.PROTECT, related_name="excursions")
    #: Where it was then.
    box = models.ForeignKey(Box, models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(_("Position in the box"))
    #: What its custody log says of it; empty for one that had come to its end when it was told.
    event = models.ForeignKey(CustodyEvent, models.PROTECT, null=True, blank=True, related_name="+")
    listed_at = models.DateTimeField(_("Listed"))

    objects = SiteScopedQuerySet["ExcursionLine"].as_manager()

    class Meta:
        verbose_name = _("aliquot that was too warm")
        ordering: ClassVar[list[str]] = ["excursion", "aliquot__code"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["excursion", "aliquot"], name="excursion_lists_once"),
            models.CheckConstraint(condition=Q(position__gte=1), name="excursion_line_has_place"),
        ]

    def __str__(self) -> str:
        return f"{self.excursion_id} {self.aliquot_id}"

    @property
    def place_name(self) -> str:
        """The box and position in which it was then."""
        return f"{self.box.code} {self.box.position_name(self.position)}"
