"""What happened that a rule of the protocol would pause the study for."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import Subject
from trialsite.conduct.models.holds import Hold
from trialsite.core.guards import guarded


class ProposalStatus(models.TextChoices):
    """What became of a proposed hold."""

    OPEN = "open", pgettext_lazy("proposed hold", "To be decided")
    PLACED = "placed", pgettext_lazy("proposed hold", "Hold placed")
    DISMISSED = "dismissed", pgettext_lazy("proposed hold", "Dismissed")


@guarded(site="site_id", subject="subject_id")
class ProposedHold(models.Model):
    """One event that asks for a hold of its site (decisions C7).

    It holds nothing by itself: somebody to whom holds are delegated places the hold or
    dismisses the proposal with a reason. Where the study has switched the rule on by
    signature, the hold is placed in the same moment and the proposal names it. A decision is
    about what was known then: of a cause that has become graver since, or of more events than
    were decided about, a further proposal is made.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="proposed_holds")
    subject = models.ForeignKey(Subject, models.PROTECT, null=True, blank=True, related_name="+")
    #: The key of the protocol's rule; empty where the protocol has none for such an event.
    rule = models.CharField(_("Rule"), max_length=60, blank=True)
    #: The kind of event; decides who is told.
    trigger = models.CharField(_("Event"), max_length=30, blank=True)
    #: What it is about: one proposal at a time for each cause that stands.
    key = models.CharField(max_length=200)
    #: Whether the rule counts over all sites, and so would hold the whole study.
    study_wide = models.BooleanField(_("Whole study"), default=False)
    reason = models.CharField(_("Reason"), max_length=1000)
    #: How grave it is by each of the rule's measures, and how many events the rule had counted:
    #: kept up while it waits, and then what the decision was about.
    measures = models.JSONField(_("Measures"), default=dict, blank=True)
    events = models.PositiveIntegerField(_("Events counted"), null=True, blank=True)
    raised_at = models.DateTimeField(_("Raised"))
    #: When the cause was corrected or voided; whoever decides knows it, the decision stays theirs.
    cause_ended_at = models.DateTimeField(_("Cause taken back"), null=True, blank=True)
    status = models.CharField(
        _("Status"), max_length=10, choices=ProposalStatus, default=ProposalStatus.OPEN
    )
    hold = models.OneToOneField(
        Hold, models.PROTECT, null=True, blank=True, related_name="proposal"
    )
    #: Empty also where the signed rule placed the hold by itself.
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(_("Decided"), null=True, blank=True)
    dismiss_reason = models.CharField(_("Why no hold"), max_length=500, blank=True)

    objects = SiteScopedQuerySet["ProposedHold"].as_manager()

    class Meta:
        verbose_name = _("proposed hold")
        ordering: ClassVar[list[str]] = ["-raised_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["site", "key"],
                condition=Q(cause_ended_at=None, status=ProposalStatus.OPEN),
                name="hold_proposed_once_for_a_cause",
            ),
            models.CheckConstraint(
                condition=Q(status__in=ProposalStatus.values) & ~Q(reason="") & ~Q(key=""),
                name="proposed_hold_says_why",
            ),
            models.CheckConstraint(
                condition=Q(status=ProposalStatus.PLACED) ^ Q(hold=None),
                name="proposed_hold_placed_iff_hold",
            ),
            models.CheckConstraint(
                condition=Q(status=ProposalStatus.DISMISSED) ^ Q(dismiss_reason=""),
                name="proposed_hold_dismissed_iff_reason",
                violation_error_message=_("Dismissing needs a reason."),
            ),
            models.CheckConstraint(
                condition=Q(status=ProposalStatus.OPEN) ^ Q(decided_at__isnull=False),
                name="proposed_hold_decided_iff_dated",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site.code} {self.rule or '–'} {self.status}"
