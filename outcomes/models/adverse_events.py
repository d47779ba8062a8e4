"""Adverse events: one record for each, from the first consent to the end of the study."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from outcomes.models.codes import (
    RELATED,
    Action,
    Causality,
    DeviceAction,
    Expectedness,
    Grade,
    Outcome,
    Pattern,
    SpecialInterest,
)
from outcomes.models.event_checks import CAUSES, CRITERIA, EVENT_CHECKS
from trialsite.core.partial_dates import PartialDateField, not_before
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, Section
from trialsite.crf.registry import register


def _criterion(
    label: Any, code: str, help_text: Any = ""
) -> models.BooleanField[bool | None, bool | None]:
    return item(
        models.BooleanField(label),
        oid=f"I.AE.{code}",
        sdtm=f"AE.{code}",
        required=False,
        help=help_text,
    )


def _cause(label: Any, code: str) -> models.CharField[str | None, str | None]:
    column: models.CharField[str | None, str | None] = models.CharField(
        label, max_length=20, choices=Causality
    )
    return item(column, oid=f"I.AE.{code}", sdtm=f"SUPPAE.{code}")


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

    term = item(
        models.CharField(_("Event"), max_length=200),
        oid="I.AE.TERM",
        sdtm="AE.AETERM",
        dictionary="MedDRA",
    )
    description = item(models.TextField(_("Course and treatment")), oid="I.AE.DESC", required=False)
    special_interest = item(
        models.CharField(_("Event of special interest"), max_length=12, choices=SpecialInterest),
        oid="I.AE.AESI",
        sdtm="SUPPAE.AESI",
    )
    pattern = item(
        models.CharField(_("Pattern"), max_length=12, choices=Pattern),
        oid="I.AE.AEPATT",
        sdtm="AE.AEPATT",
        required=False,
    )
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
        PartialDateField(pgettext_lazy("event", "End")),
        oid="I.AE.AEENDAT",
        sdtm="AE.AEENDTC",
        required=False,
        observed=True,
        # What ends with the death proves no life on that day.
        observed_unless=("outcome", Outcome.FATAL.value),
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
        help=_("The worst it reached; how it changed stands in the rows below."),
    )
    serious = item(models.BooleanField(_("Serious")), oid="I.AE.AESER", sdtm="AE.AESER")
    results_in_death = _criterion(_("Results in death"), "AESDTH")
    life_threatening = _criterion(_("Life-threatening"), "AESLIFE")
    hospitalisation = _criterion(
        _("Requires or prolongs hospitalisation"),
        "AESHOSP",
        _(
            "In hospital already: when the event makes the stay longer. After discharge: when it"
            " leads to a new stay."
        ),
    )
    disability = _criterion(_("Lasting disability"), "AESDISAB")
    congenital = _criterion(_("Congenital anomaly"), "AESCONG")
    other_important = _criterion(_("Otherwise medically important"), "AESMIE")
    prevented = _criterion(_("Intervention to prevent lasting harm (device law)"), "AESINTV")

    aware_at = item(
        WallTimeField(_("The site first knew of it")),
        oid="I.AE.SAEAWAR",
        required=False,
        past=True,
        help=_("Serious events: the reports are due from this moment, day and clock."),
    )
    expectedness = item(
        models.CharField(
            _("By the reference safety information"), max_length=12, choices=Expectedness
        ),
        oid="I.AE.AEEXP",
        sdtm="SUPPAE.AEEXP",
        required=False,
        help=_("Serious events: whether it is described there, in kind and in severity."),
    )

    related_cells = _cause(_("Related to the cells"), "AERELCEL")
    related_circuit = _cause(_("Related to the circuit or device"), "AERELDEV")
    related_anticoagulant = _cause(_("Related to the anticoagulant"), "AERELAC")
    related_procedure = _cause(_("Related to the catheter or another procedure"), "AERELPRC")
    related_disease = _cause(_("Related to the underlying disease"), "AERELNST")

    action = item(
        models.CharField(_("Action with the cells"), max_length=20, choices=Action),
        oid="I.AE.AEACN",
        sdtm="AE.AEACN",
    )
    action_device = item(
        models.CharField(
            _("Action with the circuit or device"), max_length=20, choices=DeviceAction
        ),
        oid="I.AE.AEACNDEV",
        sdtm="AE.AEACNDEV",
    )
    treated = item(
        models.BooleanField(_("Treated with a medicine")),
        oid="I.AE.AECONTRT",
        sdtm="AE.AECONTRT",
        required=False,
        help=_("Then name it below by its number in the list of concomitant medication."),
    )
    action_other = item(
        models.CharField(_("Other action"), max_length=200),
        oid="I.AE.AEACNOTH",
        sdtm="AE.AEACNOTH",
        required=False,
    )
    outcome = item(
        models.CharField(pgettext_lazy("adverse event", "Outcome"), max_length=40, choices=Outcome),
        oid="I.AE.AEOUT",
        sdtm="AE.AEOUT",
    )

    sections = (
        Section(title=_("Event"), items=("term", "description", "special_interest", "pattern")),
        Section(
            title=_("Time"),
            items=("started_on", "started_time", "ongoing", "ended_on", "ended_time"),
        ),
        Section(
            title=_("Severity"),
            items=("grade", "serious", *CRITERIA, "aware_at", "expectedness"),
        ),
        Section(
            title=pgettext_lazy("adverse event", "Cause"),
            items=(*CAUSES, "related_procedure", "related_disease"),
        ),
        Section(
            title=_("Consequence"),
            items=("action", "action_device", "treated", "action_other", "outcome"),
        ),
    )

    edit_checks = EVENT_CHECKS

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

    @property
    def is_sae(self) -> bool:
        """Serious, as the investigator says; what is not yet judged is not."""
        return bool(self.serious)

    @property
    def is_related(self) -> bool:
        """Possibly or more due to the cells, the circuit or the anticoagulant (ICH E2A).

        What cannot be assessed counts as related; what nobody has judged yet does not.
        """
        return any(getattr(self, name) in RELATED for name in CAUSES)

    @property
    def is_suspected_unexpected(self) -> bool:
        """Serious, related and not described in the reference safety information (SUSAR)."""
        return self.is_sae and self.is_related and self.expectedness == Expectedness.UNEXPECTED

    @property
    def judged_grade(self) -> int:
        """The grade that the event's own page tells: the one given, or what it implies.

        A death is of grade 5 and a threat to life of grade 4 at least (CTCAE 5.0), also where
        the grade is not entered yet or is lower: a rule does not wait for the query. 0 where
        nothing tells. Safety rules look at its rows of grades too (`selectors.safety`).
        """
        if self.outcome == Outcome.FATAL or self.results_in_death:
            return Grade.DEATH
        least = Grade.LIFE_THREATENING if self.life_threatening else 0
        return max(self.grade or 0, least)
