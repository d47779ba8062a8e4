"""The cell product: lots with their release tests, and what was decided about each lot.

A lot is a thing of the whole study, not of a participant: it is known everywhere, so that
a quarantine at one site binds every other (decisions D6, H4). What a site did with it stands
in `visits.models.product_use`.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.access.models import User
from trialsite.core.guards import guarded
from trialsite.core.voiding import VOIDED_IFF_REASON
from trialsite.review.models import Signature

#: Capital letters, digits, dots, dashes: what scanners read and addresses carry.
LOT_CODE = r"^[A-Z0-9][A-Z0-9._-]{2,39}$"
_SHA256 = r"^[0-9a-f]{64}$"


class CellSource(models.TextChoices):
    """The tissue that the cells come from (MSCSRC)."""

    UMBILICAL_CORD = "UC", _("Umbilical cord")
    BONE_MARROW = "BM", _("Bone marrow")
    ADIPOSE = "AD", _("Adipose tissue")
    PLACENTA = "PL", _("Placenta")
    CELL_LINE = "LINE", _("Immortalised cell line")


class DonorScreening(models.TextChoices):
    CLEARED = "cleared", _("Complete, all negative")
    PENDING = "pending", _("Not complete yet")
    NOT_CLEARED = "not_cleared", _("Not cleared")


class LotState(models.TextChoices):
    REGISTERED = "registered", _("Registered, not released")
    RELEASED = "released", _("Released")
    QUARANTINED = "quarantined", _("In quarantine")
    RECALLED = "recalled", _("Recalled")
    CLOSED = "closed", pgettext_lazy("lot", "Closed, none left")


@guarded()
class ProductLot(models.Model):
    """One manufactured lot of the cell product (SDTM EX.EXLOT, DI LOT).

    Its state is moved by decisions only, each a row of its own (`LotDecision`); a lot past
    its expiry is expired whatever its state.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    #: The manufacturer's own code, as the label's barcode gives it; not ours to add a check
    #: character to, so a typed code must match a registered one exactly.
    code = models.CharField(_("Lot number"), max_length=40, unique=True)
    product = models.CharField(_("Product"), max_length=200)
    source = models.CharField(_("Source of the cells"), max_length=10, choices=CellSource)
    donor_code = models.CharField(_("Donor code"), max_length=40)
    donor_screening = models.CharField(
        _("Donor screening"), max_length=20, choices=DonorScreening, default=DonorScreening.PENDING
    )
    passage = models.PositiveSmallIntegerField(_("Passage"), null=True, blank=True)
    doublings = models.DecimalField(
        _("Population doublings"), max_digits=6, decimal_places=1, null=True, blank=True
    )
    manufactured_on = models.DateField(_("Manufactured on"))
    expires_at = models.DateTimeField(_("Expires"))
    units_made = models.PositiveIntegerField(_("Units made"))
    cells_per_unit = models.DecimalField(
        _("Viable cells per unit"), max_digits=12, decimal_places=3
    )
    viability = models.DecimalField(_("Viability at release"), max_digits=4, decimal_places=1)
    storage = models.CharField(_("Storage condition"), max_length=200, blank=True)
    #: The certificate itself stays with the manufacturer's documents: which, and its hash.
    certificate = models.CharField(_("Certificate of analysis"), max_length=300, blank=True)
    certificate_sha256 = models.CharField(
        _("SHA-256 of the certificate"), max_length=64, blank=True
    )
    state = models.CharField(
        _("State"), max_length=15, choices=LotState, default=LotState.REGISTERED
    )
    registered_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    registered_at = models.DateTimeField(_("Registered"))

    class Meta:
        verbose_name = _("product lot")
        ordering: ClassVar[list[str]] = ["-registered_at", "code"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(code__regex=LOT_CODE) & Q(donor_code__regex=r"^[A-Za-z0-9._/-]{1,40}$"),
                name="lot_codes_are_plain",
                violation_error_message=_(
                    "A code has letters, digits, dots and dashes; never a donor’s name."
                ),
            ),
            models.CheckConstraint(
                condition=Q(source__in=CellSource.values, state__in=LotState.values)
                & Q(donor_screening__in=DonorScreening.values)
                & ~Q(product=""),
                name="lot_states_known",
            ),
            models.CheckConstraint(
                condition=Q(passage__isnull=False) | Q(doublings__isnull=False),
                name="lot_passage_or_doublings",
                violation_error_message=_("Give the passage or the population doublings."),
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("manufactured_on")),
                name="lot_expires_after_it_is_made",
                violation_error_message=_("A lot expires after it was made."),
            ),
            models.CheckConstraint(
                condition=Q(units_made__gt=0, cells_per_unit__gt=0),
                name="lot_holds_something",
                violation_error_message=_("A lot has at least one unit, and a unit has cells."),
            ),
            models.CheckConstraint(
                condition=Q(viability__gte=0, viability__lte=100)
                & (Q(doublings=None) | Q(doublings__gte=0)),
                name="lot_viability_is_a_percentage",
                violation_error_message=_("A viability is a percentage from 0 to 100."),
            ),
            models.CheckConstraint(
                condition=Q(certificate_sha256="") | Q(certificate_sha256__regex=_SHA256),
                name="lot_certificate_hash_known",
                violation_error_message=_("A SHA-256 has 64 digits and letters from a to f."),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def is_expired(self, at: dt.datetime) -> bool:
        """Whether the lot is past its expiry at a moment; at the very minute it is."""
        return at >= self.expires_at


class Assay(models.TextChoices):
    """What a lot is tested for before release (clinical 1e)."""

    CD73 = "cd73", "CD73+"
    CD90 = "cd90", "CD90+"
    CD105 = "cd105", "CD105+"
    NEGATIVE = "negative", _("Negative markers (CD34, CD45, CD11b, CD19, HLA-DR)")
    STERILITY = "sterility", _("Sterility")
    MYCOPLASMA = "mycoplasma", _("Mycoplasma")
    ENDOTOXIN = "endotoxin", _("Endotoxin")
    KARYOTYPE = "karyotype", _("Karyotype")
    POTENCY = "potency", _("Potency")
    OTHER = "other", pgettext_lazy("release test", "Other")


class ResultStage(models.TextChoices):
    PRELIMINARY = "preliminary", _("Preliminary")
    FINAL = "final", pgettext_lazy("release test", "Final")


class Verdict(models.TextChoices):
    PASS = "pass", _("Meets the limit")
    FAIL = "fail", _("Fails the limit")


class ReleaseTestQuerySet(models.QuerySet["ReleaseTest"]):
    def standing(self) -> ReleaseTestQuerySet:
        """Results that nobody has taken back."""
        return self.filter(voided_at=None)


@guarded()
class ReleaseTest(models.Model):
    """One result of one release test of a lot; never changed, only voided and stated anew."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    lot = models.ForeignKey(ProductLot, models.PROTECT, related_name="tests")
    kind = models.CharField(_("Test"), max_length=15, choices=Assay)
    name = models.CharField(_("Which test"), max_length=200, blank=True)
    stage = models.CharField(
        _("Stage"), max_length=15, choices=ResultStage, default=ResultStage.FINAL
    )
    result = models.CharField(_("Result"), max_length=200)
    unit = models.CharField(_("Unit"), max_length=40, blank=True)
    limit = models.CharField(_("Limit"), max_length=200, blank=True)
    verdict = models.CharField(_("Verdict"), max_length=10, choices=Verdict)
    resulted_on = models.DateField(_("Result of"))
    document = models.CharField(_("Document"), max_length=300, blank=True)
    document_sha256 = models.CharField(_("SHA-256 of the document"), max_length=64, blank=True)
    entered_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(_("Entered"))
    voided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = ReleaseTestQuerySet.as_manager()

    class Meta:
        verbose_name = _("release test")
        ordering: ClassVar[list[str]] = ["lot", "kind", "entered_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(kind__in=Assay.values, stage__in=ResultStage.values)
                & Q(verdict__in=Verdict.values)
                & ~Q(result=""),
                name="release_test_known",
                violation_error_message=_("State the result and its verdict."),
            ),
            models.CheckConstraint(
                condition=~Q(kind=Assay.OTHER) | ~Q(name=""),
                name="release_test_other_is_named",
                violation_error_message=_("Say which test it was."),
            ),
            models.CheckConstraint(
                condition=Q(document_sha256="") | Q(document_sha256__regex=_SHA256),
                name="release_test_hash_known",
                violation_error_message=_("A SHA-256 has 64 digits and letters from a to f."),
            ),
            models.CheckConstraint(
                condition=VOIDED_IFF_REASON,
                name="release_test_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lot.code} {self.kind} {self.verdict}"

    @property
    def title(self) -> str:
        """The test in words, with its own name where it has one."""
        return self.name or str(self.get_kind_display())


class LotAct(models.TextChoices):
    """What can be decided about a lot."""

    RELEASE = "release", _("Release")
    QUARANTINE = "quarantine", _("Quarantine")
    RECALL = "recall", _("Recall")
    CLOSE = "close", pgettext_lazy("lot", "Close")


#: The state that an act puts a lot into.
STATE_AFTER = {
    LotAct.RELEASE: LotState.RELEASED,
    LotAct.QUARANTINE: LotState.QUARANTINED,
    LotAct.RECALL: LotState.RECALLED,
    LotAct.CLOSE: LotState.CLOSED,
}


@guarded(changeable=False)
class LotDecision(models.Model):
    """One decision about a lot, in their order: who, why, and for a release the signature.

    The state of the lot at any past moment is read from these rows.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    lot = models.ForeignKey(ProductLot, models.PROTECT, related_name="decisions")
    number = models.PositiveSmallIntegerField(_("Number"))
    act = models.CharField(_("Decision"), max_length=12, choices=LotAct)
    reason = models.CharField(_("Reason"), max_length=1000)
    #: The failed result that put the lot into quarantine by itself.
    test = models.ForeignKey(
        ReleaseTest, models.PROTECT, null=True, blank=True, related_name="decisions"
    )
    signature = models.ForeignKey(
        Signature, models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(_("Decided"))

    class Meta:
        verbose_name = _("decision about a lot")
        ordering: ClassVar[list[str]] = ["lot", "number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["lot", "number"], name="lot_decided_once"),
            models.CheckConstraint(
                condition=Q(act__in=LotAct.values) & ~Q(reason=""),
                name="lot_decision_has_its_reason",
                violation_error_message=_("Give the reason."),
            ),
            models.CheckConstraint(
                condition=Q(act=LotAct.RELEASE) ^ Q(signature=None),
                name="lot_released_iff_signed",
                violation_error_message=_("A release is signed."),
            ),
            models.CheckConstraint(
                condition=Q(test=None) | Q(act=LotAct.QUARANTINE), name="lot_decision_of_a_test"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lot.code} {self.number} {self.act}"
