"""What the forms of outcomes let one choose from."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

#: The version of the grading that the forms name.
CTCAE_VERSION = "5.0"


class Grade(models.IntegerChoices):
    """CTCAE severity."""

    MILD = 1, _("1 mild")
    MODERATE = 2, _("2 moderate")
    SEVERE = 3, _("3 severe")
    LIFE_THREATENING = 4, _("4 life-threatening")
    DEATH = 5, _("5 death")


class Causality(models.TextChoices):
    """The investigator's judgement of one possible cause (clinical C12)."""

    UNRELATED = "NOT RELATED", _("Not related")
    UNLIKELY = "UNLIKELY", _("Unlikely")
    POSSIBLE = "POSSIBLE", _("Possible")
    PROBABLE = "PROBABLE", _("Probable")
    DEFINITE = "DEFINITE", _("Definite")
    NOT_ASSESSABLE = "NOT ASSESSABLE", _("Not assessable")


#: What counts as related: whatever has not been judged unrelated or unlikely (ICH E2A).
RELATED = (
    Causality.POSSIBLE,
    Causality.PROBABLE,
    Causality.DEFINITE,
    Causality.NOT_ASSESSABLE,
)


class Action(models.TextChoices):
    """What became of the treatment with the cells (CDISC C66767)."""

    NONE = "DOSE NOT CHANGED", _("Treatment not changed")
    REDUCED = "DOSE REDUCED", _("Flow or duration reduced")
    INTERRUPTED = "DRUG INTERRUPTED", _("Treatment interrupted")
    WITHDRAWN = "DRUG WITHDRAWN", _("Treatment stopped for good")
    NOT_APPLICABLE = "NOT APPLICABLE", _("Not applicable")
    UNKNOWN = "UNKNOWN", pgettext_lazy("action", "Unknown")


class DeviceAction(models.TextChoices):
    """What was done with the circuit or device."""

    NONE = "NONE", pgettext_lazy("device action", "None")
    ADJUSTED = "ADJUSTED", _("Settings adjusted")
    INTERRUPTED = "INTERRUPTED", _("Circuit stood still for a time")
    REPLACED = "REPLACED", _("Part or circuit replaced")
    ENDED = "ENDED", _("Session ended early")
    NOT_APPLICABLE = "NOT APPLICABLE", _("Not applicable")


class Pattern(models.TextChoices):
    """How an event ran."""

    SINGLE = "SINGLE", _("Once")
    INTERMITTENT = "INTERMITTENT", _("Came and went")
    CONTINUOUS = "CONTINUOUS", _("Without interruption")


class Expectedness(models.TextChoices):
    """Whether the reference safety information describes such an event (ICH E2A II.C)."""

    EXPECTED = "EXPECTED", _("Expected")
    UNEXPECTED = "UNEXPECTED", _("Unexpected")
    NOT_ASSESSED = "NOT_ASSESSED", _("Not assessed yet")


class SpecialInterest(models.TextChoices):
    """The kinds of event that this treatment is watched for (clinical C12); one of an event.

    What is two of them, an infected catheter with a thrombus, is two events.
    """

    NONE = "NONE", pgettext_lazy("special interest", "None of these")
    BLEEDING = "BLEEDING", _("Bleeding")
    LEAK = "LEAK", _("Leak of cells or of the circuit")
    EMBOLISM = "EMBOLISM", _("Embolism")
    ANAPHYLAXIS = "ANAPHYLAXIS", _("Anaphylaxis")
    INFECTION = "INFECTION", pgettext_lazy("special interest", "Infection")
    THROMBOSIS = "THROMBOSIS", _("Thrombosis")
    TUMOUR = "TUMOUR", _("Tumour")


class Outcome(models.TextChoices):
    """How an adverse event went on (CDISC C66768)."""

    RECOVERED = "RECOVERED/RESOLVED", _("Recovered")
    RECOVERING = "RECOVERING/RESOLVING", _("Recovering")
    NOT_RECOVERED = "NOT RECOVERED/NOT RESOLVED", _("Not recovered")
    SEQUELAE = "RECOVERED/RESOLVED WITH SEQUELAE", _("Recovered with sequelae")
    FATAL = "FATAL", _("Fatal")
    UNKNOWN = "UNKNOWN", pgettext_lazy("outcome", "Unknown")


class DeathCause(models.TextChoices):
    """The primary cause of a death (clinical C16)."""

    LIVER_FAILURE = "LIVER FAILURE", _("Liver failure")
    INFECTION = "INFECTION", _("Infection or sepsis")
    BLEEDING = "BLEEDING", _("Bleeding")
    CEREBRAL_OEDEMA = "CEREBRAL OEDEMA", _("Cerebral oedema")
    MULTI_ORGAN = "MULTI-ORGAN FAILURE", _("Multi-organ failure")
    PROCEDURE = "PROCEDURE", _("Procedure")
    OTHER = "OTHER", pgettext_lazy("cause of death", "Other")


class DeathSource(models.TextChoices):
    """Where the knowledge of a death comes from."""

    WITNESSED = "WITNESSED", _("Seen by the site")
    HOSPITAL = "HOSPITAL", _("Hospital record")
    CERTIFICATE = "CERTIFICATE", _("Death certificate")
    FAMILY = "FAMILY", _("Family")
    REGISTRY = "REGISTRY", _("Registry")
    OTHER = "OTHER", pgettext_lazy("source", "Other")
