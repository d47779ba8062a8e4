"""What is asked about a whole session: rules that no single row can be judged by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from trialsite.protocol.sessions import SessionPlan
from trialsite.review.services import Finding
from visits.effective import Minutes
from visits.models import SessionEnd, SessionPreparation, SessionReading, TreatmentSession

#: A pressure drop of the filter that rises by more than this share is clotting (clinical 1c).
DROP_RISE = Decimal("0.5")

#: What was processed may differ by so much from rate x minutes.
VOLUME_SHARE = Decimal("0.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A session with all that its checks look at."""

    session: TreatmentSession
    plan: SessionPlan | None
    minutes: Minutes
    readings: Sequence[SessionReading]
    complications: int
    preparation: SessionPreparation | None
    end: SessionEnd | None


def findings_of(sheet: Sheet) -> dict[str, Finding]:
    """The checks that a session breaks now, by their OIDs."""
    return dict(_all(sheet))


def _all(sheet: Sheet) -> Iterator[tuple[str, Finding]]:
    yield from _readings(sheet)
    yield from _filter_drop(sheet)
    yield from _volume(sheet)
    yield from _complications(sheet)


def _readings(sheet: Sheet) -> Iterator[tuple[str, Finding]]:
    if sheet.plan is None or sheet.minutes.circuit is None:
        return
    fewest = sheet.plan.readings.fewest(int(sheet.minutes.circuit))
    if len(sheet.readings) < fewest:
        said = _("%(there)d readings; a session of this length has %(fewest)d at least.") % {
            "there": len(sheet.readings),
            "fewest": fewest,
        }
        yield "TX.READINGS", Finding(item_oid="I.TXR.AT", message=said)


def _filter_drop(sheet: Sheet) -> Iterator[tuple[str, Finding]]:
    drops = [each.filter_drop for each in sheet.readings if each.filter_drop is not None]
    if not drops or drops[0] <= 0:
        return
    highest = max(drops)
    if Decimal(highest) > drops[0] * (1 + DROP_RISE):
        said = _(
            "The pressure drop of the filter rose from %(first)d to %(highest)d mmHg: did it clot?"
        ) % {"first": drops[0], "highest": highest}
        yield "TX.FILTER_DROP", Finding(item_oid="I.TXR.DROP", message=said)


def _volume(sheet: Sheet) -> Iterator[tuple[str, Finding]]:
    rates: list[Decimal] = [
        each.plasma_flow for each in sheet.readings if each.plasma_flow is not None
    ]
    done = sheet.end.plasma_processed if sheet.end else None
    contact = sheet.minutes.contact
    if not rates or done is None or contact is None:
        return
    expected = sum(rates, Decimal(0)) / len(rates) * contact
    if abs(done - expected) > expected * VOLUME_SHARE:
        said = _(
            "%(done)d mL processed; rate and minutes give about %(expected)d mL. Please confirm."
        ) % {"done": done, "expected": expected.to_integral()}
        yield "TX.VOLUME", Finding(item_oid="I.TXE.VPROC", message=said)


def _complications(sheet: Sheet) -> Iterator[tuple[str, Finding]]:
    said_any = sheet.end.any_complication if sheet.end else None
    if said_any is None or said_any == bool(sheet.complications):
        return
    said = (
        _("The end of the session names complications, and none is listed.")
        if said_any
        else _("Complications are listed, and the end of the session names none.")
    )
    yield "TX.COMPLICATIONS", Finding(item_oid="I.TXC.CODE", message=said)
