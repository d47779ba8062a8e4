"""What is known of a serious event beside its form: further words, the sponsor's knowledge."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from outcomes.models.sae import OfCase, SaeCase, Suspected
from trialsite.access.models import SiteScopedQuerySet, User
from trialsite.core.guards import guarded
from trialsite.core.voiding import VOIDED_IFF_REASON


@guarded(site="site_id", subject="subject_id", record="record_id", changeable=False)
class FurtherWord(OfCase):
    """What a second person said first of an event that was reported already.

    The first word stays; this one is kept beside it, and its suspicion counts as well until
    its own cause is judged (ICH E2B(R3) C.2: an event may have several primary sources).
    """

    case = models.ForeignKey(SaeCase, models.PROTECT, related_name="further_words")
    term = models.CharField(_("Event"), max_length=200)
    reporter = models.CharField(_("Reporter"), max_length=200)
    suspected = models.CharField(_("Suspected cause"), max_length=20, choices=Suspected)
    aware_at = models.DateTimeField(_("Known to this reporter"))
    said_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    said_at = models.DateTimeField(_("Entered"))

    objects = SiteScopedQuerySet["FurtherWord"].as_manager()

    class Meta:
        verbose_name = _("further first word")
        ordering: ClassVar[list[str]] = ["said_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(suspected__in=Suspected.values), name="further_word_codes_known"
            ),
            models.CheckConstraint(
                condition=~Q(reporter="") & ~Q(term=""),
                name="further_word_whole",
                violation_error_message=_("Name the event and who reports it."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reporter}: {self.term}"


class KnownBy(models.TextChoices):
    """How the sponsor came to know of an event otherwise than by a report sent from here."""

    CALL = "call", _("By telephone")
    MONITOR = "monitor", _("From the monitor")
    MESSAGE = "message", _("By e-mail or message")
    REPORT = "report", _("From another report")
    OTHER = "other", _("Otherwise")


class SponsorAwarenessQuerySet(SiteScopedQuerySet["SponsorAwareness"]):
    def standing(self) -> SponsorAwarenessQuerySet:
        """Those that nobody has voided."""
        return self.filter(voided_at=None)


@guarded(site="site_id", subject="subject_id", record="record_id")
class SponsorAwareness(OfCase):
    """That the sponsor knew of an event at a moment, by whatever way, and what of it.

    The sponsor's clocks start with the first knowledge (ICH E2A III.B, decisions C13): the
    earliest of these and of the reports the sponsor was sent counts, so that an entry can
    start a clock or lay it earlier and never later. An upgrade that the sponsor learns of is
    an entry of its own. A mistake is voided, by the sponsor's safety officer.
    """

    case = models.ForeignKey(SaeCase, models.PROTECT, related_name="sponsor_awareness")
    known_at = models.DateTimeField(_("The sponsor knew at"))
    source = models.CharField(_("How the sponsor knew"), max_length=10, choices=KnownBy)
    told = models.CharField(_("Who told whom what"), max_length=500)
    grave = models.BooleanField(_("Known as fatal or life-threatening"), default=False)
    suspected = models.BooleanField(_("Known as suspected of the treatment"), default=False)
    entered_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(_("Entered"))
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    voided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = SponsorAwarenessQuerySet.as_manager()

    class Meta:
        verbose_name = _("knowledge of the sponsor")
        ordering: ClassVar[list[str]] = ["known_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(source__in=KnownBy.values), name="sponsor_awareness_codes_known"
            ),
            models.CheckConstraint(
                condition=~Q(told=""),
                name="sponsor_awareness_has_source",
                violation_error_message=_("Say who told whom what."),
            ),
            models.CheckConstraint(
                condition=Q(known_at__lte=F("entered_at")),
                name="sponsor_awareness_not_ahead",
                violation_error_message=_("The sponsor cannot have known in the future."),
            ),
            models.CheckConstraint(
                condition=VOIDED_IFF_REASON,
                name="sponsor_awareness_voided_iff_reason",
                violation_error_message=_("Voiding needs a reason."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.known_at:%Y-%m-%d %H:%M}"
