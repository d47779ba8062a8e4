from dataclasses import dataclass
from typing import Annotated

from .values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """How long a participant is looked for before being called lost, and what a
    transplantation changes. `attempts_over_days` counts from the first attempt to the last."""

    attempts_at_least: Annotated[int, Value("Attempts at contact, at least", "联系次数不少于")]
    attempt_days: Annotated[int, Value("On different days, at least", "不同日期不少于（天）")]
    attempts_over_days: Annotated[
        int,
        Value("Days from the first attempt to the last, at least", "首末次间隔不少于（天）"),
    ]
    labs_after_transplantation: Annotated[
        bool, Value("Laboratory tests expected after a transplantation", "移植后仍须化验")
    ] = True
