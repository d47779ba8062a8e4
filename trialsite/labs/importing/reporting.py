"""A plan as plain data: what pages, API and CSV show of it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Container, Mapping
from typing import Any

from django.utils.translation import gettext as _

from trialsite.casebook.protocols import visit_name
from trialsite.core.spreadsheets import neutralise
from trialsite.core.units import unit_label
from trialsite.labs.importing.comparing import DrawKey, Item
from trialsite.labs.importing.outcomes import OPEN, SETTLED, WORDS, Outcome
from trialsite.labs.importing.planning import AS, LEAVE, TAKE, Plan, options_of
from trialsite.labs.results import canonical_of
from trialsite.labs.selectors import plain

#: Lines and draws that a report lists; the CSV has them all.
MOST_LISTED = 500


def basis_of(plan: Plan) -> dict[str, Any]:
    """What a comparison found, kept so that a choice about one line compares nothing again.

    `askable` are the lines of which something may be said: key, address, outcome, place among
    the draws, and what each option makes of the line ("" stands for no choice and for nothing
    written). `stamp` tells whether all this is still so.
    """
    places: dict[DrawKey, int] = {}
    asked = [_askable(plan, item, places) for item in plan.items if options_of(item)]
    settled = [item for item in plan.items if item.outcome is Outcome.NEW]
    new = Counter(_place(item, places) for item in settled)
    order = sorted(places, key=lambda key: (key.collected, str(key.subject_id), key.specimen))
    at = {places[key]: number for number, key in enumerate(order)}
    shown = [item for item in plan.items if _is_shown(item)]
    standing, people = plan.comparison.standing, {key.subject_id for key in places}
    return {
        "stamp": standing.stamp,
        "labels": standing.labels,
        "compared": plan.compared,
        "lines": len(plan.items),
        "counts": plan.counts,
        "unknown_people": len(
            {i.line.drawn.subject for i in plan.items if i.outcome is Outcome.UNKNOWN_PERSON}
        ),
        "people": len(people),
        "unchecked_people": len(people - plan.comparison.recognised),
        "settled": len(settled),
        "askable": [[*one[:3], at.get(one[3], -1), one[4]] for one in asked],
        "items": [said_item(plan, item) for item in shown[:MOST_LISTED]],
        "shown": len(shown),
        "draws": [_draw(plan, key, new[places[key]]) for key in order],
    }


def _place(item: Item, places: dict[DrawKey, int]) -> int:
    return places.setdefault(item.draw, len(places)) if item.draw else -1


def _askable(plan: Plan, item: Item, places: dict[DrawKey, int]) -> list[Any]:
    becomes = {}
    for said in ("", *options_of(item)):
        found = plan.becomes(item, said)
        if said or found is not None:
            becomes[said] = found.outcome.value if found else ""
    return [item.line.key, item.line.place, item.outcome.value, _place(item, places), becomes]


def report_of(basis: Mapping[str, Any], choices: Mapping[str, str]) -> dict[str, Any]:
    """Counts, the lines that need a look or change something, and the draws, as was chosen."""
    draws = [dict(each) for each in basis["draws"]]
    tally: Counter[str] = Counter(writes=basis["settled"])
    for key, _place, outcome, at, becomes in basis["askable"]:
        said = _said(choices, key, becomes)
        if not said and outcome in OPEN:
            tally["open"] += 1
            continue
        tally["left"] += said == LEAVE
        if found := becomes.get(said, ""):
            tally["writes"] += 1
            tally["changes"] += found == Outcome.CHANGED
            draws[at]["changed" if found == Outcome.CHANGED else "new"] += 1
    names = ("lines", "counts", "unknown_people", "people", "unchecked_people", "shown")
    options = {item["key"]: [each["value"] for each in item["options"]] for item in basis["items"]}
    return {
        **{name: basis[name] for name in names},
        **{name: tally[name] for name in ("open", "left", "changes", "writes")},
        "items": [
            item | {"choice": _said(choices, item["key"], options[item["key"]])}
            for item in basis["items"]
        ],
        "listed": len(basis["items"]),
        "draws": [each for each in draws if each["new"] or each["changed"]][:MOST_LISTED],
    }


def _said(choices: Mapping[str, str], key: str, options: Container[str]) -> str:
    said = choices.get(key, "")
    return said if said in options else ""


def _is_shown(item: Item) -> bool:
    return item.outcome not in SETTLED or item.outcome is Outcome.CHANGED


def said_item(plan: Plan, item: Item) -> dict[str, Any]:
    """One line with what may be said about it."""
    drawn = item.line.drawn
    subject = plan.comparison.standing.subjects.get(item.draw.subject_id) if item.draw else None
    return {
        "key": item.line.key,
        "line": drawn.line,
        "place": item.line.place,
        "outcome": item.outcome.value,
        "subject": subject.label if subject else drawn.subject[:40],
        "collected": drawn.collected.isoformat(" ", "minutes") if drawn.collected else "",
        "test": item.line.test[:80],
        "analyte": item.analyte,
        "text": item.text[:80],
        "unit": item.unit[:40],
        "specimen_ref": item.ref,
        "stands": item.stands,
        "message": item.message,
        "options": [_option(plan, item, each) for each in options_of(item)],
    }


def _option(plan: Plan, item: Item, option: str) -> dict[str, str]:
    if option == LEAVE:
        keeps = item.outcome is Outcome.CHANGED
        return {"value": option, "label": _("Keep what stands") if keeps else _("Leave out")}
    if option == TAKE:
        return {"value": option, "label": _("Take this one")}
    unit = option.removeprefix(AS)
    analyte = plan.comparison.matcher.analytes[item.analyte]
    value = plan.comparison.value_of(item)
    said = ""
    if value is not None:
        said = f" = {plain(canonical_of(analyte, value, unit))} {unit_label(analyte.unit)}"
    as_printed = f" ({_('as printed')})" if unit == item.unit else ""
    return {"value": option, "label": f"{item.text} {unit_label(unit)}{said}{as_printed}"}


def _draw(plan: Plan, key: DrawKey, new: int) -> dict[str, Any]:
    visit = plan.comparison.visit_of(key)
    draw = plan.comparison.draw_of(key)
    at = draw.panel.record.visit if draw else visit
    return {
        "subject": plan.comparison.standing.subjects[key.subject_id].label,
        "collected": key.collected.isoformat(" ", "minutes"),
        "visit": visit_name(at) if at else "",
        "panel": str(key.panel_id or ""),
        "new": new,
        "changed": 0,
    }


_COLUMNS = (
    *("line", "place", "outcome", "subject", "collected", "test", "analyte", "text", "unit"),
    *("specimen_ref", "stands", "message", "choice"),
)


def csv_of(plan: Plan) -> str:
    """Every line with its outcome; what a spreadsheet would run is made harmless."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for item in plan.items:
        said = said_item(plan, item) | {
            "outcome": str(WORDS[item.outcome]),
            "choice": plan.choice(item),
        }
        writer.writerow([neutralise(str(said[name])) for name in _COLUMNS])
    return out.getvalue()
