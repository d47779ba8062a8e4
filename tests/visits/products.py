"""Lots, stock and loads for tests, made through the services people use."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.factories import as_person, given, make_record, make_subject
from tests.signing import proof_of
from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.review.signatures import sign
from visits.models import (
    LoadedProduct,
    LotAct,
    LotDecision,
    LotMovement,
    LotState,
    ProductLot,
    TreatmentSession,
)
from visits.services.products import (
    RELEASED,
    LoadFacts,
    LotFacts,
    MovementFacts,
    TestFacts,
    load_product,
    receive_units,
    record_test,
    register_lot,
    release_lot,
)
from visits.services.products.lots import REQUIRED_ASSAYS

_numbers = itertools.count(1)


def here(minutes: float = 0, zone: str = "Asia/Shanghai") -> dt.datetime:
    """The clock at the site, so many minutes ago, to the minute."""
    now = trial_now().astimezone(ZoneInfo(zone)) - dt.timedelta(minutes=minutes)
    return now.replace(tzinfo=None, second=0, microsecond=0)


def lot_facts(**changes: Any) -> LotFacts:
    said: dict[str, Any] = {
        "product": "UC-MSC, cryopreserved",
        "source": "UC",
        "donor_code": "D-017",
        "donor_screening": "cleared",
        "manufactured_on": dt.date(2026, 1, 5),
        "expires_at": dt.datetime(2036, 1, 5, 12, tzinfo=dt.UTC),
        "units_made": 40,
        "cells_per_unit": Decimal(50),
        "viability": Decimal("92.5"),
        "passage": 4,
        "certificate": "CoA 17, cell factory",
        "certificate_sha256": "a" * 64,
    }
    return LotFacts(**said | changes)


def facts_of_test(kind: str = "sterility", **changes: Any) -> TestFacts:
    said: dict[str, Any] = {
        "kind": kind,
        "result": "negative",
        "verdict": "pass",
        "resulted_on": dt.date(2026, 1, 9),
    }
    return TestFacts(**said | changes)


def registered(cast, code: str | None = None, **changes: Any) -> ProductLot:
    code = code or f"MSC-{next(_numbers):04d}"
    with as_person(cast.nurse):
        return register_lot(code=code, facts=lot_facts(**changes), by=cast.nurse)


def examined(cast, lot: ProductLot) -> ProductLot:
    """The lot with every test that a release asks for, sterility still preliminary."""
    with as_person(cast.nurse):
        for kind in REQUIRED_ASSAYS:
            stage = "preliminary" if kind == "sterility" else "final"
            record_test(lot=lot, facts=facts_of_test(kind, stage=stage), by=cast.nurse)
    return lot


def released(cast, code: str | None = None, **changes: Any) -> ProductLot:
    """A lot that may be used, released an hour ago as far as the bedside clocks go."""
    lot = examined(cast, registered(cast, code, **changes))
    with as_person(cast.investigator):
        return release_lot(
            lot=lot,
            reason="certificate complete",
            by=cast.investigator,
            proof=proof_of(cast.investigator),
        )


def released_long_ago(cast, hours: int = 12, units: int = 5) -> ProductLot:
    """A lot at the first site that could be used for hours, for what is entered late."""
    lot, by = examined(cast, registered(cast)), cast.investigator
    with as_person(by):
        signature = sign(
            kind=RELEASED,
            target=lot.pk,
            content="released",
            meaning="released",
            by=by,
            proof=proof_of(by),
        )
        LotDecision.objects.create(
            lot=lot,
            number=1,
            act=LotAct.RELEASE,
            reason="certificate complete",
            signature=signature,
            decided_by=by,
            decided_at=trial_now() - dt.timedelta(hours=hours),
        )
        ProductLot.objects.filter(pk=lot.pk).update(state=LotState.RELEASED)
    received(cast, lot, units)
    lot.refresh_from_db()
    return lot


def received(cast, lot: ProductLot, units: int = 5, site: Site | None = None) -> LotMovement:
    site = site or cast.site
    by = cast.nurse if site == cast.site else cast.stranger
    facts = MovementFacts(units=units, happened_at=here(60, site.time_zone))
    with as_person(by):
        return receive_units(lot=lot, site=site, facts=facts, by=by)


@given
def make_session(subject: Subject, number: int | None = None, **fields: Any) -> TreatmentSession:
    number = number or subject.sessions.count() + 1
    record = make_record(subject, form_oid="F.TX", repeat_key=number)
    return TreatmentSession.objects.create(
        record=record,
        site_id=subject.site_id,
        subject=subject,
        number=number,
        modality=["REACTOR"],
        planned_minutes=240,
        time_zone=subject.site.time_zone,
        planned_at=trial_now(),
        **fields,
    )


def make_treated(site: Site, **fields: Any) -> TreatmentSession:
    """The first session of a new subject."""
    return make_session(make_subject(site, **fields))


def load_facts(loaded_by: User, checked_by: User, **changes: Any) -> LoadFacts:
    said: dict[str, Any] = {
        "reactor_serial": f"R-{next(_numbers):05d}",
        "viable_cells": Decimal(45),
        "thaw_started_at": here(),
        "thaw_ended_at": here(),
        "loaded_at": here(),
        "viability_thawed": Decimal("88.0"),
        "viability_loaded": Decimal("86.5"),
        "loaded_by": loaded_by,
        "checked_by": checked_by,
    }
    return LoadFacts(**said | changes)


def load(cast, session: TreatmentSession, lot: ProductLot | str, **changes: Any) -> LoadedProduct:
    """The site's people load a unit."""
    by = cast.nurse if session.site_id == cast.site.pk else cast.stranger
    changes.setdefault("checked_by", cast.investigator)
    code = lot if isinstance(lot, str) else lot.code
    with as_person(by):
        facts = load_facts(changes.pop("loaded_by", by), changes.pop("checked_by"), **changes)
        return load_product(session=session, lot_code=code, facts=facts, by=by)
