"""Severity of laboratory values by CTCAE 5.0: pure rules, no tables and no protocol.

Source: National Cancer Institute, Common Terminology Criteria for Adverse Events v5.0,
27 November 2017. The limits are our own transcription of the document's wording; a
semicolon in it means "or", and the limit that a range ends with belongs to that range.
"""

from .facts import Baseline, Reading
from .grade import VERSION, Based, Direction, LabGrade, Why
from .judge import grade_of
from .terms import TERMS, Term

__all__ = [
    "TERMS",
    "VERSION",
    "Based",
    "Baseline",
    "Direction",
    "LabGrade",
    "Reading",
    "Term",
    "Why",
    "grade_of",
]
