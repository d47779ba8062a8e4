"""The codelists of laboratory data; codes never change with the language."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from trialsite.core.slots import declare

#: The form that heads the record of one draw.
FORM_OID = "F.LB"

#: What apps above offer on a result: its adverse event (decisions H1). It stands within the
#: form of the panel: no form of its own may be in it.
RESULT_ACTIONS = declare("labs.result.actions")


def item_oid(analyte: str) -> str:
    """Under which item OID queries speak of an analyte."""
    return f"I.LB.{analyte}"


class Sex(models.TextChoices):
    """For whom a reference range holds."""

    MALE = "M", _("Men")
    FEMALE = "F", _("Women")
    ALL = "ALL", _("Everybody")


class CreatinineMethod(models.TextChoices):
    """Bilirubin disturbs the Jaffe reaction, so the method belongs to the result."""

    UNKNOWN = "", _("Not stated")
    ENZYMATIC = "ENZYMATIC", _("Enzymatic")
    JAFFE = "JAFFE", _("Jaffe")


class Specimen(models.TextChoices):
    """CDISC SPECTYPE, as far as panels are drawn."""

    BLOOD = "BLOOD", _("Venous blood")
    ARTERIAL = "ARTERIAL BLOOD", _("Arterial blood")
    SERUM = "SERUM", _("Serum")
    PLASMA = "PLASMA", _("Plasma")


class Timepoint(models.TextChoices):
    """Where a draw stands beside a treatment."""

    NONE = "", _("Not beside a treatment")
    PRE = "PRE", _("Before the treatment")
    POST = "POST", _("After the treatment")


class Significance(models.TextChoices):
    """The investigator's judgement of a result outside its range (LBCLSIG)."""

    NCS = "NCS", _("Not clinically significant")
    NCS_DISEASE = "NCS_DISEASE", _("Not clinically significant, disease under study")
    CS = "CS", _("Clinically significant")


class ResultFlag(models.TextChoices):
    """Where a result lies in the range of its laboratory (LBNRIND)."""

    LOW = "low", _("Low")
    NORMAL = "normal", _("Normal")
    HIGH = "high", _("High")
    UNKNOWN = "unknown", _("Not judged")


class PurificationKind(models.TextChoices):
    """What was done to the blood; each of them alters what is measured after it."""

    REACTOR = "REACTOR", _("Cell reactor")
    PE = "PE", _("Plasma exchange")
    DPMAS = "DPMAS", _("Double plasma molecular adsorption")
    ADSORPTION = "ADSORPTION", _("Plasma adsorption")
    FILTRATION = "FILTRATION", _("Plasma filtration")
    CRRT = "CRRT", _("Continuous renal replacement")
    OTHER = "OTHER", _("Other blood purification")


class PurificationSource(models.TextChoices):
    """Who knows of it: the history before the trial's treatment, or a session of the trial."""

    EARLIER = "earlier", _("Earlier treatment")
    SESSION = "session", _("Session of the study")
