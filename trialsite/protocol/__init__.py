"""The study as plain data: schedule, criteria, labs, samples, reminders. Pure Python: no
Django, so that a protocol can be read, checked and compared anywhere."""

from .amendments import Change, diff
from .criteria import Criterion, CriterionCategory
from .definition import Protocol
from .loading import load, load_text, study_path
from .problems import Problem, ProtocolError
from .provenance import Assumption, UnknownPathError
from .schedule import EventKind, EventRole, PlannedVisit, Schedule, StudyEventDef
from .text import Text
from .values import Bound, DayInterval, Interval, Source

__all__ = [
    "Assumption",
    "Bound",
    "Change",
    "Criterion",
    "CriterionCategory",
    "DayInterval",
    "EventKind",
    "EventRole",
    "Interval",
    "PlannedVisit",
    "Problem",
    "Protocol",
    "ProtocolError",
    "Schedule",
    "Source",
    "StudyEventDef",
    "Text",
    "UnknownPathError",
    "diff",
    "load",
    "load_text",
    "study_path",
]
