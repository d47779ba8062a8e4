"""A plan as plain data: what pages, API and CSV show of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from trialsite.casebook.protocols import visit_name
from trialsite.core.spreadsheets import neutralise
from trialsite.core.units import unit_label
from trialsite.labs.importing.comparing import Item
from trialsite.labs.importing.outcomes import SETTLED, WORDS, Outcome
from trialsite.labs.importing.planning import AS, LEAVE, TAKE, Plan, options_of
from trialsite.labs.results import canonical_of
from trialsite.labs.selectors import plain

#: Lines and draws that a report lists; the CSV has them all.
MOST_LISTED = 500


def report_of(plan: Plan) -> dict[str, Any]:
    """Counts, the lines that need a look or change something, and the draws."""
    shown = [item for item in plan.items if _is_shown(item)]
    unknown = {i.line.drawn.subject for i in plan.items if i.outcome is Outcome.UNKNOWN_PERSON}
    return {
        "lines": len(plan.items),
        "counts": plan.counts,
        "unknown_people": len(unknown),
        "open": sum(1 for _each in plan.unsettled),
        "left": sum(plan.is_left(item) for item in plan.items),
        "changes": sum(
            found is not None and found.outcome is Outcome.CHANGED
            for found in map(plan.decided, plan.items)
        ),
        "writes": sum(plan.decided(item) is not None for item in plan.items),
        "items": [said_item(plan, item) for item in shown[:MOST_LISTED]],
        "listed": min(len(shown), MOST_LISTED),
        "shown": len(shown),
        "draws": list(_draws(plan))[:MOST_LISTED],
    }


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
        "choice": plan.choice(item),
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


def _draws(plan: Plan) -> Iterator[dict[str, Any]]:
    for key, items in plan.by_draw().items():
        visit = plan.comparison.visit_of(key)
        draw = plan.comparison.draw_of(key)
        at = draw.panel.record.visit if draw else visit
        yield {
            "subject": plan.comparison.standing.subjects[key.subject_id].label,
            "collected": key.collected.isoformat(" ", "minutes"),
            "visit": visit_name(at) if at else "",
            "panel": str(key.panel_id or ""),
            "new": sum(item.outcome is Outcome.NEW for item in items),
            "changed": sum(item.outcome is Outcome.CHANGED for item in items),
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
        said = said_item(plan, item) | {"outcome": str(WORDS[item.outcome])}
        writer.writerow([neutralise(str(said[name])) for name in _COLUMNS])
    return out.getvalue()
