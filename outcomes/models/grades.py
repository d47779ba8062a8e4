"""How the grade of an adverse event changed: a row for each grade it had, from when on."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from outcomes.models.adverse_events import AdverseEvent
from outcomes.models.codes import Grade
from outcomes.models.event_conditions import not_worse_than_event, within_event
from trialsite.core.partial_dates import PartialDateField
from trialsite.crf.items import item
from trialsite.crf.models import CrfRow, EditCheck
from trialsite.crf.registry import register_rows


@register_rows
class AdverseEventGrade(CrfRow):
    """The grade an adverse event had from a moment on (FAAE): the first at its onset."""

    form_oid = AdverseEvent.form_oid
    group_oid = "G.AEG"
    title = _("Changes of the grade")

    changed_on = item(PartialDateField(_("From")), oid="I.AEG.DTC", sdtm="FA.FADTC", observed=True)
    changed_time = item(
        models.TimeField(_("Time")),
        oid="I.AEG.TIM",
        sdtm="FA.FADTC",
        required=False,
        help=_("On the day of a session, the clock at the site."),
    )
    grade = item(
        models.SmallIntegerField(_("Grade (CTCAE 5.0)"), choices=Grade),
        oid="I.AEG.TOXGR",
        sdtm="FA.FAORRES",
    )
    comment = item(
        models.CharField(_("Comment"), max_length=300), oid="I.AEG.COMMENT", required=False
    )

    edit_checks = (
        EditCheck(
            oid="AEG.WORST",
            holds=not_worse_than_event("grade"),
            message=_("Worse than the grade of the event, which is the worst it reached."),
            item="grade",
        ),
        EditCheck(
            oid="AEG.WITHIN",
            holds=within_event("changed_on", "changed_time"),
            message=_("Outside the time of the event: before its start or after its end."),
            item="changed_on",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(grade__in=Grade.values),
                name="event_grade_known",
                violation_error_message=_("The grade is 1 to 5."),
            ),
            models.CheckConstraint(
                condition=Q(changed_time=None)
                | Q(Exact(Length("changed_on"), 10), changed_on__isnull=False),
                name="event_grade_time_has_its_day",
                violation_error_message=_("A time needs its full date."),
            ),
        ]
