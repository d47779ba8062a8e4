"""The datasets of the cell product: its register, its accounts (DA), what was given (EX)."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, Subject, Visit
from trialsite.exports.casebook import EVENT_KEYS, KEYS
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets
from visits.models import (
    Assay,
    CellSource,
    DonorScreening,
    LoadedProduct,
    LotAct,
    LotDecision,
    LotMovement,
    LotState,
    MovementKind,
    ProductLot,
    ReleaseTest,
    ResultStage,
    TreatmentSession,
    Verdict,
)

LOTS, TESTS, DECISIONS, MOVEMENTS, LOADED, SESSIONS, SITES, SUBJECTS, USERS, RECORDS, VISITS = (
    model._meta.db_table
    for model in (
        ProductLot,
        ReleaseTest,
        LotDecision,
        LotMovement,
        LoadedProduct,
        TreatmentSession,
        Site,
        Subject,
        User,
        CrfRecord,
        Visit,
    )
)

_LOT = Column(name="EXLOT", sql="p.code", label=_("Lot number"), sdtm="EX.EXLOT")


def _number(name: str, sql: str, label: str | Promise, sdtm: str = "", unit: str = "") -> Column:
    return Column(
        name=name,
        sql=f"trim_scale({sql})",
        label=label,
        kind=Kind.FLOAT,
        sdtm=sdtm,
        unit=unit,
    )


@register_datasets
def product() -> list[Dataset]:
    return [lots(), release_tests(), lot_decisions(), accountability(), loaded()]


def lots() -> Dataset:
    """Every lot of the study as registered, with its present state."""
    return Dataset(
        name="product_lots",
        title=_("Lots of the cell product"),
        columns=(
            _LOT,
            Column(name="PRODUCT", sql="p.product", label=_("Product"), sdtm="EX.EXTRT"),
            Column(name="STATE", sql="p.state", label=_("State"), codes=dict(LotState.choices)),
            Column(
                name="MSCSRC",
                sql="p.source",
                label=_("Source of the cells"),
                codes=dict(CellSource.choices),
            ),
            Column(name="DONORID", sql="p.donor_code", label=_("Donor code")),
            Column(
                name="DONORSCR",
                sql="p.donor_screening",
                label=_("Donor screening"),
                codes=dict(DonorScreening.choices),
            ),
            Column(name="PASSAGE", sql="p.passage", label=_("Passage"), kind=Kind.INTEGER),
            _number("DOUBLINGS", "p.doublings", _("Population doublings")),
            Column(
                name="MADE", sql="p.manufactured_on", label=_("Manufactured on"), kind=Kind.DATE
            ),
            Column(name="EXPIRES", sql="p.expires_at", label=_("Expires"), kind=Kind.MOMENT),
            Column(name="UNITSMADE", sql="p.units_made", label=_("Units made"), kind=Kind.INTEGER),
            _number("CELLSUNIT", "p.cells_per_unit", _("Viable cells per unit"), unit="10*6"),
            _number("VIAB", "p.viability", _("Viability at release"), unit="%"),
            Column(name="STORAGE", sql="nullif(p.storage, '')", label=_("Storage condition")),
            Column(name="COA", sql="nullif(p.certificate, '')", label=_("Certificate of analysis")),
            Column(
                name="COASHA256",
                sql="nullif(p.certificate_sha256, '')",
                label=_("SHA-256 of the certificate"),
            ),
        ),
        source=f"{LOTS} p",
        site="",
        order='p.code COLLATE "C"',
    )


def release_tests() -> Dataset:
    """Every release test of every lot, voided ones with their reason."""
    return Dataset(
        name="product_tests",
        title=_("Release tests of the cell product"),
        columns=(
            _LOT,
            Column(name="TEST", sql="d.kind", label=_("Test"), codes=dict(Assay.choices)),
            Column(name="NAME", sql="nullif(d.name, '')", label=_("Which test")),
            Column(name="STAGE", sql="d.stage", label=_("Stage"), codes=dict(ResultStage.choices)),
            Column(name="RESULT", sql="d.result", label=_("Result")),
            Column(name="UNIT", sql="nullif(d.unit, '')", label=_("Unit")),
            Column(name="LIMIT", sql="nullif(d.\"limit\", '')", label=_("Limit")),
            Column(
                name="VERDICT", sql="d.verdict", label=_("Verdict"), codes=dict(Verdict.choices)
            ),
            Column(name="DATE", sql="d.resulted_on", label=_("Result of"), kind=Kind.DATE),
            Column(name="DOCUMENT", sql="nullif(d.document, '')", label=_("Document")),
            Column(name="ENTERED", sql="d.entered_at", label=_("Entered"), kind=Kind.MOMENT),
            Column(name="VOIDED", sql="d.voided_at", label=_("Voided"), kind=Kind.MOMENT),
            Column(
                name="VOIDREASON", sql="nullif(d.void_reason, '')", label=_("Reason for voiding")
            ),
        ),
        source=f"{TESTS} d JOIN {LOTS} p ON p.id = d.lot_id",
        site="",
        order='p.code COLLATE "C", d.entered_at, d.id',
    )


def lot_decisions() -> Dataset:
    """Releases, quarantines, recalls: what was decided about each lot, in its order."""
    return Dataset(
        name="product_decisions",
        title=_("Decisions about lots"),
        columns=(
            _LOT,
            Column(name="NUMBER", sql="d.number", label=_("Number"), kind=Kind.INTEGER),
            Column(name="ACT", sql="d.act", label=_("Decision"), codes=dict(LotAct.choices)),
            Column(name="REASON", sql="d.reason", label=_("Reason")),
            Column(name="RELQA", sql="u.full_name", label=_("Decided by")),
            Column(name="DECIDED", sql="d.decided_at", label=_("Decided"), kind=Kind.MOMENT),
            Column(name="SIGNATURE", sql="d.signature_id", label=_("Signature"), kind=Kind.ID),
        ),
        source=f"{DECISIONS} d JOIN {LOTS} p ON p.id = d.lot_id "
        f"JOIN {USERS} u ON u.id = d.decided_by_id",
        site="",
        order='p.code COLLATE "C", d.number',
    )


def accountability() -> Dataset:
    """The account of each lot at each site, one line for each movement (SDTM DA).

    What was loaded names the subject it was loaded for, while the subject is at that site.
    """
    return Dataset(
        name="accountability",
        title=_("Product accountability"),
        columns=(
            Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
            Column(name="SUBJID", sql="s.number", label=_("Subject number"), sdtm="DM.SUBJID"),
            Column(name="SCRNID", sql="s.screening_number", label=_("Screening number")),
            Column(name="DALNKID", sql="p.code", label=_("Lot number"), sdtm="DA.DALNKID"),
            Column(
                name="DASPID",
                sql="m.number",
                label=_("Number"),
                kind=Kind.INTEGER,
                sdtm="DA.DASPID",
            ),
            Column(
                name="DATESTCD",
                sql="m.kind",
                label=_("Movement"),
                codes=dict(MovementKind.choices),
                sdtm="DA.DATESTCD",
            ),
            Column(
                name="DASTRESN",
                sql="m.units",
                label=_("Units"),
                kind=Kind.INTEGER,
                sdtm="DA.DASTRESN",
            ),
            Column(
                name="DADTC",
                sql="m.happened_at",
                label=_("Date and time"),
                kind=Kind.DATETIME,
                sdtm="DA.DADTC",
            ),
            Column(name="TIMEZONE", sql="m.time_zone", label=_("Time zone")),
            Column(name="REASON", sql="nullif(m.reason, '')", label=_("Reason")),
            Column(name="DOCUMENT", sql="nullif(m.document, '')", label=_("Document")),
            _number("TEMP", "m.temperature", _("Temperature on arrival"), unit="Cel"),
            Column(name="ENTEREDBY", sql="u.full_name", label=_("Entered by")),
            Column(name="WITNESS", sql="w.full_name", label=_("Witness")),
            Column(name="VOIDED", sql="m.voided_at", label=_("Voided"), kind=Kind.MOMENT),
            Column(
                name="VOIDREASON", sql="nullif(m.void_reason, '')", label=_("Reason for voiding")
            ),
        ),
        source=f"{MOVEMENTS} m JOIN {LOTS} p ON p.id = m.lot_id "
        f"JOIN {SITES} t ON t.id = m.site_id JOIN {USERS} u ON u.id = m.entered_by_id "
        f"LEFT JOIN {USERS} w ON w.id = m.witness_id "
        f"LEFT JOIN {LOADED} l ON l.movement_id = m.id AND l.site_id = m.site_id "
        f"LEFT JOIN {SUBJECTS} s ON s.id = l.subject_id",
        site="m.site_id",
        order='t.code COLLATE "C", p.code COLLATE "C", m.number',
    )


def loaded() -> Dataset:
    """The cells of each session (SDTM EX); what was voided is not among them."""
    return Dataset(
        name="loaded_product",
        title=_("Cells loaded for sessions"),
        columns=(
            *KEYS,
            *EVENT_KEYS,
            Column(name="RECORD", sql="d.record_id", label=_("Record"), kind=Kind.ID),
            Column(name="SESSNO", sql="n.number", label=_("Session no."), kind=Kind.INTEGER),
            _LOT,
            Column(name="UNITS", sql="d.units", label=_("Units"), kind=Kind.INTEGER),
            _number("EXDOSE", "d.viable_cells", _("Viable cells loaded"), "EX.EXDOSE", "10*6"),
            _number("PRESCRIBED", "d.prescribed_cells", _("Prescribed dose"), unit="10*6"),
            _number("VIABTHAW", "d.viability_thawed", _("Viability after thawing"), unit="%"),
            _number("VIABLOAD", "d.viability_loaded", _("Viability before loading"), unit="%"),
            *_times(),
            Column(name="TIMEZONE", sql="d.time_zone", label=_("Time zone")),
            Column(name="WASHED", sql="d.washed", label=_("Washed"), kind=Kind.BOOLEAN),
            _number("HOLDTEMP", "d.hold_temperature", _("Temperature until loading"), unit="Cel"),
            Column(
                name="REACTOR",
                sql="d.reactor_serial",
                label=_("Reactor serial number"),
                sdtm="DI.DIVAL",
            ),
            Column(name="LOADEDBY", sql="u.full_name", label=_("Loaded by")),
            Column(name="CHECKEDBY", sql="w.full_name", label=_("Checked by")),
            Column(name="CONFIRMED", sql="nullif(d.confirmed, '')", label=_("Confirmed as")),
            Column(
                name="LATEREASON",
                sql="nullif(d.late_reason, '')",
                label=_("Why it is entered late"),
            ),
        ),
        source=f"{LOADED} d JOIN {LOTS} p ON p.id = d.lot_id "
        f"JOIN {SESSIONS} n ON n.record_id = d.record_id "
        f"JOIN {RECORDS} r ON r.id = d.record_id LEFT JOIN {VISITS} v ON v.id = r.visit_id "
        f"JOIN {SUBJECTS} s ON s.id = d.subject_id JOIN {SITES} t ON t.id = s.site_id "
        f"JOIN {USERS} u ON u.id = d.loaded_by_id JOIN {USERS} w ON w.id = d.checked_by_id",
        where="d.voided_at IS NULL AND r.voided_at IS NULL",
        site="d.site_id",
        order='t.code COLLATE "C", s.screening_number COLLATE "C", d.loaded_at, d.id',
    )


def _times() -> tuple[Column, ...]:
    named = (
        ("THAWST", "d.thaw_started_at", _("Thawing started"), ""),
        ("THAWEN", "d.thaw_ended_at", _("Thawing ended"), ""),
        ("EXSTDTC", "d.loaded_at", pgettext_lazy("product", "Loaded"), "EX.EXSTDTC"),
    )
    return tuple(
        Column(name=name, sql=sql, label=label, kind=Kind.DATETIME, sdtm=sdtm)
        for name, sql, label, sdtm in named
    )
