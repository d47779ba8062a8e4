"""What the pages of feasibility show."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from outcomes.endpoints.milestones import State
from outcomes.endpoints.numbers import Interval
from outcomes.pages.endpoints import (
    OVERALL,
    STATE_HEADINGS,
    TITLES,
    PointRow,
    StateCell,
    panels,
)
from outcomes.pages.numbers import interval, percent
from screening.eligibility.verdicts import Outcome
from trialsite.dashboard.feasibility.result import Judged, Result, Times
from trialsite.dashboard.feasibility.saying import (
    AGAINST,
    FULFILLED,
    UNKNOWN,
    Words,
    untold_sentence,
)
from trialsite.dashboard.feasibility.survival import endpoints_of_times, years
from trialsite.dashboard.models import SavedFeasibility
from trialsite.protocol import Protocol

#: States of a milestone that a table of times and statuses can have.
_STATES = (State.ALIVE_NATIVE, State.ALIVE_LT, State.DEAD, State.UNKNOWN)
_HEADINGS = [each for each in STATE_HEADINGS if each.key in set(_STATES)]


def _rows_at(**asked: str) -> str:
    """The address of the rows behind a figure."""
    return f"{reverse('dashboard:feasibility_result')}?{urlencode(asked)}#rows"


def result_context(words: Words, page: Page[Judged], asked: dict[str, str]) -> dict[str, Any]:
    """The answer page: the sentence, criteria, scores, and a page of rows."""
    found = words.result
    return {
        "found": found,
        "sentence": words.sentence(),
        "untold": untold_sentence(words),
        "cards": [
            {"title": _("Eligible"), "count": found.count(Outcome.ELIGIBLE),
             "href": _rows_at(who=Outcome.ELIGIBLE)},
            {"title": _("Not eligible"), "count": found.count(Outcome.INELIGIBLE),
             "href": _rows_at(who=Outcome.INELIGIBLE)},
            {"title": _("Not yet known"), "count": found.count(Outcome.NOT_YET_KNOWN),
             "href": _rows_at(who=Outcome.NOT_YET_KNOWN)},
            {"title": _("Everything met that the file can tell"), "count": found.possible,
             "href": _rows_at(who="possible")},
        ],
        "criteria": [
            {
                "line": line,
                "fulfilled_href": _rows_at(criterion=line.key, state=FULFILLED),
                "against_href": _rows_at(criterion=line.key, state=AGAINST),
                "unknown_href": _rows_at(criterion=line.key, state=UNKNOWN),
            }
            for line in words.criteria()
        ],
        "scores": [
            {
                "of": score,
                "versions": [(words.version(v.version), v) for v in score.versions],
                "flips_href": _rows_at(who="flips"),
            }
            for score in found.scores
        ],
        "page": page,
        "lines": [words.person(each) for each in page],
        "asked": {name: text for name, text in asked.items() if text},
    }  # fmt: skip


def survival_context(found: Result, times: Times, protocol: Protocol) -> dict[str, Any]:
    """The page of survival: the curves of the endpoints' page, over the file's own times."""
    endpoints = endpoints_of_times(times, protocol)
    curves = panels(endpoints, lambda **what: f"#every-{what.get('of', '')}")
    said = _(
        "Death is the event; at a transplantation the observation ends, for the file does not "
        "tell what came after. Kaplan–Meier, 95 % interval by log(−log)."
    )
    return {
        "found": found,
        "people": endpoints.enrolled,
        "panels": [replace(each, says=said) if each.key == OVERALL else each for each in curves],
        "anchor": _("days as the file counts them"),
        "headings": _HEADINGS,
        "milestones": [
            _milestone(each.day, {state.value: len(who) for state, who in each.subjects.items()})
            for each in endpoints.milestones
        ],
    }


def _milestone(day: int, counts: dict[str, int]) -> dict[str, Any]:
    """A day as the table of the endpoints' page has it; nobody of a file can be opened."""
    return {
        "day": day,
        "name": _("%(n)s years") % {"n": years(day)} if day >= 365 else "",
        "states": [
            StateCell(key=state.value, count=counts[state.value], href="") for state in _STATES
        ],
    }


def saved_context(saved: SavedFeasibility, protocol: Protocol) -> dict[str, Any]:
    """The counts that were kept, as tables."""
    counts = saved.counts
    language = get_language() or "en"
    texts = {each.id: each.text.in_language(language) for each in protocol.criteria}
    return {
        "saved": saved,
        "counts": counts,
        "tallies": [
            {**each, "text": texts.get(each["criterion"], "")} for each in counts["tallies"]
        ],
        "survival": _saved_survival(counts.get("survival")),
        "headings": _HEADINGS,
    }


def _saved_survival(counts: dict[str, Any] | None) -> dict[str, Any] | None:
    if counts is None:
        return None
    return {
        "people": counts["people"],
        "curves": [
            {
                "key": key,
                "title": title,
                "points": list(map(_saved_point, counts[key])),
                "events": counts["events"][key],
            }
            for key, title in TITLES.items()
        ],
        "milestones": [_milestone(each["day"], each["states"]) for each in counts["milestones"]],
    }


def _saved_point(kept: dict[str, Any]) -> PointRow:
    value, low, high = (kept[name] and Decimal(kept[name]) for name in ("value", "low", "high"))
    limits = None if low is None or high is None else Interval(low=low, high=high)
    return PointRow(
        day=kept["day"],
        at_risk=kept["at_risk"],
        at_risk_href="",
        value=percent(value),
        interval=interval(limits),
        absent="",
        known=value is not None,
    )
