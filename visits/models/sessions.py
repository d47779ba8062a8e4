"""A treatment session with its checklist: times, people and modality of one treatment.

The session heads its record `F.TX`, whose key it has; readings, interruptions,
complications and integrity tests are rows on that record (decisions H1, H4).
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded
from trialsite.core.voiding import VOIDED_WITH_REASON
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.registry import register_companion
from visits.models.session_codes import Modality, State, StopReason

#: The form that heads the record of one session.
FORM_OID = "F.TX"


class TreatmentSessionQuerySet(SiteScopedQuerySet["TreatmentSession"]):
    def standing(self) -> TreatmentSessionQuerySet:
        """Sessions that have not been voided."""
        return self.filter(voided_at=None)

    def running(self) -> TreatmentSessionQuerySet:
        """Sessions whose circuit has started and not ended."""
        return self.standing().filter(started_at__isnull=False, ended_at=None)

    def started(self) -> TreatmentSessionQuerySet:
        """Sessions that took place, or take place now."""
        return self.standing().filter(started_at__isnull=False)


@guarded(site="site_id", subject="subject_id", record="record_id")
class TreatmentSession(models.Model):
    """One blood purification with the cell reactor: when, by whom, of what kind.

    Queries, signature and lock live on its record, which has the same key. Times are the
    clock on the wall in `time_zone`. A voided session keeps its number for ever.
    """

    record = models.OneToOneField(
        CrfRecord, models.PROTECT, primary_key=True, related_name="session"
    )
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="sessions")
    number = models.PositiveSmallIntegerField(_("Session no."))
    modality = models.JSONField(_("Modality"), default=list)
    modality_other = models.CharField(_("Other modality"), max_length=200, blank=True)
    #: A session without the reactor says why (clinical 1b).
    no_cells_reason = models.CharField(_("Why without the MSC reactor"), max_length=300, blank=True)
    planned_minutes = models.PositiveSmallIntegerField(_("Prescribed duration, minutes"))
    started_at = WallTimeField(_("Circuit started"), null=True, blank=True)
    cells_on_at = WallTimeField(_("Cell reactor on"), null=True, blank=True)
    cells_off_at = WallTimeField(_("Cell reactor off"), null=True, blank=True)
    ended_at = WallTimeField(_("Circuit ended"), null=True, blank=True)
    time_zone = models.CharField(max_length=64)
    stop_reason = models.CharField(
        _("Reason for the end"), max_length=15, choices=StopReason, blank=True
    )
    stop_comment = models.TextField(_("Comment on the end"), blank=True)
    operator = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("Operator"),
    )
    second_checker = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("Second checker"),
    )
    physician = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("Physician"),
    )
    #: How many different people the protocol asked for when it started (decisions C15).
    distinct_people = models.PositiveSmallIntegerField(default=2)
    planned_at = models.DateTimeField(_("Entered"))
    voided_at = models.DateTimeField(_("Voided"), null=True, blank=True)
    void_reason = models.CharField(_("Reason for voiding"), max_length=500, blank=True)

    objects = TreatmentSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("treatment session")
        ordering: ClassVar[list[str]] = ["subject", "number"]
        # Today reads what runs or is prepared, and what began in the last days.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["site"],
                name="session_not_ended",
                condition=Q(ended_at=None, voided_at=None),
            ),
            models.Index(fields=["site", "started_at"], name="session_of_a_day"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["subject", "number"], name="session_number_once"),
            ExclusionConstraint(
                name="sessions_never_overlap",
                expressions=[
                    ("subject", RangeOperators.EQUAL),
                    (
                        Func(F("started_at"), F("ended_at"), Value("[]"), function="tsrange"),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=Q(voided_at=None, started_at__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(started_at__isnull=False)
                | Q(cells_on_at=None, cells_off_at=None, ended_at=None),
                name="session_starts_first",
                violation_error_message=_("The circuit has not been started."),
            ),
            models.CheckConstraint(
                condition=Q(cells_on_at__gte=F("started_at")),
                name="session_cells_on_after_start",
                violation_error_message=_("Cells go on after the circuit has started."),
            ),
            models.CheckConstraint(
                condition=Q(cells_off_at=None)
                | Q(cells_on_at__isnull=False, cells_off_at__gte=F("cells_on_at")),
                name="session_cells_off_after_on",
                violation_error_message=_("Cells come off after they went on."),
            ),
            models.CheckConstraint(
                condition=Q(ended_at__gte=F("started_at")),
                name="session_ends_after_start",
                violation_error_message=_("The end cannot lie before the start."),
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None)
                | Q(cells_on_at=None)
                | Q(cells_off_at__isnull=False, cells_off_at__lte=F("ended_at")),
                name="session_cells_off_before_end",
                violation_error_message=_("Cells come off before the circuit ends."),
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, stop_reason="")
                | (Q(ended_at__isnull=False) & ~Q(stop_reason="")),
                name="session_ended_iff_reason",
                violation_error_message=_("An ended session says why it ended."),
            ),
            models.CheckConstraint(
                condition=Q(started_at=None)
                | Q(
                    operator__isnull=False,
                    second_checker__isnull=False,
                    physician__isnull=False,
                ),
                name="session_started_has_people",
                violation_error_message=_("A session has an operator, a checker, a physician."),
            ),
            models.CheckConstraint(
                condition=Q(distinct_people__lt=2) | ~Q(operator=F("second_checker")),
                name="session_checked_by_two",
                violation_error_message=_("Operator and second checker are two people."),
            ),
            models.CheckConstraint(
                condition=Q(distinct_people__lt=3)
                | (~Q(physician=F("operator")) & ~Q(physician=F("second_checker"))),
                name="session_checked_by_three",
                violation_error_message=_("The physician is a third person."),
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1, planned_minutes__gte=1)
                & Q(stop_reason__in=["", *StopReason.values])
                & Q(modality__contained_by=list(Modality.values))
                & ~Q(modality=[]),
                name="session_codes_known",
                violation_error_message=_("A session has a modality and a duration."),
            ),
            models.CheckConstraint(condition=VOIDED_WITH_REASON, name="session_voided_iff_reason"),
        ]

    def __str__(self) -> str:
        return f"{FORM_OID} {self.number}"

    @property
    def state(self) -> State:
        """Where it stands; it follows from the times and is stored nowhere."""
        if self.voided_at is not None:
            return State.VOIDED
        if self.started_at is None:
            return State.PREPARED
        return State.RUNNING if self.ended_at is None else State.ENDED

    @property
    def version(self) -> int:
        """Counts changes of what stands here; rows and answers count their own."""
        return self.record.version

    @property
    def modality_text(self) -> str:
        """The modalities in the present language."""
        labels = dict(Modality.choices)
        return " + ".join(str(labels[code]) for code in self.modality)


@guarded(site="site_id", subject="subject_id", record="record_id")
class ChecklistAnswer(models.Model):
    """The answer to one question of the list that is gone through before a session starts.

    A "no" needs a physician who lets the session start in spite of it, and why.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    session = models.ForeignKey(
        TreatmentSession, models.PROTECT, db_column="record_id", related_name="answers"
    )
    #: Key of the protocol's checklist.
    key = models.CharField(_("Question"), max_length=40)
    answer = models.BooleanField(_("Answer"))
    version = models.PositiveIntegerField(default=1)
    #: What was seen, or why not.
    reason = models.CharField(_("Remark"), max_length=500, blank=True)
    answered_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(_("Answered"))
    overridden_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    overridden_at = models.DateTimeField(_("Overridden"), null=True, blank=True)
    override_reason = models.CharField(
        _("Reason to start all the same"), max_length=500, blank=True
    )

    objects = SiteScopedQuerySet["ChecklistAnswer"].as_manager()

    class Meta:
        verbose_name = _("checklist answer")
        ordering: ClassVar[list[str]] = ["session", "answered_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["session", "key"], name="checklist_answered_once"),
            models.CheckConstraint(
                condition=Q(overridden_by=None, overridden_at=None, override_reason="")
                | (
                    Q(overridden_by__isnull=False, overridden_at__isnull=False, answer=False)
                    & ~Q(override_reason="")
                ),
                name="checklist_overridden_iff_reason",
                violation_error_message=_("Only a “no” is overridden, and with a reason."),
            ),
            models.CheckConstraint(condition=~Q(key=""), name="checklist_key_given"),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.answer}"

    @property
    def said(self) -> str:
        """All that is said of the question, for the hash of the record's content."""
        return f"{self.answer} {self.reason} {self.overridden_by_id} {self.override_reason}"

    @property
    def lets_start(self) -> bool:
        """Whether the session may start as far as this question goes."""
        return self.answer or self.overridden_by_id is not None


