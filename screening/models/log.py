"""The screening log: every person who was considered for the trial, by number only."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import Subject
from trialsite.core.guards import guarded


class Source(models.TextChoices):
    """How a person came to be considered."""

    WARD = "ward", _("Ward")
    OUTPATIENT = "outpatient", _("Outpatient clinic")
    REFERRAL = "referral", _("Referral")
    PUBLIC_PAGE = "public_page", _("Enquiry on the public page")
    OTHER = "other", _("Other way")


class Outcome(models.TextChoices):
    """Where a person's screening ended. The first three end before consent."""

    OPEN = "open", _("In screening")
    NOT_ELIGIBLE = "not_eligible", _("Not eligible, before consent")
    NOT_APPROACHED = "not_approached", _("Not approached")
    DECLINED = "declined", _("Declined")
    SCREEN_FAILED = "screen_failed", _("Screen failure")
    WITHDREW = "withdrew", _("Withdrew before enrolment")
    ENROLLED = "enrolled", _("Enrolled")


BEFORE_CONSENT = (Outcome.NOT_ELIGIBLE, Outcome.NOT_APPROACHED, Outcome.DECLINED)
AFTER_CONSENT = (Outcome.SCREEN_FAILED, Outcome.WITHDREW, Outcome.ENROLLED)
#: Outcomes that name eligibility criteria as their reason.
BY_CRITERION = (Outcome.NOT_ELIGIBLE, Outcome.SCREEN_FAILED)


class Reason(models.TextChoices):
    """Why a person went no further, where it was no eligibility criterion."""

    NOT_ASKED = "not_asked", _("Left before being asked")
    NO_CAPACITY = "no_capacity", _("Unable to give consent")
    NO_PLACE = "no_place", _("No place open")
    TRANSFERRED = "transferred", _("Transferred elsewhere")
    TRANSPLANTED = "transplanted", _("Transplanted meanwhile")
    DIED = "died", _("Died")
    INVESTIGATOR = "investigator", _("Investigator's decision")
    OTHER = "other", _("Other reason")


class ScreeningEntryQuerySet(SiteScopedQuerySet["ScreeningEntry"]):
    def standing(self) -> ScreeningEntryQuerySet:
        """Entries that were not entered in error."""
        return self.filter(voided_at=None)


@guarded(site="site_id", subject="subject_id")
class ScreeningEntry(models.Model):
    """One person considered, once (ICH E6 8.3.20; CONSORT). Who it is stands elsewhere.

    The subject comes with consent and keeps this number (decisions C21). Screening the same
    person again is a new entry that points to the earlier one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    number = models.CharField(_("Screening number"), max_length=20)
    first_contact_on = models.DateField(_("First contact"))
    source = models.CharField(_("Source"), max_length=20, choices=Source)
    considered_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("Considered by")
    )
    opened_at = models.DateTimeField(_("Entered"))
    subject = models.OneToOneField(
        Subject, models.PROTECT, null=True, blank=True, related_name="screening"
    )
    outcome = models.CharField(_("Outcome"), max_length=20, choices=Outcome, default=Outcome.OPEN)
    outcome_on = models.DateField(_("Date of the outcome"), null=True, blank=True)
    #: Ids of the protocol's criteria, sorted, each once.
    criteria = ArrayField(
        models.CharField(max_length=10), verbose_name=_("Criteria"), default=list, blank=True
    )
    reasons = ArrayField(
        models.CharField(max_length=20, choices=Reason),
        verbose_name=_("Reasons"),
        default=list,
        blank=True,
    )
    comment = models.CharField(_("Comment"), max_length=500, blank=True)
    earlier = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="later",
        verbose_name=_("Screened before as"),
    )
    #: A person's statement, never a merge: both entries stay and count.
    same_person_as = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="same_persons",
        verbose_name=_("Likely the same person as"),
    )
    #: Counts changes; who acts from an older version is told.
    version = models.PositiveIntegerField(default=0)
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = ScreeningEntryQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["site", "number"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["site", "outcome"], name="screening_entry_outcome"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["site", "number"], name="screening_entry_number_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=Outcome.values, source__in=Source.values),
                name="screening_entry_states_known",
            ),
            models.CheckConstraint(
                condition=Q(outcome=Outcome.OPEN, outcome_on=None)
                | (~Q(outcome=Outcome.OPEN) & Q(outcome_on__isnull=False)),
                name="screening_entry_outcome_iff_dated",
                violation_error_message=_("An outcome needs its date."),
            ),
            models.CheckConstraint(
                condition=Q(outcome_on=None) | Q(outcome_on__gte=F("first_contact_on")),
                name="screening_entry_outcome_after_contact",
                violation_error_message=_("The outcome cannot be earlier than the first contact."),
            ),
            models.CheckConstraint(
                condition=Q(outcome=Outcome.OPEN)
                | Q(outcome__in=BEFORE_CONSENT, subject=None)
                | Q(outcome__in=AFTER_CONSENT, subject__isnull=False),
                name="screening_entry_outcome_fits_consent",
                violation_error_message=_("This outcome does not fit the state of consent."),
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=BY_CRITERION) | Q(criteria=[]),
                name="screening_entry_criteria_where_they_decide",
            ),
            models.CheckConstraint(
                condition=~Q(outcome__in=(Outcome.OPEN, Outcome.ENROLLED))
                | Q(reasons=[], comment=""),
                name="screening_entry_reasons_only_at_an_end",
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=(Outcome.OPEN, Outcome.ENROLLED))
                | Q(outcome__in=(Outcome.DECLINED, Outcome.WITHDREW))
                | (Q(outcome=Outcome.NOT_APPROACHED) & ~Q(reasons=[]))
                | (Q(outcome=Outcome.NOT_ELIGIBLE) & ~Q(criteria=[]))
                | (Q(outcome=Outcome.SCREEN_FAILED) & (~Q(criteria=[]) | ~Q(reasons=[]))),
                name="screening_entry_end_has_its_reason",
                violation_error_message=_("Say why: a criterion, or another reason."),
            ),
            models.CheckConstraint(
                condition=Q(reasons__contained_by=Reason.values),
                name="screening_entry_reasons_known",
            ),
            models.CheckConstraint(
                condition=~Q(reasons__contains=[Reason.OTHER]) | ~Q(comment=""),
                name="screening_entry_other_reason_said",
                violation_error_message=_("Another reason needs its words."),
            ),
            models.CheckConstraint(
                condition=Q(voided_at=None, void_reason="")
                | (Q(voided_at__isnull=False, subject=None) & ~Q(void_reason="")),
                name="screening_entry_voided_iff_reason",
                violation_error_message=_(
                    "Voiding needs a reason, and is possible before consent."
                ),
            ),
            models.CheckConstraint(
                condition=~Q(earlier=F("id")) & ~Q(same_person_as=F("id")),
                name="screening_entry_points_to_another",
                violation_error_message=_("An entry does not point to itself."),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_open(self) -> bool:
        return self.outcome == Outcome.OPEN and self.voided_at is None
