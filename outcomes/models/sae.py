"""The case of a serious adverse event: its clocks, and by when what was due."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded


class Suspected(models.TextChoices):
    """What whoever reports an event first thinks of; the judgement is the investigator's."""

    CELLS = "cells", _("The cells")
    CIRCUIT = "circuit", _("The circuit or device")
    ANTICOAGULANT = "anticoagulant", _("The anticoagulant")
    PROCEDURE = "procedure", _("The catheter or another procedure")
    DISEASE = "disease", _("The underlying disease")
    UNKNOWN = "unknown", _("Not yet known")


class To(models.TextChoices):
    """Whom a report is sent to (the protocol's recipients)."""

    SPONSOR = "sponsor", _("Sponsor")
    INSTITUTION = "institution", _("Institution")
    ETHICS = "ethics", _("Ethics committee")
    AUTHORITY = "authority", pgettext_lazy("recipient", "Authority")


class Expedited(models.TextChoices):
    """What the sponsor holds an event for."""

    SUSAR = "susar", _("SUSAR")
    UADE = "uade", _("UADE")
    BOTH = "both", _("SUSAR and UADE")
    NONE = "none", _("Neither SUSAR nor UADE")


class Standing(models.TextChoices):
    """What the site holds an event for, which every recipient of a report has to know."""

    SERIOUS = "serious", _("Serious")
    GRAVE = "grave", _("Fatal or life-threatening")
    NOT_SERIOUS = "not_serious", _("Found not to be serious")
    VOIDED = "voided", _("Entered by mistake, voided")


#: The reporting is taken back: recipients are told, and the safety officer has to agree.
TAKEN_BACK = (Standing.NOT_SERIOUS, Standing.VOIDED)


class SaeCaseQuerySet(SiteScopedQuerySet["SaeCase"]):
    def running(self) -> SaeCaseQuerySet:
        """Cases that nobody has closed."""
        return self.filter(closed_at=None)


@guarded(site="site_id", subject="subject_id", record="record_id")
class SaeCase(models.Model):
    """The reporting of one serious adverse event, from the first knowledge to the end.

    It hangs on the event's record and is never removed. An event that turns out not to be
    serious, or that is voided, does not end it: whoever was sent a report is told, and what
    is not sent yet stays due until the safety officer agrees (ICH E2A, E6(R3) 2.7.2).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    record = models.OneToOneField(CrfRecord, models.PROTECT, related_name="sae_case")
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="sae_cases")
    opened_at = models.DateTimeField(_("Opened"))
    #: The moment the investigator's clock counts from, and whether anybody has said it.
    aware_at = models.DateTimeField(_("The site first knew of it"))
    aware_said = models.BooleanField(_("Said by a person"), default=False)
    #: Each change of what the clocks stand on counts up; reminders carry it.
    clock_version = models.PositiveIntegerField(default=1)
    reporter = models.CharField(_("Reporter"), max_length=200, blank=True)
    suspected = models.CharField(
        _("Suspected cause"), max_length=20, choices=Suspected, default=Suspected.UNKNOWN
    )
    narrative = models.TextField(_("Narrative"), blank=True)
    expedited = models.CharField(_("Held for"), max_length=10, choices=Expedited, blank=True)
    expedited_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    expedited_at = models.DateTimeField(_("Confirmed"), null=True, blank=True)
    expedited_reason = models.CharField(_("Reason"), max_length=500, blank=True)
    #: The computed word that was confirmed or overruled; another one asks again.
    expedited_of = models.CharField(max_length=10, choices=Expedited, blank=True)
    #: What the event is held for, since when that is known, and why it became that.
    standing = models.CharField(
        _("Held by the site for"), max_length=12, choices=Standing, default=Standing.SERIOUS
    )
    standing_since = models.DateTimeField(_("Known since"))
    standing_reason = models.CharField(_("Reason"), max_length=500, blank=True)
    #: The safety officer's agreement that nothing more is to be reported of what is taken back.
    agreed_at = models.DateTimeField(_("Agreed"), null=True, blank=True)
    agreed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    agreed_reason = models.CharField(_("Reason for agreeing"), max_length=500, blank=True)
    #: What was changed would end a running deadline or lay it later: it stands until agreed.
    eases_since = models.DateTimeField(_("Waits for an agreement since"), null=True, blank=True)
    eases_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    eases_reason = models.CharField(_("What was changed"), max_length=500, blank=True)
    #: The last such change that counts, with whose agreement and why.
    eased_at = models.DateTimeField(_("Deadline eased"), null=True, blank=True)
    eased_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    eased_reason = models.CharField(_("Why a deadline was eased"), max_length=500, blank=True)
    #: Counts what people change here; who writes names the version they have read.
    version = models.PositiveIntegerField(default=1)
    closed_at = models.DateTimeField(_("Closed"), null=True, blank=True)
    close_reason = models.CharField(_("Reason for closing"), max_length=500, blank=True)

    objects = SaeCaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("serious adverse event case")
        ordering: ClassVar[list[str]] = ["aware_at", "id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["site"], name="sae_case_open", condition=Q(closed_at=None)),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(closed_at=None, close_reason="")
                | (Q(closed_at__isnull=False) & ~Q(close_reason="")),
                name="sae_case_closed_iff_reason",
                violation_error_message=_("Closing a case needs a reason."),
            ),
            models.CheckConstraint(
                condition=Q(
                    expedited="",
                    expedited_by=None,
                    expedited_at=None,
                    expedited_reason="",
                    expedited_of="",
                )
                | (
                    Q(expedited__in=Expedited.values, expedited_of__in=Expedited.values)
                    & Q(expedited_by__isnull=False, expedited_at__isnull=False)
                    & ~Q(expedited_reason="")
                ),
                name="sae_case_confirmed_with_reason",
                violation_error_message=_("Confirming needs a reason."),
            ),
            models.CheckConstraint(
                condition=Q(suspected__in=Suspected.values, standing__in=Standing.values),
                name="sae_case_codes_known",
            ),
            models.CheckConstraint(
                condition=Q(agreed_at=None, agreed_by=None, agreed_reason="")
                | (
                    Q(agreed_at__isnull=False, agreed_by__isnull=False, standing__in=TAKEN_BACK)
                    & ~Q(agreed_reason="")
                ),
                name="sae_case_agreed_with_reason",
                violation_error_message=_("Agreeing needs a reason."),
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{moment: None, f"{stem}_by": None, f"{stem}_reason": ""})
                    | (
                        Q(**{f"{moment}__isnull": False, f"{stem}_by__isnull": False})
                        & ~Q(**{f"{stem}_reason": ""})
                    ),
                    name=f"sae_case_{stem}_with_reason",
                    violation_error_message=_("Agreeing needs a reason."),
                )
                for stem, moment in (("eases", "eases_since"), ("eased", "eased_at"))
            ),
        ]

    def __str__(self) -> str:
        return str(self.record)

    @property
    def is_taken_back(self) -> bool:
        return self.standing in TAKEN_BACK

    @property
    def awaits_agreement(self) -> bool:
        """Taken back by the site, and the safety officer has not agreed yet."""
        return self.is_taken_back and self.agreed_at is None and self.closed_at is None

    @property
    def awaits_easing(self) -> bool:
        """A change would end a running deadline or lay it later, and nobody has agreed yet."""
        return self.eases_since is not None

    @property
    def suspicions(self) -> set[str]:
        """What is suspected, by the first word as it stands now and by each further one."""
        return {self.suspected, *(word.suspected for word in self.further_words.all())}


class OfCase(models.Model):
    """What belongs to a case, with the subject's site beside it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    record = models.ForeignKey(CrfRecord, models.PROTECT, related_name="+")

    class Meta:
        abstract = True


