"""The screening log of the demonstration: who was considered, who they are, how it ended."""

from __future__ import annotations

import random
from dataclasses import dataclass

from screening.models import ScreeningEntry
from screening.models.log import Outcome, Reason, Source
from screening.services.identity import keep_identity
from screening.services.log import close_entry, open_entry
from trialsite.access.models import Site, User
from trialsite.casebook.protocols import protocol_of, version_in_force
from trialsite.core.clock import trial_today
from trialsite.demo.against import Against, criterion_against

#: Family and given names that are put together by number, always with the mark.
_FAMILY = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
_GIVEN = ("安", "宁", "和", "平", "清", "远", "明", "嘉", "文", "瑞")


@dataclass(frozen=True, slots=True)
class Considered:
    """Somebody who was considered and never consented: where, when, and why it ended."""

    site: str
    nurse: str
    day: int
    outcome: Outcome | None
    source: Source = Source.WARD
    reasons: tuple[Reason, ...] = ()
    #: What speaks against the person, for whom a criterion decided.
    against: Against | None = None
    comment: str = ""


CONSIDERED = (
    Considered("001", "nurse", -84, Outcome.NOT_ELIGIBLE, against=Against.BILIRUBIN),
    Considered("002", "nurse-b", -79, Outcome.DECLINED),
    Considered("003", "nurse-c", -70, Outcome.NOT_ELIGIBLE, against=Against.AGE),
    Considered("001", "nurse", -63, Outcome.DECLINED, Source.OUTPATIENT),
    Considered("002", "nurse-b", -54, Outcome.NOT_APPROACHED, reasons=(Reason.DIED,)),
    Considered("003", "nurse-c", -50, Outcome.NOT_ELIGIBLE, against=Against.COMMUNICATION),
    Considered(
        "001", "nurse", -41, Outcome.NOT_APPROACHED, reasons=(Reason.NO_CAPACITY,), comment="III"
    ),
    Considered("001", "nurse2", -33, Outcome.NOT_ELIGIBLE, against=Against.HISTORY),
    Considered("003", "nurse-c", -28, Outcome.NOT_APPROACHED, reasons=(Reason.NO_PLACE,)),
    Considered("002", "nurse-b", -25, Outcome.DECLINED, Source.REFERRAL),
    Considered("001", "nurse", -18, Outcome.DECLINED, Source.OUTPATIENT),
    Considered("003", "nurse-c", -15, Outcome.NOT_ELIGIBLE, against=Against.BILIRUBIN),
    Considered("002", "nurse-b", -12, Outcome.NOT_ELIGIBLE, against=Against.AGE),
    Considered("003", "nurse-c", -9, Outcome.NOT_APPROACHED, reasons=(Reason.TRANSFERRED,)),
    Considered("002", "nurse-b", -6, Outcome.NOT_ELIGIBLE, against=Against.HISTORY),
    Considered("003", "nurse-c", -4, Outcome.DECLINED),
    Considered("001", "nurse", 0, None, Source.REFERRAL),
)


def invented_name(chance: random.Random) -> str:
    """A name put together, with the mark."""
    return f"{chance.choice(_FAMILY)}{chance.choice(_GIVEN)}（示例）"


def enter(site: Site, *, by: User, source: Source, chance: random.Random) -> ScreeningEntry:
    """A new line of the log with the invented person behind it in the vault."""
    entry = open_entry(
        site=site, first_contact_on=trial_today(site.time_zone), source=source, by=by
    )
    keep_identity(
        entry_id=entry.pk,
        site=site,
        name=invented_name(chance),
        phone=f"000 0000 {chance.randrange(10_000):04d}",
        hospital_number=f"SYNTHETIC-{chance.randrange(1_000_000):06d}",
        by=by,
    )
    return entry


def consider(told: Considered, site: Site, *, by: User, chance: random.Random) -> ScreeningEntry:
    """Log somebody who went no further, on the day of the first contact."""
    entry = enter(site, by=by, source=told.source, chance=chance)
    if told.outcome is None:
        return entry
    protocol = protocol_of(version_in_force(site).pk)
    return close_entry(
        entry=entry,
        outcome=told.outcome,
        on=entry.first_contact_on,
        criteria=[criterion_against(protocol, told.against)] if told.against else [],
        reasons=told.reasons,
        comment=f"HE {told.comment} (SYNTHETIC)" if told.comment else "",
        by=by,
    )
