"""Courses and observations written by hand, in days from an arbitrary day zero."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from outcomes.endpoints.course import Course, Span
from outcomes.endpoints.tables import Cause, Observed

ZERO = dt.date(2026, 3, 10)
_CAUSES = (Cause.CENSORED, Cause.DEATH, Cause.TRANSPLANT)

#: clinical.md 2d: day, and 0 censored, 1 death, 2 transplantation.
TEN = (
    (5, 1), (12, 2), (12, 1), (20, 0), (26, 1), (40, 2), (56, 0), (84, 0), (84, 0), (84, 0),
)  # fmt: skip

#: 6-mercaptopurine in acute leukaemia, weeks of remission (Freireich et al., Blood
#: 1963;21:699-716): treated, and placebo.
TREATED = (
    (6, 1), (6, 1), (6, 1), (6, 0), (7, 1), (9, 0), (10, 1), (10, 0), (11, 0), (13, 1), (16, 1),
    (17, 0), (19, 0), (20, 0), (22, 1), (23, 1), (25, 0), (32, 0), (32, 0), (34, 0), (35, 0),
)  # fmt: skip
PLACEBO = tuple(
    (week, 1) for week in (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)
)

#: Acute myelogenous leukaemia (Miller, Survival Analysis 1981; data set aml of R's survival).
MAINTAINED = (
    (9, 1), (13, 1), (13, 0), (18, 1), (23, 1), (28, 0), (31, 1), (34, 1), (45, 0), (48, 1),
    (161, 0),
)  # fmt: skip
NOT_MAINTAINED = (
    (5, 1), (5, 1), (8, 1), (8, 1), (12, 1), (16, 0), (23, 1), (27, 1), (30, 1), (33, 1), (43, 1),
    (45, 1),
)  # fmt: skip


def observations(pairs: Iterable[tuple[int, int]]) -> list[Observed]:
    """Times with their causes as codes, each of another subject."""
    return [Observed(uuid.UUID(int=n), time, _CAUSES[c]) for n, (time, c) in enumerate(pairs)]


def day(number: int) -> dt.date:
    return ZERO + dt.timedelta(days=number)


def span(first: int, last: int | None = None) -> Span:
    return Span(earliest=day(first), latest=day(first if last is None else last))


def course(number: int = 1, **said: Any) -> Course:
    """A course with its times as days from day zero; treated then unless said otherwise.

    `died` and `transplanted` are a day, or its first and last; `seen`, `cut`, `withdrawn`,
    `lost` are days.
    """
    fields: dict[str, Any] = {"dosed_on": ZERO, "anchor_on": ZERO}
    names = {"seen": "last_alive_on", "cut": "cut_on", "withdrawn": "withdrawn_on"}
    for name, value in ({"cut": 100} | said).items():
        if name in ("died", "transplanted"):
            days = value if isinstance(value, tuple) else (value,)
            fields[f"{name}_on"] = span(*days)
        elif isinstance(value, int):
            fields[names.get(name, f"{name}_on")] = day(value)
        else:
            fields[name] = value
    return Course(
        subject=uuid.UUID(int=number),
        number=f"001-{number:03d}",
        site="001",
        enrolled_on=day(-1),
        **fields,
    )


def near(found: Decimal | None, expected: str | float | Decimal, places: str = "1e-9") -> bool:
    """Whether an estimate is there and agrees to so many places."""
    assert found is not None
    return abs(found - Decimal(str(expected))) <= Decimal(places)
