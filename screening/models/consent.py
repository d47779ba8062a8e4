"""Informed consent: documents with their approvals, signed acts, capacity, withdrawals.

The initial consent is the participant's own; a representative only continues after a later
loss of capacity (decisions C4). Withdrawal has scopes (decisions C5). No names stand here:
a representative or a witness is told by what they are to the participant.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import ClassVar, TypeVar
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Role
from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.registry import register_companion

P = TypeVar("P", bound="ConsentPart")

CONSENT_FORM = "F.IC"
CAPACITY_FORM = "F.CAP"
WITHDRAWAL_FORM = "F.WD"


class ConsentLanguage(models.TextChoices):
    """Languages people at the sites read (BCP 47)."""

    CHINESE = "zh", _("Chinese")
    ENGLISH = "en", _("English")
    UYGHUR = "ug", _("Uyghur")
    KAZAKH = "kk", _("Kazakh")
    TIBETAN = "bo", _("Tibetan")
    MONGOLIAN = "mn", _("Mongolian")
    KOREAN = "ko", _("Korean")


@guarded()
class ConsentDocument(models.Model):
    """One language of one version of the consent document; a version may ask for re-consent."""

    version = models.CharField(_("Version"), max_length=40)
    language = models.CharField(_("Language"), max_length=10, choices=ConsentLanguage)
    title = models.CharField(_("Title"), max_length=200)
    change_note = models.CharField(_("What changed"), max_length=1000, blank=True)
    reconsent_required = models.BooleanField(_("Present participants consent anew"), default=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["version", "language"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["version", "language"],
                name="consent_document_once",
                violation_error_message=_("This version is already there in this language."),
            ),
            models.CheckConstraint(
                condition=Q(language__in=ConsentLanguage.values),
                name="consent_document_language_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} ({self.get_language_display()})"


@guarded(site="site_id")
class ConsentApproval(models.Model):
    """An ethics committee's approval of a document for a site; it counts from its effective day.

    A later approval of another version in the same language supersedes it from that version's
    own day; only the committee's withdrawal is written down.
    """

    site = models.ForeignKey(Site, models.PROTECT, related_name="consent_approvals")
    document = models.ForeignKey(ConsentDocument, models.PROTECT, related_name="approvals")
    committee = models.CharField(_("Ethics committee"), max_length=200)
    reference = models.CharField(_("Approval number"), max_length=100)
    approved_on = models.DateField(_("Approved on"))
    effective_on = models.DateField(_("In force from"))
    withdrawn_on = models.DateField(_("Withdrawn from"), null=True, blank=True)
    withdrawal_reason = models.CharField(_("Why withdrawn"), max_length=500, blank=True)

    objects = SiteScopedQuerySet["ConsentApproval"].as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["site", "effective_on", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["site", "document"],
                name="consent_approval_once",
                violation_error_message=_("This document is already approved at this site."),
            ),
            models.CheckConstraint(
                condition=Q(effective_on__gte=models.F("approved_on")),
                name="consent_effective_after_approval",
                violation_error_message=_("A document is in force from its approval at earliest."),
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_on=None, withdrawal_reason="")
                | (Q(withdrawn_on__isnull=False) & ~Q(withdrawal_reason="")),
                name="consent_approval_withdrawn_iff_reason",
                violation_error_message=_("Withdrawing an approval needs its day and a reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site.code} {self.document} {self.effective_on}"


class ConsentKind(models.TextChoices):
    INITIAL = "initial", _("First consent")
    RECONSENT = "reconsent", _("Re-consent to a new version")
    REPRESENTATIVE = "representative", _("Continued by a representative after loss of capacity")
    OWN = "own", _("The participant's own, capacity being back")


class Signer(models.TextChoices):
    PARTICIPANT = "participant", _("Participant")
    REPRESENTATIVE = "representative", _("Legal representative")


class Scope(models.TextChoices):
    """What a withdrawal takes back; all data includes the others."""

    TREATMENT = "treatment", _("Treatment")
    SAMPLES = "samples", _("Samples: no further ones, stored ones are destroyed")
    CONTACT = "contact", _("Contact")
    ALL_DATA = "all_data", _("All data: nothing further is collected")


class OfRecordQuerySet(SiteScopedQuerySet[P]):
    """Rows headed by a companion record: voided is what the record says."""

    def standing(self) -> OfRecordQuerySet[P]:
        """Rows whose record has not been voided."""
        return self.filter(record__voided_at=None)


class ConsentPart(models.Model):
    """What consents, capacity assessments and withdrawals have in common."""

    #: The field with the time of the act on the clock at the site.
    timed_by: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="%(class)ss")
    record = models.OneToOneField(CrfRecord, models.PROTECT, related_name="%(class)s")
    #: The site's IANA zone when the row was entered: its time is that wall's clock.
    time_zone = models.CharField(max_length=64)
    comment = models.CharField(_("Comments"), max_length=2000, blank=True)
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(_("Recorded"))

    class Meta:
        abstract = True

    @property
    def wall(self) -> dt.datetime:
        """The time on the clock at the site."""
        moment: dt.datetime = getattr(self, self.timed_by)
        return moment

    @property
    def at(self) -> dt.datetime:
        """The moment, aware."""
        return self.wall.replace(tzinfo=ZoneInfo(self.time_zone))

    @property
    def is_voided(self) -> bool:
        return self.record.voided_at is not None


@guarded(site="site_id", subject="subject_id", record="record_id")
class Consent(ConsentPart):
    """One signed act of consent, as it was signed (ICH E6 2.8, CDASH IC; decisions C4)."""

    timed_by = "signed_at"

    kind = models.CharField(_("Act"), max_length=20, choices=ConsentKind)
    document = models.ForeignKey(
        ConsentDocument, models.PROTECT, related_name="consents", verbose_name=_("Version")
    )
    signed_at = WallTimeField(_("Signed at"))
    signer = models.CharField(_("Signed by"), max_length=20, choices=Signer)
    relation = models.CharField(_("Relation of the representative"), max_length=100, blank=True)
    explained_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("Explained by")
    )
    explained_role = models.CharField(max_length=30, choices=Role)
    witness = models.CharField(_("Witness"), max_length=100, blank=True)
    #: Whom the participant names for a later loss of capacity.
    named_representative = models.CharField(_("Representative named"), max_length=100, blank=True)
    copy_given = models.BooleanField(_("Copy given to the signer"), default=False)
    future_use = models.BooleanField(_("Future use of samples"), null=True, blank=True)
    genetic_analysis = models.BooleanField(_("Genetic analysis"), null=True, blank=True)
    later_contact = models.BooleanField(_("Contact after the trial"), null=True, blank=True)
    data_sharing = models.BooleanField(_("Sharing of data"), null=True, blank=True)
    #: Scopes of an earlier withdrawal that this act takes back.
    resumes = ArrayField(models.CharField(max_length=20), default=list, blank=True)

    objects = OfRecordQuerySet["Consent"].as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["signed_at", "recorded_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(kind__in=ConsentKind.values, signer__in=Signer.values),
                name="consent_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(signer=Signer.REPRESENTATIVE) ^ Q(relation=""),
                name="consent_representative_iff_relation",
                violation_error_message=_("Say what the representative is to the participant."),
            ),
            models.CheckConstraint(
                condition=~Q(kind=ConsentKind.OWN) | Q(signer=Signer.PARTICIPANT),
                name="consent_own_is_the_participants",
            ),
            models.CheckConstraint(
                condition=~Q(kind=ConsentKind.REPRESENTATIVE) | Q(signer=Signer.REPRESENTATIVE),
                name="consent_continued_by_representative",
            ),
            models.CheckConstraint(
                condition=Q(resumes__contained_by=Scope.values), name="consent_resumes_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.signed_at:%Y-%m-%d}"

    @property
    def options(self) -> list[tuple[str | Promise, bool | None]]:
        """The optional consents: what is asked, and the answer."""
        asked = {each.name: each.verbose_name for each in self._meta.concrete_fields}
        return [(asked[name], getattr(self, name)) for name in OPTIONS]

    @property
    def resumed(self) -> list[str | Promise]:
        """The scopes taken back, in words."""
        return [Scope(each).label for each in self.resumes]

    @property
    def is_complete(self) -> bool:
        """A copy was given and every optional question has its answer."""
        return self.copy_given and all(getattr(self, name) is not None for name in OPTIONS)


OPTIONS = ("future_use", "genetic_analysis", "later_contact", "data_sharing")


class CapacityOutcome(models.TextChoices):
    PRESENT = "present", _("Capacity present")
    LOST = "lost", _("Capacity lost")
    FLUCTUATING = "fluctuating", _("Capacity fluctuating")


class HeGrade(models.TextChoices):
    """West Haven grade at the moment of the assessment."""

    NONE = "0", _("None")
    I = "I", "I"  # noqa: E741  (the grade's own name)
    II = "II", "II"
    III = "III", "III"
    IV = "IV", "IV"


@guarded(site="site_id", subject="subject_id", record="record_id")
class CapacityAssessment(ConsentPart):
    """Whether the participant could understand and decide, as an investigator saw it."""

    timed_by = "assessed_at"

    assessed_at = WallTimeField(_("Assessed at"))
    assessor = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("Assessed by")
    )
    he_grade = models.CharField(_("Hepatic encephalopathy"), max_length=3, choices=HeGrade)
    outcome = models.CharField(_("Capacity"), max_length=20, choices=CapacityOutcome)
    method = models.CharField(_("How it was assessed"), max_length=200)

    objects = OfRecordQuerySet["CapacityAssessment"].as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["assessed_at", "recorded_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(outcome__in=CapacityOutcome.values, he_grade__in=HeGrade.values),
                name="capacity_outcome_known",
            ),
            models.CheckConstraint(condition=~Q(method=""), name="capacity_method_given"),
        ]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()} {self.assessed_at:%Y-%m-%d}"


@guarded(site="site_id", subject="subject_id", record="record_id")
class Withdrawal(ConsentPart):
    """What a participant took back, since when; no reason is owed (ICH E6 2.8; decisions C5)."""

    timed_by = "withdrawn_at"

    withdrawn_at = WallTimeField(_("Stated at"))
    scopes = ArrayField(models.CharField(max_length=20), verbose_name=_("What is withdrawn"))
    stated_by = models.CharField(_("Stated by"), max_length=20, choices=Signer)
    relation = models.CharField(_("Relation of the representative"), max_length=100, blank=True)
    reason = models.CharField(_("Reason, if one was given"), max_length=1000, blank=True)

    objects = OfRecordQuerySet["Withdrawal"].as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["withdrawn_at", "recorded_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(scopes__contained_by=Scope.values, scopes__len__gte=1),
                name="withdrawal_scopes_known",
                violation_error_message=_("Say what is withdrawn."),
            ),
            models.CheckConstraint(
                condition=Q(stated_by__in=Signer.values), name="withdrawal_stated_by_known"
            ),
            models.CheckConstraint(
                condition=Q(stated_by=Signer.REPRESENTATIVE) ^ Q(relation=""),
                name="withdrawal_representative_iff_relation",
                violation_error_message=_("Say what the representative is to the participant."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.withdrawn_at:%Y-%m-%d} {', '.join(self.scopes)}"

    @property
    def taken_back(self) -> list[str | Promise]:
        """The scopes in words."""
        return [Scope(each).label for each in self.scopes]


register_companion(CONSENT_FORM, _("Informed consent"), Consent)
register_companion(CAPACITY_FORM, _("Capacity to consent"), CapacityAssessment)
register_companion(WITHDRAWAL_FORM, _("Withdrawal of consent"), Withdrawal)
