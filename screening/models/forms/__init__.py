"""The forms of screening, one a module; importing them enters them into the casebook."""

from screening.models.forms.allergies import Allergies
from screening.models.forms.demographics import Demographics
from screening.models.forms.examination import Examination
from screening.models.forms.medical_history import Aetiology, Condition, MedicalHistory
from screening.models.forms.medication import Medication
from screening.models.forms.pregnancy import PregnancyTest

__all__ = [
    "Aetiology",
    "Allergies",
    "Condition",
    "Demographics",
    "Examination",
    "MedicalHistory",
    "Medication",
    "PregnancyTest",
]
