"""What is known of one subject's way through the study, and how far its dates are known."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The days on which something may have happened, both ends inside; one day if it is exact."""

    earliest: dt.date
    latest: dt.date

    @property
    def exact(self) -> bool:
        return self.earliest == self.latest

    def by(self, day: dt.date) -> bool | None:
        """Whether it had happened by the end of a day; None where the dates do not tell."""
        if self.latest <= day:
            return True
        return False if self.earliest > day else None

    def __str__(self) -> str:
        first = self.earliest.isoformat()
        return first if self.exact else f"{first}/{self.latest.isoformat()}"


class Doubt(StrEnum):
    """What of a course wants a look; numbers that rest on it say so."""

    #: Enrolled, no day zero: in no estimate, and always listed.
    NO_ANCHOR = "no_anchor"
    DEATH_INEXACT = "death_inexact"
    TRANSPLANT_INEXACT = "transplant_inexact"
    #: A contact, a fatal event or an ending told of the death; its record is not there.
    DEATH_UNRECORDED = "death_unrecorded"
    #: A contact said that there was a transplantation; its record is not there.
    TRANSPLANT_UNRECORDED = "transplant_unrecorded"
    #: An observation of the living person is dated after the death.
    SEEN_AFTER_DEATH = "seen_after_death"
    DEATH_BEFORE_ANCHOR = "death_before_anchor"
    TRANSPLANT_BEFORE_ANCHOR = "transplant_before_anchor"
    TRANSPLANT_AFTER_DEATH = "transplant_after_death"


class Censored(StrEnum):
    """Why observation of a subject ended without the event."""

    #: Last known alive then; nothing has ended the follow-up.
    LAST_KNOWN_ALIVE = "last_known_alive"
    LOST = "lost"
    #: Withdrew the use of all data.
    WITHDRAWN = "withdrawn"
    #: The study had ended for the subject otherwise.
    STUDY_ENDED = "study_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One enrolled subject as the data up to `cut_on` show it, for every endpoint.

    Everything after the cut, and after a withdrawal of all data, is left out: `died_on`,
    `transplanted_on` and `last_alive_on` are what remains, with dates bounded by one another.
    `subject` is the key that opens the casebook, `number` what people call the subject.
    """

    subject: uuid.UUID
    number: str
    site: str
    #: The last day looked at: the day asked for, or the present day at the site.
    cut_on: dt.date
    enrolled_on: dt.date
    #: The date of the first treatment session.
    dosed_on: dt.date | None = None
    #: Day zero as the protocol defines it; None: no endpoint has a time for this subject.
    anchor_on: dt.date | None = None
    died_on: Span | None = None
    transplanted_on: Span | None = None
    #: The last day on which dated evidence proves that the person lived.
    last_alive_on: dt.date | None = None
    #: What kind of evidence that is: a form OID, or a word of `outcomes.selectors.courses`.
    last_alive_by: str = ""
    #: Since when the use of all data is withdrawn.
    withdrawn_on: dt.date | None = None
    lost_on: dt.date | None = None
    #: Treatment of this subject ended (withdrawal of treatment only ends no observation).
    treatment_ended_on: dt.date | None = None
    study_ended_on: dt.date | None = None
    doubts: frozenset[Doubt] = frozenset()

    @property
    def dosed(self) -> bool:
        return self.dosed_on is not None

    @property
    def may_be_dosed(self) -> bool:
        """Not treated, and nothing says that the subject never will be."""
        ends = (self.died_on, self.withdrawn_on, self.treatment_ended_on, self.study_ended_on)
        return not self.dosed and all(each is None for each in ends)

    def day(self, on: dt.date) -> int:
        """The day of a date, counted from the anchor, which is day 0."""
        assert self.anchor_on is not None
        return (on - self.anchor_on).days

    def date_of(self, day: int) -> dt.date:
        """The date of a day counted from the anchor."""
        assert self.anchor_on is not None
        return self.anchor_on + dt.timedelta(days=day)