class SaeDeadlineQuerySet(SiteScopedQuerySet["SaeDeadline"]):
    def standing(self) -> SaeDeadlineQuerySet:
        """Deadlines that no later one has replaced."""
        return self.filter(replaced_at=None)


@guarded(site="site_id", subject="subject_id", record="record_id")
class SaeDeadline(OfCase):
    """By when one report was due to one recipient, as it was derived at one moment.

    Stored and never changed: where the awareness is corrected or the event is judged anew,
    this row is replaced, with the reason, and the new one stands beside it (clinical C12).
    """

    case = models.ForeignKey(SaeCase, models.PROTECT, related_name="deadlines")
    rule = models.CharField(_("Rule"), max_length=40)
    recipient = models.CharField(_("Recipient"), max_length=20, choices=To)
    #: Whose awareness started the clock ("investigator", "sponsor"), and when that was.
    counted_from = models.CharField(max_length=20)
    since = models.DateTimeField(_("Counted from"))
    due_at = models.DateTimeField(_("Due"))
    follow_up = models.BooleanField(_("For further information"), default=False)
    #: The first report, by its number, that says what this deadline is about.
    answers_from = models.PositiveSmallIntegerField(default=0)
    derived_at = models.DateTimeField(_("Derived"))
    reason = models.CharField(_("Why it was derived"), max_length=500)
    #: Who declined that it ends or lies later; the reason is why it was derived.
    kept_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    replaced_at = models.DateTimeField(_("Replaced"), null=True, blank=True)
    replace_reason = models.CharField(_("Why it was replaced"), max_length=500, blank=True)

    objects = SaeDeadlineQuerySet.as_manager()

    class Meta:
        verbose_name = _("reporting deadline")
        ordering: ClassVar[list[str]] = ["due_at", "rule", "derived_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["case", "rule"], condition=Q(replaced_at=None), name="sae_deadline_once"
            ),
            models.CheckConstraint(
                condition=Q(due_at__gte=F("since")), name="sae_deadline_after_awareness"
            ),
            models.CheckConstraint(
                condition=Q(replaced_at=None, replace_reason="")
                | (Q(replaced_at__isnull=False) & ~Q(replace_reason="")),
                name="sae_deadline_replaced_iff_reason",
            ),
            models.CheckConstraint(
                condition=Q(recipient__in=To.values), name="sae_deadline_recipient_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.due_at:%Y-%m-%d %H:%M}"


@guarded(site="site_id")
class Deputy(models.Model):
    """Who stands in for whom with the reports of a site, from and to which day.

    It hands on the reminders, no right: the deputy reports by a role of their own.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+", verbose_name=_("Site"))
    person = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("Stands down")
    )
    deputy = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("Deputy"))
    first_day = models.DateField(_("First day"))
    last_day = models.DateField(_("Last day"))
    reason = models.CharField(_("Reason"), max_length=500, blank=True)
    named_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    named_at = models.DateTimeField(_("Named"))
    ended_at = models.DateTimeField(_("Ended early"), null=True, blank=True)

    objects = SiteScopedQuerySet["Deputy"].as_manager()

    class Meta:
        verbose_name = _("deputy")
        ordering: ClassVar[list[str]] = ["first_day", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")),
                name="deputy_ends_after_start",
                violation_error_message=_("The last day is before the first."),
            ),
            models.CheckConstraint(
                condition=~Q(person=F("deputy")),
                name="deputy_is_another",
                violation_error_message=_("Nobody is their own deputy."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deputy} {self.first_day}"
