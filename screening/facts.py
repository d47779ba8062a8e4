"""What the rest of screening knows of a participant's consent: plain data, no tables."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFact:
    """The initial consent as it stands.

    `signer` is participant or representative; `valid` says that the version was approved
    and in force there and that the consent has not been withdrawn; `capacity` is present,
    lost or unknown.
    """

    given_at: dt.datetime
    given_on: dt.date
    signer: str
    version: str
    valid: bool
    capacity: str
    reconsent_due: bool = False
