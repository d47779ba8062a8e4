"""Adverse events: one record for each, from the first consent to the end of the study."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from outcomes.models.codes import Action, Causality, Grade, Outcome
from outcomes.models.conditions import before_first_consent, death_recorded
from trialsite.access.models import Site, SiteScopedQuerySet
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded
from trialsite.core.partial_dates import PartialDateField, not_before
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, EditCheck, Section
from trialsite.crf.registry import register
from visits.models import Complication, TreatmentSession

#: The criteria of seriousness; all participants are in-patients, so a stay is prolonged.
CRITERIA = (
    "results_in_death",
    "life_threatening",
    "hospitalisation",
    "disability",
    "congenital",
    "other_important",
    "prevented",
)


def _criterion(label: Any, code: str) -> models.BooleanField[bool | None, bool | None]:
    return item(models.BooleanField(label), oid=f"I.AE.{code}", sdtm=f"AE.{code}", required=False)


def _cause(label: Any, code: str) -> models.CharField[str | None, str | None]:
    column: models.CharField[str | None, str | None] = models.CharField(
        label, max_length=20, choices=Causality
    )
    return item(column, oid=f"I.AE.{code}", sdtm=f"SUPPAE.{code}")


def _yes(name: str) -> Q:
    """Said to be so; what is not yet said is not."""
    return Q(**{f"{name}__isnull": False, name: True})


def _not_said(name: str) -> Q:
    return Q(**{f"{name}__isnull": True}) | Q(**{name: False})


_ANY_CRITERION = Q()
_NO_CRITERION = Q()
for _name in CRITERIA:
    _ANY_CRITERION |= _yes(_name)
    _NO_CRITERION &= _not_said(_name)

_NOT_FATAL = [each for each in Outcome if each is not Outcome.FATAL]
_OVER = (Outcome.RECOVERED, Outcome.SEQUELAE, Outcome.FATAL)


@register
class AdverseEvent(CrfData):
    """An adverse event (CDASH AE, ICH E2A), as the investigator judges it.

    The device law's criterion (an intervention to prevent the others) stands beside the
    six of ICH. Related to what is judged for each possible cause by itself (clinical C12).
    """

    form_oid = "F.AE"
    title = _("Adverse event")
    repeating = True
    caption = "term"

    term = item(models.CharField(_("Event"), max_length=200), oid="I.AE.TERM", sdtm="AE.AETERM")
    description = item(models.TextField(_("Course and treatment")), oid="I.AE.DESC", required=False)
    started_on = item(
        PartialDateField(_("Start")), oid="I.AE.AESTDAT", sdtm="AE.AESTDTC", observed=True
    )
    started_time = item(
        models.TimeField(_("Time of the start")),
        oid="I.AE.AESTTIM",
        sdtm="AE.AESTDTC",
        required=False,
        help=_("On the day of a session, the clock at the site."),
    )
    ongoing = item(models.BooleanField(_("Ongoing")), oid="I.AE.AEONGO", sdtm="AE.AEENRF")
    ended_on = item(
        PartialDateField(_("End")),
        oid="I.AE.AEENDAT",
        sdtm="AE.AEENDTC",
        required=False,
        observed=True,
    )
    ended_time = item(
        models.TimeField(_("Time of the end")),
        oid="I.AE.AEENTIM",
        sdtm="AE.AEENDTC",
        required=False,
    )

    grade = item(
        models.SmallIntegerField(_("Grade (CTCAE 5.0)"), choices=Grade),
        oid="I.AE.AETOXGR",
        sdtm="AE.AETOXGR",
    )
    serious = item(models.BooleanField(_("Serious")), oid="I.AE.AESER", sdtm="AE.AESER")
    results_in_death = _criterion(_("Results in death"), "AESDTH")
    life_threatening = _criterion(_("Life-threatening"), "AESLIFE")
    hospitalisation = _criterion(_("Hospital stay required or prolonged"), "AESHOSP")
    disability = _criterion(_("Lasting disability"), "AESDISAB")
    congenital = _criterion(_("Congenital anomaly"), "AESCONG")
    other_important = _criterion(_("Otherwise medically important"), "AESMIE")
    prevented = _criterion(_("Intervention to prevent lasting harm (device law)"), "AESINTV")

    related_cells = _cause(_("Related to the cells"), "AERELCEL")
    related_circuit = _cause(_("Related to the circuit or device"), "AERELDEV")
    related_anticoagulant = _cause(_("Related to the anticoagulant"), "AERELAC")
    related_disease = _cause(_("Related to the underlying disease"), "AERELNST")

    action = item(
        models.CharField(_("Action with the study treatment"), max_length=20, choices=Action),
        oid="I.AE.AEACN",
        sdtm="AE.AEACN",
    )
    outcome = item(
        models.CharField(pgettext_lazy("adverse event", "Outcome"), max_length=40, choices=Outcome),
        oid="I.AE.AEOUT",
        sdtm="AE.AEOUT",
    )

    sections = (
        Section(title=_("Event"), items=("term", "description")),
        Section(
            title=_("Time"),
            items=("started_on", "started_time", "ongoing", "ended_on", "ended_time"),
        ),
        Section(title=_("Severity"), items=("grade", "serious", *CRITERIA)),
        Section(
            title=pgettext_lazy("adverse event", "Cause"),
            items=("related_cells", "related_circuit", "related_anticoagulant", "related_disease"),
        ),
        Section(title=_("Consequence"), items=("action", "outcome")),
    )

    edit_checks = (
        EditCheck(
            oid="AE.FATAL_GRADE",
            holds=Q(grade=Grade.DEATH, outcome=Outcome.FATAL)
            | Q(grade__lt=Grade.DEATH, outcome__in=_NOT_FATAL),
            message=_("Grade 5 and the outcome “fatal” go together."),
            item="outcome",
        ),
        EditCheck(
            oid="AE.FATAL_CRITERION",
            holds=Q(outcome__in=_NOT_FATAL) | _yes("results_in_death"),
            message=_("A fatal event results in death. Please tick the criterion."),
            item="results_in_death",
        ),
        EditCheck(
            oid="AE.DEATH_FORM",
            holds=Q(outcome__in=_NOT_FATAL) | death_recorded(),
            message=_("A fatal event. Please record the death of the participant."),
            item="outcome",
        ),
        EditCheck(
            oid="AE.CRITERION",
            holds=Q(serious=False) | _ANY_CRITERION,
            message=_("A serious event meets one criterion at least. Which?"),
            item="serious",
        ),
        EditCheck(
            oid="AE.SERIOUS",
            holds=Q(serious=True) | _NO_CRITERION,
            message=_("A criterion of seriousness is met, and the event is not serious?"),
            item="serious",
        ),
        EditCheck(
            oid="AE.GRADE_4",
            holds=Q(grade__lt=Grade.LIFE_THREATENING)
            | Q(grade=Grade.DEATH)
            | _yes("life_threatening"),
            message=_("Grade 4, and not life-threatening? Please confirm."),
            item="life_threatening",
        ),
        EditCheck(
            oid="AE.END",
            holds=Q(ongoing=True) | Q(ended_on__isnull=False) | Q(missing__has_key="ended_on"),
            message=_("It is not ongoing. Please give its end."),
            item="ended_on",
        ),
        EditCheck(
            oid="AE.ONGOING",
            holds=Q(ongoing=False) | ~Q(outcome__in=_OVER),
            message=_("The outcome says that it is over, and it is ongoing?"),
            item="ongoing",
        ),
        EditCheck(
            oid="AE.BEFORE_CONSENT",
            holds=~before_first_consent("started_on"),
            message=_("It began before the first consent: is it medical history?"),
            item="started_on",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(grade__in=Grade.values),
                name="adverse_event_grade_known",
                violation_error_message=_("The grade is 1 to 5."),
            ),
            models.CheckConstraint(
                condition=not_before("ended_on", "started_on"),
                name="adverse_event_ends_after_start",
                violation_error_message=_("The end cannot lie before the start."),
            ),
            models.CheckConstraint(
                condition=Q(ended_on__gt=F("started_on"))
                | Q(ended_time=None)
                | Q(started_time=None)
                | Q(ended_time__gte=F("started_time")),
                name="adverse_event_ends_after_start_on_the_day",
                violation_error_message=_("The end cannot lie before the start."),
            ),
            models.CheckConstraint(
                condition=Q(ongoing=False) | Q(ongoing=None) | Q(ended_on=None),
                name="adverse_event_ongoing_has_no_end",
                violation_error_message=_("What is ongoing has no end yet."),
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{when}_time": None})
                    | Q(Exact(Length(f"{when}_on"), 10), **{f"{when}_on__isnull": False}),
                    name=f"adverse_event_{when}_time_has_its_day",
                    violation_error_message=_("A time needs its full date."),
                )
                for when in ("started", "ended")
            ),
        ]


@guarded(site="site_id", subject="subject_id", record="record_id")
class AdverseEventOrigin(models.Model):
    """Where an adverse event comes from: the session, and the complication it was made of.

    The event is the investigator's, the complication stays as it was seen at the bedside;
    one complication has one standing event however often the button is pressed.
    """

    record = models.OneToOneField(
        CrfRecord, models.PROTECT, primary_key=True, related_name="adverse_event_origin"
    )
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    session = models.ForeignKey(
        TreatmentSession, models.PROTECT, null=True, blank=True, related_name="adverse_events"
    )
    complication = models.ForeignKey(
        Complication, models.PROTECT, null=True, blank=True, related_name="adverse_events"
    )
    #: When the event's record was voided; another may then be made of the complication.
    ended_at = models.DateTimeField(_("Ended"), null=True, blank=True)

    objects = SiteScopedQuerySet["AdverseEventOrigin"].as_manager()

    class Meta:
        verbose_name = _("origin of an adverse event")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["complication"],
                condition=Q(ended_at=None),
                name="adverse_event_once_of_a_complication",
            ),
        ]

    def __str__(self) -> str:
        return str(self.record)
