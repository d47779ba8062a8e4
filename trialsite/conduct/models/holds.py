"""What pauses the study, and which of the protocol's safety rules are switched on."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, StudyScopedQuerySet, User
from trialsite.casebook.models import ProtocolVersion
from trialsite.core.guards import guarded
from trialsite.review.models import Signature


class Scope(models.TextChoices):
    """What a hold stops."""

    ENROLMENT = "enrolment", _("Enrolment")
    TREATMENT = "treatment", _("Treatment")
    BOTH = "both", _("Enrolment and treatment")


class HoldQuerySet(StudyScopedQuerySet["Hold"]):
    def standing(self) -> HoldQuerySet:
        """Holds that nobody has lifted."""
        return self.filter(lifted_at=None)


@guarded(site="site_id", siteless="a hold of the whole study binds every site")
class Hold(models.Model):
    """A pause of enrolment, treatment or both, at one site or in the whole study.

    Placed at once by whoever may, or by a rule that was switched on by signature; never
    lifted by itself, only by a signed act of the study-wide principal investigator
    (decisions C7, D6).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True, related_name="holds")
    scope = models.CharField(_("What is held"), max_length=10, choices=Scope)
    reason = models.CharField(_("Reason"), max_length=1000)
    #: The key of the protocol's rule that asked for it; empty where a person judged alone.
    rule = models.CharField(_("Rule"), max_length=60, blank=True)
    placed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    #: The signed decision under which the rule placed it by itself.
    activation = models.ForeignKey(
        "RuleActivation", models.PROTECT, null=True, blank=True, related_name="holds"
    )
    placed_at = models.DateTimeField(_("Placed"))
    lifted_at = models.DateTimeField(_("Lifted"), null=True, blank=True)
    lifted_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    lift_reason = models.CharField(_("Reason for lifting"), max_length=1000, blank=True)
    lift_signature = models.ForeignKey(
        Signature, models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = HoldQuerySet.as_manager()

    class Meta:
        verbose_name = _("hold")
        ordering: ClassVar[list[str]] = ["-placed_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(scope__in=Scope.values) & ~Q(reason=""),
                name="hold_says_what_and_why",
                violation_error_message=_("A hold needs its reason."),
            ),
            models.CheckConstraint(
                condition=Q(placed_by=None) ^ Q(activation=None),
                name="hold_placed_by_a_person_or_a_signed_rule",
            ),
            models.CheckConstraint(
                condition=Q(activation=None) | ~Q(rule=""), name="hold_of_a_rule_names_it"
            ),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by=None, lift_signature=None, lift_reason="")
                | (
                    Q(lifted_at__isnull=False, lifted_by__isnull=False)
                    & Q(lift_signature__isnull=False)
                    & ~Q(lift_reason="")
                ),
                name="hold_lifted_iff_signed",
                violation_error_message=_("Lifting needs a reason and a signature."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site.code if self.site else '*'} {self.scope}"

    @property
    def placed_by_whom(self) -> str:
        """The person, or the rule with whoever switched it on."""
        if self.placed_by is not None:
            return self.placed_by.full_name
        assert self.activation is not None
        return gettext("Rule switched on by %(name)s") % {
            "name": self.activation.decided_by.full_name
        }


class RuleKind(models.TextChoices):
    """The families of rules a protocol file proposes."""

    HOLD = "hold", _("Hold")
    GATE = "gate", _("Gate")
    MONITOR = "monitor", pgettext_lazy("rule", "Monitor")


