"""The invented cell product: one lot in use, one stopped, with their accounts at the sites."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from zoneinfo import ZoneInfo

from trialsite.access.context import context_of
from trialsite.access.models import Site, User
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel, acting
from trialsite.demo.eligibility import proof_of
from visits.models import ProductLot
from visits.models.products import Assay, CellSource, DonorScreening, ResultStage, Verdict
from visits.services.products.lots import (
    REQUIRED_ASSAYS,
    LotFacts,
    TestFacts,
    quarantine_lot,
    record_test,
    register_lot,
    release_lot,
)
from visits.services.products.stock import MovementFacts, destroy_units, receive_units

IN_USE, STOPPED = "DEMO-MSC-01", "DEMO-MSC-02"
UNITS_FOR_A_SITE = 12

_RESULTS = {
    Assay.CD73: ("98.1", "%", "≥ 95"),
    Assay.CD90: ("99.0", "%", "≥ 95"),
    Assay.CD105: ("96.8", "%", "≥ 95"),
    Assay.NEGATIVE: ("0.9", "%", "≤ 2"),
    Assay.STERILITY: ("No growth", "", "No growth"),
    Assay.MYCOPLASMA: ("Not detected", "", "Not detected"),
    Assay.ENDOTOXIN: ("0.1", "EU/mL", "< 0.5"),
    Assay.KARYOTYPE: ("Normal", "", "Normal"),
    Assay.POTENCY: ("112", "%", "70–130"),
}


def make_lots(sites: Iterable[Site], *, by: User, keepers: dict[str, User]) -> None:
    """Two lots, tested; one is released and received everywhere, one put in quarantine.

    `keepers` are the people of each site who keep its stock.
    """
    used = _lot(IN_USE, by)
    with acting(context_of(by, Channel.COMMAND)):
        release_lot(
            lot=used,
            reason="Certificate and results read (SYNTHETIC)",
            by=by,
            proof=proof_of(by),
        )
    for site in sites:
        _receive(used, site, by=keepers[site.code])
    stopped = _lot(STOPPED, by)
    with acting(context_of(by, Channel.COMMAND)):
        quarantine_lot(lot=stopped, reason="Shipper’s logger read 14 °C (SYNTHETIC)", by=by)


def destroy_one(site: Site, *, by: User, witness: User) -> None:
    """A vial was dropped; two people say so."""
    with acting(context_of(by, Channel.COMMAND)):
        destroy_units(
            lot=ProductLot.objects.get(code=IN_USE),
            site=site,
            facts=MovementFacts(
                units=1,
                happened_at=_just_now(site),
                reason="Vial broken on thawing (SYNTHETIC)",
                witness=witness,
            ),
            by=by,
        )


def _lot(code: str, by: User) -> ProductLot:
    now = trial_now()
    facts = LotFacts(
        product="MSC for the reactor (SYNTHETIC)",
        source=CellSource.UMBILICAL_CORD,
        donor_code=f"DONOR-{code[-2:]}",
        donor_screening=DonorScreening.CLEARED,
        manufactured_on=now.date() - dt.timedelta(days=40),
        expires_at=now + dt.timedelta(days=540),
        units_made=60,
        cells_per_unit=Decimal(500),
        viability=Decimal("93.5"),
        passage=4,
        storage="Vapour phase of liquid nitrogen",
        certificate=f"CoA {code} (SYNTHETIC)",
    )
    with acting(context_of(by, Channel.COMMAND)):
        lot = register_lot(code=code, facts=facts, by=by)
        for assay in REQUIRED_ASSAYS:
            result, unit, limit = _RESULTS[assay]
            record_test(
                lot=lot,
                facts=TestFacts(
                    kind=assay,
                    result=result,
                    unit=unit,
                    limit=limit,
                    verdict=Verdict.PASS,
                    resulted_on=now.date() - dt.timedelta(days=10),
                    stage=ResultStage.FINAL,
                    document="SYNTHETIC",
                ),
                by=by,
            )
    return lot


def _receive(lot: ProductLot, site: Site, *, by: User) -> None:
    with acting(context_of(by, Channel.COMMAND)):
        receive_units(
            lot=lot,
            site=site,
            facts=MovementFacts(
                units=UNITS_FOR_A_SITE,
                happened_at=_just_now(site),
                document="SYNTHETIC",
                temperature=Decimal(-178),
            ),
            by=by,
        )


def _just_now(site: Site) -> dt.datetime:
    wall = trial_now().astimezone(ZoneInfo(site.time_zone)).replace(tzinfo=None)
    return (wall - dt.timedelta(minutes=5)).replace(second=0, microsecond=0)
