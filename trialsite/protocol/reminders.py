import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from .text import Text
from .values import Name, Value


class ReminderMoment(StrEnum):
    """What a reminder is counted from."""

    WINDOW_OPENS = "window_opens"
    TARGET_DAY = "target_day"
    LAST_WINDOW_DAY = "last_window_day"
    SESSION_ENDS = "session_ends"
    RECONSENT_DUE = "reconsent_due"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderRule:
    """A reminder: `days` and `hours` after its moment (negative: before), at a clock time of
    the site where `at` is given, to the holders of `roles`. `while_unattended`: only as long
    as the visit has not happened."""

    key: Name
    name: Text
    moment: ReminderMoment
    days: Annotated[int, Value("Days after", "天数")] = 0
    hours: Annotated[int, Value("Hours after", "小时数")] = 0
    at: Annotated[dt.time | None, Value("Clock time at the site", "中心当地时间")] = None
    roles: Annotated[tuple[str, ...], Value("Who is reminded", "提醒对象")]
    while_unattended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderPlan:
    """The reminder rules of the study; quiet hours are clock times at the site."""

    quiet_from: Annotated[dt.time | None, Value("Quiet from", "免打扰开始")] = None
    quiet_until: Annotated[dt.time | None, Value("Quiet until", "免打扰结束")] = None
    rules: tuple[ReminderRule, ...] = ()
