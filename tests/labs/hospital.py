"""A hospital's export, made anew and always the same: 500 results with what real ones hold."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass

HEADER = ["受试者编号", "性别", "采样时间", "项目名称", "结果", "单位", "标本", "参考范围（%）"]

MAPPING = """\
layout:
  dates: [YYYY/M/D H:mm]
  missing: ["-", 未回报]
columns:
  subject: 受试者编号
  sex: 性别
  collected: 采样时间
  analyte: 项目名称
  result: 结果
  unit: 单位
  specimen: 标本
specimens:
  血清: SERUM
sexes:
  男: M
  女: F
units:
  微摩: umol/L
"""

#: Name as the hospital prints it, unit, a plausible span, digits behind the point.
TESTS = [
    ("总胆红素", "μmol/L", (171, 420), 1),
    ("直接胆红素(重氮法)", "μmol/L", (90, 160), 1),
    ("谷丙转氨酶", "U/L", (60, 900), 0),
    ("AST", "U/L", (60, 900), 0),
    ("碱性磷酸酶", "U/L", (80, 300), 0),
    ("γ-谷氨酰转肽酶", "U/L", (40, 400), 0),
    ("白蛋白", "g/L", (24, 38), 1),
    ("凝血酶原时间", "秒", (18, 40), 1),
    ("凝血酶原活动度", "%", (20, 60), 0),
    ("PT-INR", "", (1.5, 3.2), 2),
    ("纤维蛋白原", "g/L", (0.8, 2.5), 2),
    ("肌酐", "微摩", (50, 180), 0),
    ("尿素", "mmol/L", (3, 15), 1),
    ("钠", "mmol/L", (128, 146), 0),
    ("钾", "mmol/L", (3.0, 5.2), 1),
    ("葡萄糖", "mmol/L", (4, 11), 1),
    ("乳酸", "mmol/L", (1.5, 6), 1),
    ("甲胎蛋白", "ng/mL", (5, 200), 1),
    ("铁蛋白", "ng/mL", (300, 4000), 0),
    ("白介素-6", "pg/mL", (10, 300), 1),
    ("C-反应蛋白", "mg/L", (20, 60), 1),
    ("降钙素原", "ng/mL", (0.1, 3), 2),
    ("白细胞计数", "10^9/L", (3, 18), 2),
    ("血红蛋白", "g/L", (80, 140), 0),
    ("血小板计数", "10^9/L", (40, 180), 0),
]


@dataclass
class Export:
    """The file's rows, and how many of them are what."""

    rows: list[list[str]]

    def content(self, encoding: str = "gb18030", delimiter: str = ",") -> bytes:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter).writerows([HEADER, *self.rows])
        return out.getvalue().encode(encoding)


def export(labels: list[str], *, draws: int = 2, year: int = 2026) -> Export:
    """For each subject its draws of 25 results: ten subjects give 500."""
    dice = random.Random(11)
    rows = []
    for number, label in enumerate(labels):
        for draw in range(draws):
            day = 3 + (number + draw * 7) % 25
            for name, unit, (low, high), digits in TESTS:
                result = f"{dice.uniform(low, high):.{digits}f}"
                at = f"{year}/3/{day} 7:{30 + draw % 20}"
                rows.append([label, "男", at, name, result, unit, "血清", ""])
    return Export(rows)
