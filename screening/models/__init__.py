"""What screening keeps: the log, and who was enrolled."""

from screening.models.enrolment import Enrolment, StudyEnrolment
from screening.models.log import ScreeningEntry

__all__ = ["Enrolment", "ScreeningEntry", "StudyEnrolment"]