#: Under which item OID queries speak of what stands on the session itself.
ITEM_OIDS = {
    "number": "I.TX.SESSNO",
    "modality": "I.TX.SESMOD",
    "planned_minutes": "I.TX.SESDUR",
    "started_at": "I.TX.SESSTDTM",
    "cells_on_at": "I.TX.CELLON",
    "cells_off_at": "I.TX.CELLOFF",
    "ended_at": "I.TX.SESENDTM",
    "stop_reason": "I.TX.STOPREAS",
    "operator": "I.TX.OPERATOR",
    "second_checker": "I.TX.CHECKER",
    "physician": "I.TX.PHYSICIAN",
}

_CONTENT = (
    *ITEM_OIDS,
    "modality_other",
    "no_cells_reason",
    "stop_comment",
    "voided_at",
)


def item_label(oid: str) -> str:
    """What a query on the session itself speaks of."""
    names = {item: name for name, item in ITEM_OIDS.items()}
    if oid not in names:
        return oid
    return str(TreatmentSession._meta.get_field(names[oid]).verbose_name)  # type: ignore[union-attr]


def content_of(record: CrfRecord) -> dict[str, str]:
    """What people say of a session beside its rows: what a signature on it is bound to."""
    session = TreatmentSession.objects.filter(pk=record.pk).first()
    if session is None:
        return {}
    columns = (TreatmentSession._meta.get_field(name) for name in _CONTENT)
    said = {each.name: getattr(session, each.attname) for each in columns}  # type: ignore[union-attr]
    answers = {f"answer {each.key}": each.said for each in session.answers.all()}
    cells = {
        f"cells {each.pk}": f"{each.lot_id} {each.units} {each.viable_cells} {each.reactor_serial}"
        for each in session.products.filter(voided_at=None)
    }
    everything = said | answers | cells
    return {name: str(value) for name, value in everything.items() if value is not None}


register_companion(
    FORM_OID,
    _("Treatment session"),
    TreatmentSession,
    page="visits:session",
    opened=False,
    label_of=item_label,
    content_of=content_of,
)
