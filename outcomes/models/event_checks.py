"""What is asked about an adverse event: soft rules between its items and with the rest."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from outcomes.models.codes import Grade, Outcome
from outcomes.models.conditions import before_first_consent, death_recorded
from outcomes.models.event_conditions import (
    dies_when_it_ends,
    graded_from_the_start,
    known_no_earlier,
    medicine_named,
    on_session_day,
    worst_is_the_grade,
)
from trialsite.crf.models import EditCheck

#: The criteria of seriousness (ICH E2A), and the one that device law adds.
CRITERIA = (
    "results_in_death",
    "life_threatening",
    "hospitalisation",
    "disability",
    "congenital",
    "other_important",
    "prevented",
)

#: The causes that are the study's own: related to one of them is related to the treatment.
CAUSES = ("related_cells", "related_circuit", "related_anticoagulant")


def _yes(name: str) -> Q:
    """Said to be so; what is not yet said is not."""
    return Q(**{f"{name}__isnull": False, name: True})


def _said(name: str) -> Q:
    """There is a value, or the reason why there is none."""
    return Q(**{f"{name}__isnull": False}) | Q(missing__has_key=name)


def _not_said(name: str) -> Q:
    return Q(**{f"{name}__isnull": True}) | Q(**{name: False})


_ANY_CRITERION = Q()
_NO_CRITERION = Q()
for _name in CRITERIA:
    _ANY_CRITERION |= _yes(_name)
    _NO_CRITERION &= _not_said(_name)

_NOT_FATAL = [each for each in Outcome if each is not Outcome.FATAL]
_OVER = (Outcome.RECOVERED, Outcome.SEQUELAE, Outcome.FATAL)

EVENT_CHECKS = (
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
        holds=Q(grade__lt=Grade.LIFE_THREATENING) | Q(grade=Grade.DEATH) | _yes("life_threatening"),
        message=_("Grade 4, and not life-threatening? Please confirm."),
        item="life_threatening",
    ),
    EditCheck(
        oid="AE.END",
        holds=Q(ongoing=True) | _said("ended_on"),
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
    EditCheck(
        oid="AE.ONSET_TIME",
        holds=_said("started_time") | ~on_session_day("started_on"),
        message=_(
            "A session ran on this day: only the time of the onset tells whether the event "
            "began under treatment."
        ),
        item="started_time",
    ),
    EditCheck(
        oid="AE.DEATH_CRITERION",
        holds=Q(outcome=Outcome.FATAL) | _not_said("results_in_death"),
        message=_("It results in death: then its outcome is “fatal”, its grade 5."),
        item="outcome",
    ),
    EditCheck(
        oid="AE.DEATH_DATE",
        holds=Q(outcome__in=_NOT_FATAL) | dies_when_it_ends("ended_on"),
        message=_("A fatal event ends with the death. The casebook has another date of death."),
        item="ended_on",
    ),
    EditCheck(
        oid="AE.HOSPITAL",
        holds=_not_said("hospitalisation") | _said("description"),
        message=_(
            "Participants are in hospital already. How did this event make the stay longer? "
            "Please say it in the course."
        ),
        item="description",
    ),
    EditCheck(
        oid="AE.AWARE",
        holds=Q(serious=False) | _said("aware_at"),
        message=_("A serious event: the day and time at which the site first knew of it?"),
        item="aware_at",
    ),
    # A question and no refusal: the clock of the reports starts here, and must not wait until
    # somebody has found out which of the two is the slip.
    EditCheck(
        oid="AE.AWARE_BEFORE",
        holds=known_no_earlier("aware_at", "started_on", "started_time"),
        message=_("Known before it began? Which of the two times is wrong?"),
        item="aware_at",
    ),
    EditCheck(
        oid="AE.EXPECTED_SAID",
        holds=Q(serious=False) | _said("expectedness"),
        message=_("A serious event: does the reference safety information describe it?"),
        item="expectedness",
    ),
    EditCheck(
        oid="AE.TREATED",
        holds=Q(treated=False) | Q(treated=None) | medicine_named(),
        message=_("It was treated with a medicine. Which? Please name its number below."),
        item="treated",
    ),
    EditCheck(
        oid="AE.NOT_TREATED",
        holds=Q(treated=True) | ~medicine_named(),
        message=_("A medicine is named that was given for it. Was it treated with a medicine?"),
        item="treated",
    ),
    EditCheck(
        oid="AE.GRADE_WORST",
        holds=worst_is_the_grade(),
        message=_("The grade is the worst it reached, and the rows of grades say another."),
        item="grade",
    ),
    EditCheck(
        oid="AE.GRADE_FIRST",
        holds=graded_from_the_start(),
        message=_("The first row of grades is that of the onset."),
        item="started_on",
    ),
)
