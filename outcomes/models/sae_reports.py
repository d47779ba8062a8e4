"""Reports of a serious adverse event: what was signed, and who received it when."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from outcomes.models.sae import OfCase, SaeCase, To
from trialsite.access.models import SiteScopedQuerySet, User
from trialsite.casebook.models import Attachment
from trialsite.core.guards import guarded
from trialsite.review.models import Signature


class ReportKind(models.TextChoices):
    INITIAL = "initial", _("Initial report")
    FOLLOW_UP = "follow_up", _("Follow-up report")
    FINAL = "final", _("Final report")


class Way(models.TextChoices):
    """How a report was sent."""

    MAIL = "mail", _("E-mail")
    PORTAL = "portal", _("Portal")
    FAX = "fax", _("Fax")
    PAPER = "paper", _("On paper")


@guarded(site="site_id", subject="subject_id", record="record_id")
class SaeReport(OfCase):
    """One report: frozen as it was read, with its hash; never changed but that it is signed.

    `content` holds the report in both languages as people read it, and beside it the codes
    and versions it was made of. What comes later is a further report (ICH E2B, E6(R3)). Sent
    on paper before anybody could sign here, it is frozen when that is entered, and its
    signature is owed.
    """

    case = models.ForeignKey(SaeCase, models.PROTECT, related_name="reports")
    number = models.PositiveSmallIntegerField(_("Report no."))
    #: As which report it meets clocks: a paper that left before reports that were made
    #: meanwhile counts as the last of those before it.
    counts_as = models.PositiveSmallIntegerField()
    kind = models.CharField(_("Kind"), max_length=12, choices=ReportKind)
    content = models.JSONField(_("Content"))
    content_hash = models.CharField(_("SHA-256 of the content"), max_length=64)
    #: What a complete report would still need.
    lacking = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    #: The version of the event's record that was reported.
    record_version = models.PositiveIntegerField()
    made_at = models.DateTimeField(_("Frozen"))
    signature = models.OneToOneField(
        Signature, models.PROTECT, null=True, blank=True, related_name="+"
    )
    signed_at = models.DateTimeField(_("Signed"), null=True, blank=True)
    signed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    objects = SiteScopedQuerySet["SaeReport"].as_manager()

    class Meta:
        verbose_name = _("safety report")
        ordering: ClassVar[list[str]] = ["case", "number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["case", "number"], name="sae_report_number_once"),
            # What the composite key of the receipts refers to.
            models.UniqueConstraint(fields=["case", "id"], name="sae_report_of_its_case"),
            models.CheckConstraint(
                condition=Q(signature=None, signed_at=None, signed_by=None)
                | Q(signature__isnull=False, signed_at__isnull=False, signed_by__isnull=False),
                name="sae_report_signed_whole",
            ),
            models.CheckConstraint(
                condition=Q(number=0, kind=ReportKind.INITIAL)
                | (Q(number__gt=0) & Q(kind__in=[ReportKind.FOLLOW_UP, ReportKind.FINAL])),
                name="sae_report_first_is_initial",
            ),
            models.CheckConstraint(
                condition=Q(counts_as__lte=F("number")), name="sae_report_counts_as_no_later"
            ),
            models.CheckConstraint(
                condition=Q(content_hash__regex=r"^[0-9a-f]{64}$"), name="sae_report_has_hash"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @property
    def said_at(self) -> dt.datetime:
        """Of what moment it tells: when it was frozen, or when its paper left."""
        left = self.content["facts"].get("paper_sent_at")
        return dt.datetime.fromisoformat(left) if left else self.made_at


@guarded(
    site="site_id",
    subject="subject_id",
    record="record_id",
    secret=("content",),
    changeable=False,
)
class SaeReportPdf(OfCase):
    """A report as the paper that was sent, in one language; its bytes under their hash."""

    report = models.ForeignKey(SaeReport, models.PROTECT, related_name="papers")
    language = models.CharField(_("Language"), max_length=10)
    content = models.BinaryField(_("PDF"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)

    objects = SiteScopedQuerySet["SaeReportPdf"].as_manager()

    class Meta:
        verbose_name = _("PDF of a safety report")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["report", "language"], name="sae_report_paper_once"),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="sae_report_paper_has_hash"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.report_id} {self.language}"


class SaeReceiptQuerySet(SiteScopedQuerySet["SaeReceipt"]):
    def standing(self) -> SaeReceiptQuerySet:
        """Submissions that nobody has voided."""
        return self.filter(voided_at=None)


@guarded(site="site_id", subject="subject_id", record="record_id")
class SaeReceipt(OfCase):
    """That a report went to one recipient: when, how, by whom; and the receipt it gave.

    One for each report and recipient; a mistaken entry is voided with its reason.
    """

    case = models.ForeignKey(SaeCase, models.PROTECT, related_name="receipts")
    report = models.ForeignKey(SaeReport, models.PROTECT, related_name="receipts")
    recipient = models.CharField(_("Recipient"), max_length=20, choices=To)
    #: By when it was due as the clocks stood when it was sent; nothing was due: empty.
    due_at = models.DateTimeField(_("Due"), null=True, blank=True)
    submitted_at = models.DateTimeField(_("Submitted"))
    way = models.CharField(_("Sent by"), max_length=10, choices=Way)
    submitted_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(_("Entered"))
    #: The paper that was sent, where nobody had signed here yet.
    evidence = models.ForeignKey(
        Attachment, models.PROTECT, null=True, blank=True, related_name="+"
    )
    received_at = models.DateTimeField(_("Received"), null=True, blank=True)
    receipt_number = models.CharField(_("Receipt no."), max_length=100, blank=True)
    acknowledged_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+"
    )
    kept_at = models.DateTimeField(_("Receipt entered"), null=True, blank=True)
    #: The sponsor's own people entered it; else a paper or a number proves it.
    by_recipient = models.BooleanField(_("Entered by the recipient"), default=False)
    attachment = models.ForeignKey(
        Attachment, models.PROTECT, null=True, blank=True, related_name="+"
    )
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = SaeReceiptQuerySet.as_manager()

    class Meta:
        verbose_name = _("receipt of a safety report")
        ordering: ClassVar[list[str]] = ["submitted_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["report", "recipient"],
                condition=Q(voided_at=None),
                name="sae_receipt_once",
                violation_error_message=_("This report has been sent to this recipient already."),
            ),
            models.CheckConstraint(
                condition=Q(recipient__in=To.values, way__in=Way.values),
                name="sae_receipt_codes_known",
            ),
            models.CheckConstraint(
                condition=Q(received_at=None) | Q(received_at__gte=F("submitted_at")),
                name="sae_receipt_after_submission",
                violation_error_message=_("Nothing is received before it is sent."),
            ),
            models.CheckConstraint(
                condition=Q(
                    received_at=None,
                    acknowledged_by=None,
                    kept_at=None,
                    receipt_number="",
                    attachment=None,
                    by_recipient=False,
                )
                | Q(
                    received_at__isnull=False,
                    acknowledged_by__isnull=False,
                    kept_at__isnull=False,
                ),
                name="sae_receipt_whole",
            ),
            # The sponsor's receipt moves the sponsor's clock: a typed number proves nothing.
            models.CheckConstraint(
                condition=Q(received_at=None)
                | Q(attachment__isnull=False)
                | Q(recipient=To.SPONSOR, by_recipient=True)
                | (~Q(recipient=To.SPONSOR) & ~Q(receipt_number="")),
                name="sae_receipt_proven",
                violation_error_message=_("A receipt needs its paper."),
            ),
            models.CheckConstraint(
                condition=Q(voided_at=None) | Q(received_at=None),
                name="sae_receipt_not_voided_once_received",
                violation_error_message=_("Its receipt is kept: void the receipt first."),
            ),
            models.CheckConstraint(
                condition=Q(voided_at=None, void_reason="")
                | (Q(voided_at__isnull=False) & ~Q(void_reason="")),
                name="sae_receipt_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient} {self.submitted_at:%Y-%m-%d %H:%M}"


@guarded(site="site_id", subject="subject_id", record="record_id", changeable=False)
class VoidedAcknowledgement(OfCase):
    """A receipt that was entered by mistake, as it stood, with the reason it was taken back.

    The database empties a sending's receipt only where it is kept here whole.
    """

    receipt = models.ForeignKey(SaeReceipt, models.PROTECT, related_name="voided_acknowledgements")
    received_at = models.DateTimeField(_("Received"))
    receipt_number = models.CharField(_("Receipt no."), max_length=100, blank=True)
    acknowledged_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    kept_at = models.DateTimeField(_("Receipt entered"))
    by_recipient = models.BooleanField(_("Entered by the recipient"), default=False)
    attachment = models.ForeignKey(
        Attachment, models.PROTECT, null=True, blank=True, related_name="+"
    )
    voided_at = models.DateTimeField(_("Voided"))
    voided_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    void_reason = models.CharField(_("Reason for voiding"), max_length=500)

    objects = SiteScopedQuerySet["VoidedAcknowledgement"].as_manager()

    class Meta:
        verbose_name = _("voided receipt of a safety report")
        ordering: ClassVar[list[str]] = ["voided_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["receipt", "kept_at"], name="voided_acknowledgement_once"
            ),
            models.CheckConstraint(
                condition=~Q(void_reason=""),
                name="voided_acknowledgement_with_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.receipt_number} {self.voided_at:%Y-%m-%d %H:%M}"
