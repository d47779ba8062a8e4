"""What is asked about an adverse event: soft rules between its items and with the rest."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from outcomes.models.codes import Grade, Outcome
from outcomes.models.conditions import before_first_consent, death_recorded
from trialsite.crf.models import EditCheck

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

#: The causes that are the study's own: related to one of them is related to the treatment.
CAUSES = ("related_cells", "related_circuit", "related_anticoagulant")


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
