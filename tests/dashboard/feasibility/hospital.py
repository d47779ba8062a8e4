"""A made-up hospital: sixty people as its spreadsheet has them, in two units and any format."""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

from trialsite.dashboard.feasibility.result import Result
from trialsite.dashboard.feasibility.running import run
from trialsite.protocol import Protocol, load_text, study_path

MAPPINGS = Path(__file__).resolve().parent / "mappings"
TODAY = dt.date(2026, 11, 22)
#: µmol/L in a mg/dL.
BILIRUBIN, CREATININE = Decimal("17.104"), Decimal("88.4")
GRADES = ("无", "Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ")


def protocol() -> Protocol:
    return load_text(study_path("nct06904755").read_text("utf-8"))


def mapping(name: str) -> str:
    return (MAPPINGS / f"{name}.yaml").read_text("utf-8")


@dataclass(frozen=True)
class Patient:
    """One made-up person; amounts in mg/dL, None is blank, text is as printed."""

    number: int
    sex: str
    age: Decimal
    on: dt.date
    bilirubin: Decimal
    creatinine: Decimal | str | None
    inr: Decimal | None
    pta: int | None
    sodium: int
    albumin: int
    crp: Decimal | None
    grade: int | None
    dialysis: bool


def patients(count: int = 60) -> list[Patient]:
    """Always the same people, around every threshold, with what real tables hold."""
    dice = random.Random(60)
    return [
        Patient(
            number=n + 1,
            sex=dice.choice("男女"),
            age=Decimal(dice.randrange(1600, 7200)) / 100,
            on=dt.date(2026, 1, 1) + dt.timedelta(days=dice.randrange(200)),
            bilirubin=Decimal(dice.randrange(40, 330)) / 10,
            creatinine=_creatinine(n, dice),
            inr=None if n % 9 == 4 else Decimal(dice.randrange(110, 420)) / 100,
            pta=None if n % 7 == 3 else dice.randrange(10, 70),
            sodium=dice.randrange(122, 144),
            albumin=dice.randrange(22, 42),
            crp=None if n % 8 == 5 else Decimal(dice.randrange(10, 400)) / 10,
            grade=None if n % 10 == 6 else dice.randrange(5),
            dialysis=n % 15 == 14,
        )
        for n in range(count)
    ]


def _creatinine(n: int, dice: random.Random) -> Decimal | str | None:
    amount = Decimal(dice.randrange(4, 45)) / 10
    return {11: None, 12: "<0.2"}.get(n % 20, amount)


def table(people: Iterable[Patient], *, umol: bool) -> list[list[Any]]:
    """Header and rows; a date is a date, a number a number, as a workbook has them."""
    head = ["编号", "性别", "年龄（岁）", "评估日期"]
    head += ["TBil（μmol/L）", "肌酐[μmol/L]"] if umol else ["TBil (mg/dL)", "Creatinine [mg/dL]"]
    head += ["PT-INR", "PT%（活动度）", "钠 (mmol/L)", "白蛋白(g/L)", "CRP(mg/L)", "HE分级", "透析"]
    return [head, *(_row(each, umol=umol) for each in people)]


def _row(each: Patient, *, umol: bool) -> list[Any]:
    bilirubin = each.bilirubin * BILIRUBIN if umol else each.bilirubin
    creatinine: Any = each.creatinine
    if umol and isinstance(creatinine, Decimal):
        creatinine *= CREATININE
    elif umol and creatinine == "<0.2":
        creatinine = "<17.68"
    return [
        f"H{each.number:03d}",
        each.sex,
        each.age,
        each.on,
        bilirubin,
        "" if creatinine is None else creatinine,
        0 if each.inr is None else each.inr,
        "未做" if each.pta is None else each.pta,
        each.sodium,
        each.albumin,
        "" if each.crp is None else each.crp,
        "-" if each.grade is None else GRADES[each.grade],
        "是" if each.dialysis else "否",
    ]


def as_csv(rows: Sequence[Sequence[Any]], encoding: str = "utf-8-sig") -> bytes:
    """As text, with the dates as such a hospital writes them."""
    out = io.StringIO()
    csv.writer(out).writerows([[_printed(cell) for cell in row] for row in rows])
    return out.getvalue().encode(encoding)


def _printed(cell: Any) -> str:
    if isinstance(cell, dt.date):
        return f"{cell.year}/{cell.month}/{cell.day}"
    return f"{cell.normalize():f}" if isinstance(cell, Decimal) else str(cell)


def as_xlsx(rows: Sequence[Sequence[Any]]) -> bytes:
    """As a workbook, with true dates and numbers."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet("病例")
    day = book.add_format({"num_format": "yyyy/m/d"})
    for line, row in enumerate(rows):
        for column, cell in enumerate(row):
            if isinstance(cell, dt.date):
                sheet.write_datetime(line, column, dt.datetime.combine(cell, dt.time()), day)
            elif isinstance(cell, int | Decimal):
                sheet.write_number(line, column, float(cell))
            else:
                sheet.write_string(line, column, str(cell))
    book.close()
    return out.getvalue()


def judged(content: bytes, text: str, **options: Any) -> Result:
    return run(content, text, protocol(), today=TODAY, **({"as_written": True} | options))