@guarded(changeable=False)
class RuleActivation(models.Model):
    """One signed decision to switch a proposed rule on or off; the last one is in force.

    The rule's parameters are kept as they were signed: under an amendment with other
    parameters the decision no longer speaks for the rule (decisions C7).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("Kind"), max_length=10, choices=RuleKind)
    rule = models.CharField(_("Rule"), max_length=60)
    #: Counts the decisions about one rule: the order does not hang on a clock.
    number = models.PositiveIntegerField(_("Number"))
    version = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    content = models.TextField(_("Parameters"))
    active = models.BooleanField(_("Active"))
    reason = models.CharField(_("Reason"), max_length=500)
    signature = models.ForeignKey(Signature, models.PROTECT, related_name="+")
    decided_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(_("Decided"))

    class Meta:
        verbose_name = _("activation of a rule")
        ordering: ClassVar[list[str]] = ["kind", "rule", "number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "rule", "number"], name="rule_decided_once"),
            models.CheckConstraint(
                condition=Q(kind__in=RuleKind.values) & ~Q(reason=""), name="rule_decision_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.number}"


class Decision(models.TextChoices):
    """What a safety review can decide (clinical.md C20)."""

    CONTINUE = "continue", _("Continue")
    MODIFY = "modify", _("Continue with modifications")
    PAUSE = "pause", _("Pause")
    STOP = "stop", _("Stop")


#: Decisions of a review after which the study goes on.
OPENING = frozenset({Decision.CONTINUE, Decision.MODIFY})


class GateReviewQuerySet(models.QuerySet["GateReview"]):
    def visible_to(self, user: User) -> GateReviewQuerySet:
        """Decisions at gates bind every site; a review of the study as a whole is only for
        whoever sees every site (decisions D6)."""
        return (
            self.all()
            if user.access.study_wide(Capability.VIEW_CASEBOOK)
            else self.exclude(gate="")
        )


@guarded(changeable=False)
class GateReview(models.Model):
    """One safety review: who met when, what was decided, in which document; signed.

    The last review of a gate is in force. `next_after` names the number of enrolled
    subjects after which the gate closes again; `covers` the sentinels who died or left before
    their data were there. A review of the study as a whole has no gate: it opens and closes
    none, and names the snapshot it looked at.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    gate = models.CharField(_("Gate"), max_length=60, blank=True)
    number = models.PositiveIntegerField(_("Number"))
    version = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    decision = models.CharField(_("Decision"), max_length=10, choices=Decision)
    meeting_on = models.DateField(_("Date of the meeting"))
    document = models.CharField(_("Document"), max_length=500)
    comment = models.CharField(_("Comment"), max_length=1000, blank=True)
    #: The study at that moment: subjects enrolled, and those with data of the gate's day.
    enrolled = models.PositiveIntegerField(_("Enrolled"))
    with_data = models.PositiveIntegerField(_("With data"))
    next_after = models.PositiveIntegerField(_("Next review after subjects"), null=True, blank=True)
    next_on = models.DateField(_("Next review on"), null=True, blank=True)
    #: Treated subjects without the data of a sentinel gate's day whom this review lets pass.
    covers = ArrayField(models.UUIDField(), default=list, blank=True, verbose_name=_("Lets pass"))
    #: The data cut that was reviewed.
    snapshot = models.ForeignKey(
        "SafetySnapshot", models.PROTECT, null=True, blank=True, related_name="reviews"
    )
    signature = models.ForeignKey(Signature, models.PROTECT, related_name="+")
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(_("Recorded"))

    objects = GateReviewQuerySet.as_manager()

    class Meta:
        verbose_name = _("review at a gate")
        ordering: ClassVar[list[str]] = ["gate", "number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["gate", "number"], name="gate_reviewed_once"),
            models.CheckConstraint(
                condition=Q(decision__in=Decision.values) & ~Q(document=""),
                name="gate_review_names_its_document",
            ),
            models.CheckConstraint(
                condition=~Q(gate="") | Q(snapshot__isnull=False, next_after=None, covers=[]),
                name="gate_review_of_the_study_has_a_snapshot",
                violation_error_message=_("A review of the whole study names its snapshot."),
            ),
            models.CheckConstraint(
                condition=Q(covers=[]) | Q(decision__in=sorted(OPENING)),
                name="gate_review_lets_pass_by_going_on",
            ),
            models.CheckConstraint(
                condition=Q(next_on=None) | Q(next_on__gte=models.F("meeting_on")),
                name="gate_review_next_is_later",
                violation_error_message=_("The next review cannot lie before this one."),
            ),
            models.CheckConstraint(
                condition=Q(next_after=None) | Q(next_after__gt=models.F("enrolled")),
                name="gate_next_review_lies_ahead",
                violation_error_message=_("The next review must come after the next subject."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gate} {self.number}"
