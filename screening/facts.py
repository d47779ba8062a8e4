"""What screening knows of a subject, as plain values that rules and pages read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFact:
    """The consent a subject stands in the trial by.

    It is the participant's own first act; where there is none yet, the representative's,
    whose `signer` says so. `valid`: the participant signed it personally, its document
    was in force, and neither treatment nor all data are withdrawn.
    """

    given_at: dt.datetime
    #: The date on the wall at the site, by which completed years are counted.
    given_on: dt.date
    #: "participant" or "representative".
    signer: str
    #: The document's version label.
    version: str
    valid: bool
    #: "present", "lost" (fluctuating included: it cannot be relied on) or "unknown".
    capacity: str
    reconsent_due: bool
