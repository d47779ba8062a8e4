"""Stage of acute kidney injury by creatinine, KDIGO 2012; urine output is not judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from .score import Number, Score, ScoreInput, Used, Why, number, settled, word

ALGORITHM = "KDIGO_AKI"
VERSION = "2012_creatinine"

_RISE = Decimal("26.5")
_SEVERE = Decimal("353.6")
_WITHIN_HOURS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierCreatinine:
    """A creatinine in µmol/L drawn `hours` before the one judged."""

    hours: Decimal
    creatinine: Number


def kdigo_stage(
    *,
    creatinine: Number = None,
    baseline: Number = None,
    earlier: Iterable[EarlierCreatinine] = (),
    renal_replacement: bool | None = None,
) -> Score:
    """Stage 0 to 3; `baseline` is the lowest creatinine of the seven days before.

    Without a draw in the 48 hours before, a stage stands by the ratio to baseline alone and
    `missing` says so.
    """
    lowest = _lowest(earlier)
    drawn = (
        number("creatinine", creatinine, "umol/L"),
        number("baseline", baseline, "umol/L"),
    )
    if renal_replacement:
        drawn = (replace(drawn[0], lacking=Why.NONE), replace(drawn[1], lacking=Why.NONE))
    inputs = (
        *drawn,
        replace(lowest, lacking=Why.NONE),
        word("renal_replacement", renal_replacement),
    )
    score = settled(ALGORITHM, VERSION, inputs, _stage, grade=str)
    if lowest.lacking and not renal_replacement:
        return replace(score, missing=(*score.missing, lowest.name))
    return score


def _lowest(earlier: Iterable[EarlierCreatinine]) -> ScoreInput:
    """The lowest of the 48 hours before; a censored one cannot be that."""
    name, unit = "lowest_48_hours", "umol/L"
    draws = [
        number(name, one.creatinine, unit) for one in earlier if 0 < one.hours <= _WITHIN_HOURS
    ]
    known = [draw for draw in draws if draw.used is not None]
    if not known:
        return number(name, None, unit)
    return min(known, key=lambda draw: draw.used or Decimal(0))


def _stage(used: Used) -> Decimal:
    if used["renal_replacement"]:
        return Decimal(3)
    now, baseline = used["creatinine"], used["baseline"]
    lowest = used.get("lowest_48_hours", now)
    risen = now - lowest >= _RISE
    if not risen and 2 * now < 3 * baseline:
        return Decimal(0)
    if now >= 3 * baseline or now >= _SEVERE:
        return Decimal(3)
    return Decimal(2) if now >= 2 * baseline else Decimal(1)
