from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from .text import Text
from .values import Interval, Name, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistItem:
    """Something confirmed before a session starts; a "no" needs the physician's reason."""

    key: Name
    name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSchedule:
    """When a session's readings are due, in minutes."""

    from_start: Annotated[tuple[int, ...], Value("Minutes from start", "开始后分钟数")]
    every: Annotated[int, Value("Then every, minutes", "此后每隔（分钟）")]
    after_end: Annotated[tuple[int, ...], Value("Minutes after the end", "结束后分钟数")]
    interval_for_count: Annotated[
        int, Value("One reading at least per, minutes", "至少每隔一次（分钟）")
    ]
    extra_count: Annotated[int, Value("And at least this many more", "另加最少次数")]

    def due_minutes(self, duration: int) -> tuple[int, ...]:
        """Minutes from the start at which readings are due in a session of `duration` minutes,
        the end included, ascending."""
        first_repeat = max((*self.from_start, 0)) + self.every
        during = (*self.from_start, *range(first_repeat, duration, self.every), duration)
        kept = (minute for minute in during if minute <= duration)
        return tuple(sorted({*kept, *(duration + minute for minute in self.after_end)}))

    def fewest(self, duration: int) -> int:
        """The number of readings a completed session of `duration` minutes has at least."""
        return duration // self.interval_for_count + self.extra_count


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """The plan of treatment sessions. Hours and minutes as named; `required_items` are the
    fields a completed session record must have beyond the essentials."""

    sessions_at_most: Annotated[int, Value("Sessions at most", "最多治疗次数")]
    within_days: Annotated[int, Value("Within days", "治疗周期（天）")]
    spacing_hours: Annotated[Interval, Value("Planned spacing, hours", "计划间隔（小时）")]
    gap_hours: Annotated[Decimal, Value("Least gap, hours", "最短间隔（小时）")]
    plan_tolerance_days: Annotated[int, Value("Tolerance to plan, days", "计划日期允差（天）")]
    duration_hours: Annotated[Interval, Value("Usual duration, hours", "常规时长（小时）")]
    duration_tolerance_minutes: Annotated[
        int, Value("Tolerance of duration, minutes", "时长允差（分钟）")
    ]
    labs_within_hours: Annotated[
        Decimal, Value("Labs before a session within, hours", "治疗前化验时限（小时）")
    ]
    post_labs_within_hours: Annotated[
        Decimal, Value("Labs after a session within, hours", "治疗后化验时限（小时）")
    ]
    post_lab_panels: Annotated[tuple[str, ...], Value("Lab panels after", "治疗后化验组合")] = ()
    cells_stable_hours: Annotated[
        Decimal | None, Value("Thaw to circuit within, hours", "复苏至接入时限（小时）")
    ] = None
    distinct_checkers: Annotated[int, Value("People at the identity check", "身份核对人数")]
    required_items: Annotated[tuple[str, ...], Value("Required fields", "必填项")] = ()
    checklist: tuple[ChecklistItem, ...] = ()
    readings: ReadingSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLimits:
    """What is expected of one measured item, in its UCUM unit: outside `soft` a query,
    outside `hard` no completion without confirmation. Neither refuses a value."""

    item: Name
    name: Text
    unit: str
    soft: Annotated[Interval | None, Value("Expected range", "预期范围")] = None
    hard: Annotated[Interval | None, Value("Range without confirmation", "免确认范围")] = None
