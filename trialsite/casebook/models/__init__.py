"""The casebook: ODM's spine SubjectData > StudyEventData > FormData.

`Subject`, `Visit` and `CrfRecord` live here because queries, locks, exports and the
trail all speak of them; `screening` and `visits` own their behaviour and their forms.
"""

from __future__ import annotations

from trialsite.casebook.models.attachments import Attachment, AttachmentKind, MediaType
from trialsite.casebook.models.records import CrfRecord, CrfRecordQuerySet
from trialsite.casebook.models.states import (
    ClosingCause,
    ConsentState,
    LockState,
    RecordStatus,
    SubjectStatus,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.models.subjects import NumberSequence, Subject
from trialsite.casebook.models.versions import ProtocolVersion, SiteProtocolApproval
from trialsite.casebook.models.visits import ScheduleClosing, Visit

__all__ = [
    "Attachment",
    "AttachmentKind",
    "ClosingCause",
    "ConsentState",
    "CrfRecord",
    "CrfRecordQuerySet",
    "LockState",
    "MediaType",
    "NumberSequence",
    "ProtocolVersion",
    "RecordStatus",
    "ScheduleClosing",
    "SiteProtocolApproval",
    "Subject",
    "SubjectStatus",
    "Visit",
    "VisitMode",
    "VisitStatus",
]
