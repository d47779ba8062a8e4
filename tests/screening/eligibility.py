"""Facts for the eligibility engine, short enough to read in a test."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from uuid import UUID, uuid5

from screening.eligibility.engine import evaluate
from screening.eligibility.facts import (
    AllergyFact,
    Answer,
    ConsentFact,
    Facts,
    ItemFact,
    JudgementFact,
    LabFact,
)
from screening.eligibility.verdicts import Kind, State, Verdict
from trialsite.labs.results import parse_result
from trialsite.protocol import Protocol, load_text, study_path

FIRST = study_path("nct06904755")
SECOND = Path(__file__).resolve().parents[1] / "protocol/studies/second.yaml"

ZONE = dt.timezone(dt.timedelta(hours=8))
DAY_ZERO = dt.datetime(2026, 11, 22, 12, 0, tzinfo=ZONE)
NAMES = UUID("5b7f0a3e-1111-4222-8333-444455556666")

MET, NOT_MET, UNKNOWN = State.MET, State.NOT_MET, State.NOT_YET_KNOWN

#: The unit most often printed by a laboratory for each analyte the criteria read.
USUAL = {
    "BILI": "umol/L",
    "PTA": "%",
    "INR": "{INR}",
    "CREAT": "umol/L",
    "SODIUM": "mmol/L",
    "ALB": "g/L",
    "INTLK6": "ng/L",
    "TNF": "ng/L",
    "CRP": "mg/L",
    "FIBRINO": "g/L",
    "PLAT": "10*9/L",
    "DDIMER": "mg/L{FEU}",
    "LACTICAC": "mmol/L",
    "K": "mmol/L",
}


@lru_cache(maxsize=64)
def protocol_of(path: Path = FIRST, edits: tuple[tuple[str, str], ...] = ()) -> Protocol:
    """A study's protocol, nothing of it confirmed, with its text edited."""
    text = path.read_text("utf-8")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return load_text(text)


@lru_cache(maxsize=64)
def confirmed(path: Path = FIRST, edits: tuple[tuple[str, str], ...] = ()) -> Protocol:
    """The same with every assumption confirmed."""
    protocol = protocol_of(path, edits)
    return protocol.with_confirmed(one.path for one in protocol.assumptions())


def confirmed_except(*prefixes: str) -> Protocol:
    """Every assumption confirmed but those whose path starts so."""
    protocol = protocol_of()
    return protocol.with_confirmed(
        one.path for one in protocol.assumptions() if not one.path.startswith(prefixes)
    )


def lab(
    analyte: str,
    text: str,
    unit: str = "",
    *,
    hours: float = 2,
    laboratory: str = "L1",
    draw: int | None = None,
    high: str | None = None,
    low: str | None = None,
    purified: str | None = None,
    routine: bool = False,
    missing: str = "",
    serial: int = 0,
) -> LabFact:
    """A result drawn `hours` before day zero, as printed."""
    parsed = None if missing else parse_result(text)
    name = f"{analyte} {text} {unit} {hours} {laboratory} {serial}"
    return LabFact(
        result_id=uuid5(NAMES, name),
        record_id=uuid5(NAMES, f"record {name}"),
        draw=None if draw is None else uuid5(NAMES, f"draw {draw}"),
        analyte=analyte,
        text=text,
        comparator=parsed.comparator if parsed else "",
        value=parsed.value if parsed else None,
        unit=unit or USUAL[analyte],
        canonical=None,
        canonical_unit="",
        laboratory=laboratory,
        collected_at=DAY_ZERO - dt.timedelta(microseconds=round(hours * 3_600_000_000)),
        low=None if low is None else Decimal(low),
        high=None if high is None else Decimal(high),
        hours_since_purification=None if purified is None else Decimal(purified),
        routine_care=routine,
        missing=missing,
    )


def item(
    value: str | bool | Decimal, *, hours: float = 1, complete: bool = True, serial: int = 0
) -> ItemFact:
    return ItemFact(
        value=value,
        observed_at=DAY_ZERO - dt.timedelta(hours=hours),
        record_id=uuid5(NAMES, f"item {value} {hours} {serial}"),
        complete=complete,
        label="Label",
    )


def consent(
    on: dt.date = dt.date(2026, 11, 21),
    *,
    signer: str = "participant",
    valid: bool = True,
    capacity: str = "present",
) -> ConsentFact:
    return ConsentFact(
        given_at=dt.datetime.combine(on, dt.time(9), tzinfo=ZONE),
        given_on=on,
        signer=signer,
        version="2.0",
        valid=valid,
        capacity=capacity,
        reconsent_due=False,
    )


def judged(answer: Answer) -> JudgementFact:
    return JudgementFact(answer=answer, by="Ivy Investigator", at=DAY_ZERO)


def allergy(agent: str, severity: str) -> AllergyFact:
    return AllergyFact(agent=agent, severity=severity, record_id=None)


def facts(*labs: LabFact, **others: object) -> Facts:
    return Facts(day_zero=DAY_ZERO, labs=labs, **others)  # type: ignore[arg-type]


#: What an investigator has to answer in the first study, so that nothing keeps one out.
JUDGEMENTS = {
    **{name: judged(Answer.MET) for name in ("IN02", "IN07")},
    **{name: judged(Answer.NOT_MET) for name in ("EX01", "EX03", "EX05", "EX06")},
}


def eligible_person(*more: LabFact, without: tuple[str, ...] = (), **others: object) -> Facts:
    """A woman of 45 who meets everything in the first study."""
    labs = (
        lab("BILI", "320", draw=1),
        lab("PTA", "35", draw=1),
        lab("INR", "1.9", draw=1),
        lab("CREAT", "70", draw=1),
        lab("SODIUM", "138", draw=1),
        lab("ALB", "32", draw=1),
        lab("INTLK6", "60", high="7", low="0", draw=1),
        lab("TNF", "5", high="8.1", draw=1),
        lab("CRP", "30", high="5", draw=1),
        lab("FIBRINO", "2.1", low="2.0", high="4.0", draw=1),
    )
    given: dict[str, object] = {
        "consent": consent(),
        "birth_date": "1981-05-06",
        "sex": "F",
        "items": {"I.HE.HEGRADE": (item("I"),)},
        "allergies": (),
        "aetiology": "other",
        "chronic_liver_disease": False,
        "dialysis": False,
        "judgements": JUDGEMENTS,
        **others,
    }
    return facts(*(one for one in labs if one.analyte not in without), *more, **given)


def verdict(criterion: str, known: Facts, protocol: Protocol | None = None) -> Verdict:
    """The verdict on one criterion, by default with everything confirmed."""
    return evaluate(protocol or confirmed(), known).verdict(criterion)


def states(known: Facts, protocol: Protocol | None = None) -> dict[str, State]:
    return {
        each.criterion: each.state for each in evaluate(protocol or confirmed(), known).verdicts
    }


def texts_used(found: Verdict, kind: Kind = Kind.LAB) -> list[str]:
    """The reported texts that took part in a verdict."""
    return [one.text for one in found.evidence if one.used and one.kind is kind]
