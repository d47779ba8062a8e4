"""Deviations from the protocol: proposed by the system or reported by people (clinical C17)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast, Left, Length
from django.db.models.lookups import GreaterThanOrEqual
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded
from trialsite.core.partial_dates import PartialDateField


class Origin(models.TextChoices):
    PROPOSED = "proposed", _("Proposed by the system")
    REPORTED = "reported", _("Reported by a person")


class DeviationStatus(models.TextChoices):
    PROPOSED = "proposed", _("Proposed")
    ACCEPTED = "accepted", _("Accepted")
    DISMISSED = "dismissed", _("Dismissed")
    CLOSED = "closed", pgettext_lazy("deviation", "Closed")


class Importance(models.TextChoices):
    """ICH E6(R3): important deviations bear on rights, safety or the reliability of results."""

    MINOR = "minor", _("Minor")
    MAJOR = "major", _("Major (important)")
    CRITICAL = "critical", _("Critical")


#: Reported to the ethics committee and answered by a measure before they are closed (C6).
IMPORTANT = (Importance.MAJOR, Importance.CRITICAL)


class Category(models.TextChoices):
    """What was deviated from (DVCAT)."""

    CONSENT = "consent", _("Informed consent")
    ELIGIBILITY = "eligibility", _("Eligibility")
    VISIT = "visit", _("Visit or window")
    PROCEDURE = "procedure", _("Procedure or assessment")
    TREATMENT = "treatment", _("Study treatment")
    MEDICATION = "medication", _("Concomitant medication")
    SAFETY = "safety", _("Safety reporting")
    SAMPLE = "sample", _("Samples")
    DATA = "data", _("Data and documents")
    PRIVACY = "privacy", _("Privacy")
    OTHER = "other", pgettext_lazy("deviation", "Other")


class DeviationQuerySet(SiteScopedQuerySet["Deviation"]):
    def standing(self) -> DeviationQuerySet:
        """Deviations whose record has not been voided."""
        return self.filter(record__voided_at=None)


@guarded(site="site_id", subject="subject_id", record="record_id")
class Deviation(models.Model):
    """One departure from the protocol, of a subject or of a site (SDTM DV).

    One with a subject has a companion record, on which queries, signature and lock live.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+", verbose_name=_("Site"))
    subject = models.ForeignKey(
        Subject, models.PROTECT, null=True, blank=True, related_name="deviations"
    )
    record = models.OneToOneField(
        CrfRecord, models.PROTECT, null=True, blank=True, related_name="deviation"
    )
    origin = models.CharField(_("Origin"), max_length=10, choices=Origin)
    #: Which rule proposes it (`trialsite.conduct.kinds`), and what about: proposed once.
    kind = models.CharField(_("Proposed by"), max_length=60, blank=True)
    key = models.CharField(max_length=200, blank=True)
    description = models.TextField(_("Description"))
    categories = ArrayField(
        models.CharField(max_length=20, choices=Category),
        default=list,
        blank=True,
        verbose_name=_("Categories"),
    )
    importance = models.CharField(_("Class"), max_length=10, choices=Importance, blank=True)
    occurred_on = PartialDateField(_("Occurred on"), null=True, blank=True)
    discovered_on = models.DateField(_("Discovered on"))
    measures = models.TextField(_("Corrective and preventive action"), blank=True)
    ethics_reported_on = models.DateField(
        _("Reported to the ethics committee on"), null=True, blank=True
    )
    #: When what it was proposed for was corrected away; the decision stays the site's.
    cause_ended_at = models.DateTimeField(_("Cause taken back"), null=True, blank=True)
    status = models.CharField(_("Status"), max_length=10, choices=DeviationStatus)
    dismiss_reason = models.CharField(_("Why it is none"), max_length=500, blank=True)
    entered_at = models.DateTimeField(_("Entered"))
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(_("Decided"), null=True, blank=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(pgettext_lazy("deviation", "Closed"), null=True, blank=True)
    #: Counts changes; who changes from an older version is refused (DI1).
    version = models.PositiveIntegerField(default=1)

    objects = DeviationQuerySet.as_manager()

    class Meta:
        verbose_name = _("protocol deviation")
        ordering: ClassVar[list[str]] = ["-discovered_on", "-entered_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["site", "key"], condition=~Q(key=""), name="deviation_proposed_once"
            ),
            models.CheckConstraint(
                condition=Q(subject=None, record=None)
                | Q(subject__isnull=False, record__isnull=False),
                name="deviation_of_a_subject_has_its_record",
            ),
            models.CheckConstraint(
                condition=(Q(origin=Origin.PROPOSED) & ~Q(kind="") & ~Q(key=""))
                | Q(origin=Origin.REPORTED, kind="", key=""),
                name="deviation_proposed_iff_kind",
            ),
            models.CheckConstraint(
                condition=Q(cause_ended_at=None) | Q(origin=Origin.PROPOSED),
                name="deviation_cause_of_a_proposal",
            ),
            models.CheckConstraint(
                condition=Q(status__in=DeviationStatus.values)
                & (Q(importance="") | Q(importance__in=Importance.values))
                & Q(categories__contained_by=Category.values)
                & ~Q(description=""),
                name="deviation_states_known",
                violation_error_message=_("Describe the deviation."),
            ),
            models.CheckConstraint(
                condition=Q(status=DeviationStatus.DISMISSED) ^ Q(dismiss_reason=""),
                name="deviation_dismissed_iff_reason",
                violation_error_message=_("Dismissing needs a reason."),
            ),
            models.CheckConstraint(
                condition=Q(status__in=[DeviationStatus.PROPOSED, DeviationStatus.DISMISSED])
                | (~Q(importance="") & Q(categories__len__gt=0)),
                name="deviation_accepted_is_classed",
                violation_error_message=_("An accepted deviation has a class and a category."),
            ),
            models.CheckConstraint(
                condition=Q(status=DeviationStatus.PROPOSED, decided_by=None, decided_at=None)
                | (
                    ~Q(status=DeviationStatus.PROPOSED)
                    & Q(decided_by__isnull=False, decided_at__isnull=False)
                ),
                name="deviation_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(
                    status=DeviationStatus.CLOSED, closed_by__isnull=False, closed_at__isnull=False
                )
                | (~Q(status=DeviationStatus.CLOSED) & Q(closed_by=None, closed_at=None)),
                name="deviation_closed_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(status=DeviationStatus.CLOSED)
                | ~Q(importance__in=IMPORTANT)
                | (Q(ethics_reported_on__isnull=False) & ~Q(measures="")),
                name="deviation_important_is_answered",
                violation_error_message=_(
                    "An important deviation is closed with its measures and the date of "
                    "the report to the ethics committee."
                ),
            ),
            models.CheckConstraint(
                condition=GreaterThanOrEqual(
                    Left(Cast("discovered_on", models.TextField()), Length("occurred_on")),
                    Cast(F("occurred_on"), models.TextField()),
                ),
                name="deviation_discovered_after_it_occurred",
                violation_error_message=_("It cannot be discovered before it occurred."),
            ),
        ]

    def __str__(self) -> str:
        return self.description[:80]

    @property
    def is_important(self) -> bool:
        return self.importance in IMPORTANT

    @property
    def is_closed_to_entry(self) -> bool:
        """Whether its record is locked or voided."""
        return self.record is not None and self.record.is_closed
