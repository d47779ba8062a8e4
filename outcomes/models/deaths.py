"""The death of a participant: the end of the schedule, and the first outcome of the study."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from outcomes.models.adverse_events import AdverseEvent
from outcomes.models.codes import Causality, DeathCause, DeathSource, Outcome
from outcomes.models.conditions import has_record_of, seen_after
from outcomes.models.follow_up_conditions import seen_later_that_day
from trialsite.core.partial_dates import PartialDateField
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, EditCheck, Section
from trialsite.crf.registry import register

FORM_OID = "F.DTH"


def _cause(label: Any, code: str) -> models.CharField[str | None, str | None]:
    column: models.CharField[str | None, str | None] = models.CharField(
        label, max_length=20, choices=Causality
    )
    return item(column, oid=f"I.DTH.{code}", sdtm="DD.DDORRES")


@register
class Death(CrfData):
    """A participant's death (SDTM DM.DTHDTC, DD), once for a subject.

    Its date is the casebook's date of death as soon as it is saved, and the schedule ends
    with it. An observation entered before and dated after it is kept, and asked about: which
    of the two is wrong only the site knows, and neither may be lost (decisions C1, C10).
    """

    form_oid = FORM_OID
    title = _("Death")

    died_on = item(
        PartialDateField(_("Date of death")), oid="I.DTH.DTHDAT", sdtm="DM.DTHDTC", past=True
    )
    died_time = item(
        models.TimeField(_("Time of death")),
        oid="I.DTH.DTHTIM",
        sdtm="DM.DTHDTC",
        required=False,
        help=_("On the day of a session, the clock at the site."),
    )
    cause = item(
        models.CharField(_("Primary cause"), max_length=20, choices=DeathCause),
        oid="I.DTH.PRCDTH",
        sdtm="DD.DDORRES",
    )
    cause_in_words = item(
        models.CharField(_("Cause in words"), max_length=300),
        oid="I.DTH.PRCDTHSP",
        dictionary="MedDRA",
        sdtm="DD.DDORRES",
        required=False,
    )
    related_cells = _cause(_("Related to the cells"), "RELCEL")
    related_circuit = _cause(_("Related to the circuit or device"), "RELDEV")
    related_anticoagulant = _cause(_("Related to the anticoagulant"), "RELAC")
    autopsy = item(models.BooleanField(_("Autopsy")), oid="I.DTH.AUTOPSY", sdtm="DD.DDORRES")
    autopsy_findings = item(
        models.TextField(_("Findings of the autopsy")), oid="I.DTH.AUTFIND", required=False
    )
    source = item(
        models.CharField(_("Source"), max_length=15, choices=DeathSource), oid="I.DTH.SOURCE"
    )
    document = item(
        models.CharField(_("Source document"), max_length=200),
        oid="I.DTH.DOC",
        required=False,
    )

    sections = (
        Section(title=_("Death"), items=("died_on", "died_time")),
        Section(
            title=_("Cause"),
            items=(
                "cause",
                "cause_in_words",
                "related_cells",
                "related_circuit",
                "related_anticoagulant",
            ),
        ),
        Section(title=_("Autopsy"), items=("autopsy", "autopsy_findings")),
        Section(title=_("Source"), items=("source", "document")),
    )

    edit_checks = (
        EditCheck(
            oid="DTH.SEEN_LATER",
            holds=~seen_after("died_on"),
            message=_(
                "The casebook has an observation of the participant dated after the death. "
                "Which of the two dates is wrong?"
            ),
            item="died_on",
        ),
        EditCheck(
            oid="DTH.SEEN_LATER_THAT_DAY",
            holds=~seen_later_that_day("died_on", "died_time"),
            message=_(
                "The casebook has an observation of the participant on that day, later than the "
                "death. Which of the two times is wrong?"
            ),
            item="died_time",
        ),
        EditCheck(
            oid="DTH.CAUSE_SAID",
            holds=~Q(cause=DeathCause.OTHER) | Q(cause_in_words__isnull=False),
            message=_("Another cause: say which."),
            item="cause_in_words",
        ),
        EditCheck(
            oid="DTH.FATAL_EVENT",
            holds=has_record_of(AdverseEvent, outcome=Outcome.FATAL),
            message=_("Which adverse event was fatal? Its outcome is “fatal”, its grade 5."),
            item="cause",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(died_time=None)
                | Q(Exact(Length("died_on"), 10), died_on__isnull=False),
                name="death_time_has_its_day",
                violation_error_message=_("A time needs its full date."),
            ),
        ]
