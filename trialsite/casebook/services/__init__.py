"""Subjects, their visits and the records expected of them."""

from __future__ import annotations

from trialsite.casebook.services.closings import (
    close_schedule,
    closed_problem,
    record_death,
    reopen_schedule,
    revoke_death,
)
from trialsite.casebook.services.participation import set_participation
from trialsite.casebook.services.records import (
    expect_records,
    mark_not_done,
    open_record,
    void_record,
)
from trialsite.casebook.services.schedule import add_visit, lay_out_visits, set_day_zero
from trialsite.casebook.services.subjects import (
    add_subject,
    give_subject_number,
    move_in_screening,
    next_number,
    set_consent_state,
    take_back_subject_number,
)
from trialsite.casebook.services.visits import (
    attend_visit,
    cancel_visit,
    miss_visit,
    open_visit,
    take_back_visit,
)

__all__ = [
    "add_subject",
    "add_visit",
    "attend_visit",
    "cancel_visit",
    "close_schedule",
    "closed_problem",
    "expect_records",
    "give_subject_number",
    "lay_out_visits",
    "mark_not_done",
    "miss_visit",
    "move_in_screening",
    "next_number",
    "open_record",
    "open_visit",
    "record_death",
    "reopen_schedule",
    "revoke_death",
    "set_consent_state",
    "set_day_zero",
    "set_participation",
    "take_back_subject_number",
    "take_back_visit",
    "void_record",
]
