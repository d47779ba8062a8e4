"""The codelists of treatment sessions; codes never change with the language."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Modality(models.TextChoices):
    """What a session was made of; several may be combined."""

    REACTOR = "REACTOR", _("MSC reactor")
    PE = "PE", _("Plasma exchange")
    DPMAS = "DPMAS", _("Double plasma molecular adsorption")
    DPMAS_PE = "DPMAS_PE", _("DPMAS with half-dose plasma exchange")
    ADSORPTION = "ADSORPTION", _("Plasma adsorption")
    FILTRATION = "FILTRATION", _("Plasma filtration")
    CRRT = "CRRT", _("Continuous renal replacement")
    OTHER = "OTHER", pgettext_lazy("modality", "Other")


class StopReason(models.TextChoices):
    """Why a session ended."""

    COMPLETED = "COMPLETED", _("Completed as prescribed")
    CLOTTING = "CLOTTING", _("Clotting of the circuit")
    ACCESS = "ACCESS", pgettext_lazy("stop reason", "Vascular access")
    HYPOTENSION = "HYPOTENSION", _("Hypotension")
    ALLERGIC = "ALLERGIC", _("Allergic reaction")
    BLEEDING = "BLEEDING", _("Bleeding")
    ALARM = "ALARM", _("Device alarm")
    LEAK = "LEAK", _("Leak of cells or blood")
    HE = "HE", _("Encephalopathy worse")
    ARREST = "ARREST", _("Cardiac arrest or death")
    REQUEST = "REQUEST", _("Request of the participant")
    OTHER = "OTHER", pgettext_lazy("stop reason", "Other")


class State(models.TextChoices):
    """Where a session stands; it follows from its times."""

    PREPARED = "prepared", pgettext_lazy("session", "Prepared")
    RUNNING = "running", pgettext_lazy("session", "Running")
    ENDED = "ended", pgettext_lazy("session", "Ended")
    VOIDED = "voided", pgettext_lazy("session", "Voided")


class PlasmaColour(models.IntegerChoices):
    """What the separated plasma looks like."""

    CLEAR = 0, _("0 – clear")
    PINK = 1, _("1 – pink")
    RED = 2, _("2 – red, haemolysis")


class InterruptionReason(models.TextChoices):
    """Why the circuit stood still."""

    ALARM = "ALARM", _("Device alarm")
    ACCESS = "ACCESS", pgettext_lazy("stop reason", "Vascular access")
    CLOTTING = "CLOTTING", _("Clotting of the circuit")
    HYPOTENSION = "HYPOTENSION", _("Hypotension")
    PROCEDURE = "PROCEDURE", _("Other procedure or examination")
    CARE = "CARE", _("Nursing care")
    BAG = "BAG", _("Change of bag or filter")
    OTHER = "OTHER", pgettext_lazy("interruption", "Other")


class ComplicationCode(models.TextChoices):
    """What can go wrong in a session (clinical 1d)."""

    BLEED_ACCESS = "BLEED_ACCESS", _("Bleeding at the access")
    BLEED_GI = "BLEED_GI", _("Gastrointestinal bleeding")
    BLEED_MUCOSAL = "BLEED_MUCOSAL", _("Mucosal bleeding")
    BLEED_CRANIAL = "BLEED_CRANIAL", _("Intracranial bleeding")
    HYPOTENSION = "HYPOTENSION", _("Hypotension")
    ALLERGY = "ALLERGY", _("Allergic reaction or urticaria")
    ANAPHYLAXIS = "ANAPHYLAXIS", _("Anaphylaxis")
    PLASMA = "PLASMA", _("Plasma reaction (TRALI, TACO)")
    HYPOCALCAEMIA = "HYPOCALCAEMIA", _("Hypocalcaemia or citrate toxicity")
    ALKALOSIS = "ALKALOSIS", _("Alkalosis")
    LINE_INFECTION = "LINE_INFECTION", _("Catheter infection")
    LINE_THROMBOSIS = "LINE_THROMBOSIS", _("Catheter thrombosis")
    HAEMOLYSIS = "HAEMOLYSIS", _("Haemolysis")
    THROMBOCYTOPENIA = "THROMBOCYTOPENIA", _("Thrombocytopenia")
    CLOT = "CLOT", _("Clotting of the circuit")
    AIR = "AIR", _("Air embolism")
    LEAK = "LEAK", _("Membrane rupture or leak")
    DISEQUILIBRIUM = "DISEQUILIBRIUM", _("Disequilibrium")
    HYPOTHERMIA = "HYPOTHERMIA", _("Hypothermia")
    HE = "HE", _("Encephalopathy worse")
    ARRHYTHMIA = "ARRHYTHMIA", _("Arrhythmia")
    ARREST = "ARREST", _("Cardiac arrest")
    DEVICE = "DEVICE", _("Device malfunction without harm")
    OTHER = "OTHER", pgettext_lazy("complication", "Other")


class ComplicationSeverity(models.TextChoices):
    """CDISC C66769."""

    MILD = "MILD", pgettext_lazy("severity", "Mild")
    MODERATE = "MODERATE", pgettext_lazy("severity", "Moderate")
    SEVERE = "SEVERE", pgettext_lazy("severity", "Severe")


class TestStage(models.TextChoices):
    BEFORE = "BEFORE", _("Before use")
    DURING = "DURING", _("During the session")
    AFTER = "AFTER", _("After use")


class TestMethod(models.TextChoices):
    """How the barrier between cells and blood was tested."""

    PRESSURE_HOLD = "PRESSURE_HOLD", _("Pressure hold")
    BUBBLE_POINT = "BUBBLE_POINT", _("Bubble point")
    RETURN_COUNT = "RETURN_COUNT", _("Cell count in the return line")
    POST_USE = "POST_USE", _("Integrity after use")


class TestVerdict(models.TextChoices):
    PASS = "PASS", _("Passed")
    FAIL = "FAIL", _("Failed")


class TestUnit(models.TextChoices):
    """UCUM units of what an integrity test measures."""

    KPA_MIN = "kPa/min", "kPa/min"
    KPA = "kPa", "kPa"
    MMHG = "mm[Hg]", "mmHg"
    CELLS = "10*3/mL", "10³/mL"


class AccessType(models.TextChoices):
    CVC = "CVC", _("Non-tunnelled dual-lumen catheter")
    TUNNELLED = "TUNNELLED", _("Tunnelled catheter")
    PERIPHERAL = "PERIPHERAL", _("Peripheral")
    OTHER = "OTHER", pgettext_lazy("access", "Other")


class AccessSite(models.TextChoices):
    RIGHT_JUGULAR = "R-IJ", _("Right internal jugular")
    LEFT_JUGULAR = "L-IJ", _("Left internal jugular")
    RIGHT_FEMORAL = "R-F", _("Right femoral")
    LEFT_FEMORAL = "L-F", _("Left femoral")
    SUBCLAVIAN = "SC", _("Subclavian")
    OTHER = "OTHER", pgettext_lazy("access", "Other")


class Anticoagulant(models.TextChoices):
    NONE = "NONE", pgettext_lazy("anticoagulant", "None")
    UFH = "UFH", _("Unfractionated heparin")
    LMWH = "LMWH", _("Low-molecular-weight heparin")
    NAFAMOSTAT = "NAFAMOSTAT", _("Nafamostat")
    CITRATE = "CITRATE", _("Regional citrate")
    SALINE = "SALINE", _("Saline flushes")


class BloodGroup(models.TextChoices):
    O = "O", "O"  # noqa: E741
    A = "A", "A"
    B = "B", "B"
    AB = "AB", "AB"


class ClottingGrade(models.IntegerChoices):
    """How much of filter or chamber had clotted."""

    NONE = 0, _("0 – none")
    SLIGHT = 1, _("1 – below 10 % of fibres")
    PARTIAL = 2, _("2 – 10 to 50 % of fibres")
    LOST = 3, _("3 – above 50 % or circuit lost")


class Disposal(models.TextChoices):
    DESTROYED = "DESTROYED", _("Destroyed as biological waste")
    RETAINED = "RETAINED", _("Retained for investigation")
    RETURNED = "RETURNED", _("Returned to the manufacturer")
