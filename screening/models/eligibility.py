"""Signed evaluations of eligibility, and what an investigator has answered but not signed."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import CrfRecord, ProtocolVersion, Subject
from trialsite.core.guards import guarded
from trialsite.crf.registry import register_companion

ELIGIBILITY_FORM = "F.IE"


class Decided(models.TextChoices):
    """What an evaluation came to; what is not yet known is never signed."""

    ELIGIBLE = "eligible", _("Eligible")
    INELIGIBLE = "ineligible", _("Not eligible")


class CriterionState(models.TextChoices):
    """Whether a criterion's own statement is true of the person."""

    MET = "met", _("Met")
    NOT_MET = "not_met", _("Not met")
    NOT_YET_KNOWN = "not_yet_known", _("Not yet known")


class EvaluationQuerySet(SiteScopedQuerySet["EligibilityEvaluation"]):
    def standing(self) -> EvaluationQuerySet:
        """Evaluations whose record has not been voided."""
        return self.filter(record__voided_at=None)


@guarded(site="site_id", subject="subject_id", record="record_id", changeable=False)
class EligibilityEvaluation(models.Model):
    """One signed judgement of all criteria, with the facts it was made from (ICH E6(R3) 4.2.2).

    Written once, with its signature, and never changed: with the frozen facts, the protocol
    version and the confirmed assumptions it can be made again. A later one supersedes it.
    """

    record = models.OneToOneField(
        CrfRecord, models.PROTECT, primary_key=True, related_name="eligibility"
    )
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="evaluations")
    #: Counts the subject's evaluations; the highest is the one that holds.
    number = models.PositiveIntegerField(_("Number"))
    protocol_version = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    engine = models.CharField(_("Version of the rules engine"), max_length=20)
    evaluated_at = models.DateTimeField(_("Evaluated"))
    #: Facts and evaluation as canonical JSON (screening.eligibility.frozen).
    facts = models.TextField()
    verdicts = models.TextField()
    decision = models.CharField(_("Decision"), max_length=12, choices=Decided)
    #: The criteria that keep the person out.
    against = ArrayField(
        models.CharField(max_length=10), verbose_name=_("Deciding criteria"), default=list
    )
    #: SHA-256 of the signed content.
    content_hash = models.CharField(max_length=64)
    signed_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        verbose_name = _("evaluation of eligibility")
        ordering: ClassVar[list[str]] = ["subject", "-number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["subject", "number"], name="evaluation_number_once"),
            models.CheckConstraint(
                condition=Q(decision=Decided.ELIGIBLE, against=[])
                | (Q(decision=Decided.INELIGIBLE) & ~Q(against=[])),
                name="evaluation_ineligible_iff_criteria",
                violation_error_message=_("Only a criterion makes a person ineligible."),
            ),
            models.CheckConstraint(
                condition=Q(content_hash__regex=r"^[0-9a-f]{64}$")
                & ~Q(facts="")
                & ~Q(verdicts="")
                & ~Q(engine=""),
                name="evaluation_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{ELIGIBILITY_FORM} {self.number} {self.decision}"


@guarded(site="site_id", subject="subject_id", record="record_id", changeable=False)
class CriterionAnswer(models.Model):
    """What the investigator answered to one criterion of a signed evaluation.

    For a judgement it is the verdict; elsewhere it confirms what the data say, or is empty.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    #: The evaluation, whose key is that of its record.
    evaluation = models.ForeignKey(
        EligibilityEvaluation, models.PROTECT, db_column="record_id", related_name="answers"
    )
    criterion = models.CharField(_("Criterion"), max_length=10)
    position = models.PositiveSmallIntegerField()
    inclusion = models.BooleanField(_("Inclusion criterion"))
    judged = models.BooleanField(_("Judged by the investigator"))
    state = models.CharField(_("Verdict"), max_length=15, choices=CriterionState)
    answer = models.CharField(
        _("Investigator's answer"), max_length=15, choices=CriterionState, blank=True
    )
    note = models.CharField(_("Note"), max_length=1000, blank=True)

    objects = SiteScopedQuerySet["CriterionAnswer"].as_manager()

    class Meta:
        verbose_name = _("answer to a criterion")
        ordering: ClassVar[list[str]] = ["evaluation", "position"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["evaluation", "criterion"], name="criterion_answered_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=CriterionState.values)
                & (Q(answer="") | Q(answer=models.F("state")))
                & ~Q(answer=CriterionState.NOT_YET_KNOWN),
                name="criterion_answer_follows_the_data",
                violation_error_message=_("An answer never overrides what the data say."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.criterion} {self.answer}"


@guarded(
    site="site_id",
    subject="subject_id",
    unaudited="what is typed and not yet signed is no data",
    deletable=True,
)
class EligibilityDraft(models.Model):
    """What one person has answered of a subject's criteria and not yet signed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    #: Criterion -> answer, and criterion -> note.
    answers = models.JSONField(default=dict)
    notes = models.JSONField(default=dict)
    saved_at = models.DateTimeField(auto_now=True)

    objects = SiteScopedQuerySet["EligibilityDraft"].as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["subject", "user"], name="eligibility_draft_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.subject}"


register_companion(
    ELIGIBILITY_FORM,
    _("Eligibility"),
    EligibilityEvaluation,
    page="screening:evaluation",
    repeating=True,
    opened=False,
)
