"""What an import would do, with what people said about single lines: the plan they look at.

Made anew whenever it is looked at and once more when it is taken; `digest` tells whether
both saw the same.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from trialsite.casebook.models import RecordStatus
from trialsite.casebook.protocols import protocol_of
from trialsite.core.exceptions import DomainError
from trialsite.exports.reading.files import read_table
from trialsite.exports.reading.problems import UnreadableFileError
from trialsite.exports.reading.tables import Table
from trialsite.labs.entry import PanelEntry, read_panel, texts_of
from trialsite.labs.importing.comparing import Comparison, DrawKey, Item, against
from trialsite.labs.importing.lines import Line, LineReader
from trialsite.labs.importing.mapping import stored_mapping
from trialsite.labs.importing.models import LabFileMapping
from trialsite.labs.importing.outcomes import OPEN, WRITTEN, Outcome
from trialsite.labs.importing.standing import Standing, StandingDraw
from trialsite.labs.models import Laboratory
from trialsite.labs.names import present_labs
from trialsite.labs.sheet import Sheet

LEAVE, TAKE, AS = "leave", "take", "as:"


@dataclass
class Plan:
    """The items of a file, each with what was chosen for it."""

    comparison: Comparison
    items: list[Item]
    read_as: str
    choices: Mapping[str, str] = field(default_factory=dict)

    def choice(self, item: Item) -> str:
        """What was said about an item; empty where nothing was, or it no longer fits."""
        said = self.choices.get(item.line.key, "")
        return said if said in options_of(item) else ""

    def decided(self, item: Item) -> Item | None:
        """The item as it is to be written; None where nothing is."""
        return self.becomes(item, self.choice(item))

    def becomes(self, item: Item, said: str) -> Item | None:
        """The same, if this were said about it."""
        if said == LEAVE or item.outcome not in WRITTEN | {Outcome.SLIP, Outcome.TWICE}:
            return None
        if item.outcome in WRITTEN:
            return item
        if not said:
            return None
        assert item.draw is not None
        chosen = replace(item, unit=said.removeprefix(AS)) if said.startswith(AS) else item
        draw = self.comparison.draw_of(item.draw)
        stands = draw.results.get(item.analyte) if draw else None
        found = against(chosen, stands, self.comparison.matcher.analytes[item.analyte])
        return None if found.outcome is Outcome.SAME else found

    @property
    def unsettled(self) -> Iterator[Item]:
        """What somebody must still decide."""
        return (each for each in self.items if each.outcome in OPEN and not self.choice(each))

    def by_draw(self) -> dict[DrawKey, list[Item]]:
        """What is to be written, by draw, in the order of time."""
        found: dict[DrawKey, list[Item]] = defaultdict(list)
        for item in filter(None, map(self.decided, self.items)):
            assert item.draw is not None
            found[item.draw].append(item)
        order = sorted(found, key=lambda key: (key.collected, str(key.subject_id), key.specimen))
        return {key: found[key] for key in order}

    def taken(self) -> dict[DrawKey, list[Item]]:
        """The same, for writing: each analyte of a draw from one line only, else DomainError."""
        found = self.by_draw()
        for items in found.values():
            seen: set[str] = set()
            for item in items:
                if item.analyte in seen:
                    message = _("Line %(place)s: this analyte is taken from another line already.")
                    raise DomainError(message % {"place": item.line.place})
                seen.add(item.analyte)
        return found

    @property
    def counts(self) -> dict[str, int]:
        """Lines by outcome."""
        return dict(Counter(item.outcome.value for item in self.items))

    @cached_property
    def compared(self) -> str:
        """SHA-256 over what the comparison found, whatever was said about it."""
        return _hash([item.comparable for item in self.items])

    @property
    def digest(self) -> str:
        """SHA-256 over everything that decides what would be written."""
        return digest_of(self.compared, self.choices)


def digest_of(compared: str, choices: Mapping[str, str]) -> str:
    """A comparison with what was said about its lines."""
    return _hash([compared, sorted(choices.items())])


def _hash(stated: object) -> str:
    return hashlib.sha256(json.dumps(stated, ensure_ascii=False).encode()).hexdigest()


def options_of(item: Item) -> tuple[str, ...]:
    """What may be said about an item."""
    if item.outcome is Outcome.SLIP:
        return (*(f"{AS}{unit}" for unit in item.units), LEAVE)
    if item.outcome is Outcome.TWICE:
        return (TAKE, LEAVE)
    return (LEAVE,) if item.outcome in OPEN | {Outcome.CHANGED} else ()


def plan_of(
    content: bytes,
    *,
    laboratory: Laboratory,
    mapping: LabFileMapping,
    choices: Mapping[str, str] | None = None,
    most: int | None = None,
) -> Plan:
    """Read a file and compare it with what stands now; raises UnreadableFileError.

    More than `most` results are refused: they are for the command that prepares large files.
    """
    table, lines = _read(content, laboratory, mapping, most)
    labels = {line.drawn.subject for line in lines if line.drawn.subject}
    comparison = Comparison(
        Standing(laboratory, labels), stored_mapping(mapping.text), present_labs()
    )
    plan = Plan(comparison, comparison.items(lines), table.read_as, choices or {})
    _send_to_pages(plan)
    return plan


def _read(
    content: bytes, laboratory: Laboratory, mapping: LabFileMapping, most: int | None
) -> tuple[Table, list[Line]]:
    spec = stored_mapping(mapping.text)
    table = read_table(content, spec.layout, wanted=spec.headers)
    reader = LineReader(
        table,
        spec,
        zone=laboratory.site.time_zone,
        laboratories=frozenset({laboratory.code, laboratory.name, laboratory.name_zh} - {""}),
    )
    lines = []
    for line in reader.lines():
        lines.append(line)
        if most is not None and len(lines) > most:
            message = _(
                "The file has more than %(n)d results. Divide it, or ask the data manager to "
                "prepare it with the command import_labs."
            )
            raise UnreadableFileError(message % {"n": most}, line=line.drawn.line)
    if not lines:
        raise UnreadableFileError(_("There is no result in this file."), line=table.header_line)
    return table, lines


def _send_to_pages(plan: Plan) -> None:
    """What would leave a completed draw incomplete is entered on its page, not here."""
    by_draw: dict[DrawKey, list[int]] = defaultdict(list)
    for at, item in enumerate(plan.items):
        if item.outcome in WRITTEN and item.draw and item.draw.panel_id:
            by_draw[item.draw].append(at)
    for key, places in by_draw.items():
        draw = plan.comparison.draw_of(key)
        if draw is None or draw.panel.record.status != RecordStatus.COMPLETE:
            continue
        problems = _problems(plan, draw, [plan.items[at] for at in places])
        for at in places if problems else ():
            said = problems.get(plan.items[at].analyte, "")
            message = said or _("This draw is complete: enter the change on its page.")
            plan.items[at] = replace(plan.items[at], outcome=Outcome.PAGE, message=message)


def _problems(plan: Plan, draw: StandingDraw, items: list[Item]) -> dict[str, str]:
    sheet = Sheet(draw.panel.record)
    entry = entry_of(sheet, plan.comparison.standing.laboratory, items)
    if entry.errors:
        return {name: " ".join(said) for name, said in entry.errors.items()}
    sheet.apply(entry, plan.comparison.standing.laboratory)
    return sheet.problems()


def entry_of(sheet: Sheet, laboratory: Laboratory, items: list[Item]) -> PanelEntry:
    """A draw as it stands with the items over it, read as the page would be read.

    A comment confirms the value it was written for, and a judgement is about that value:
    neither goes over to another one.
    """
    key = items[0].draw
    assert key is not None
    base = texts_of(None if sheet.is_new else sheet.panel, sheet.results.values())
    texts: dict[str, Any] = dict(base)
    texts["laboratory"] = texts.get("laboratory") or laboratory.code
    texts["collected_at"] = texts.get("collected_at") or key.collected.isoformat(timespec="minutes")
    specimen = next((each.line.drawn.specimen for each in items if each.line.drawn.specimen), "")
    texts["specimen"] = texts.get("specimen") or specimen
    for item in items:
        texts |= {item.analyte: item.text, f"{item.analyte}.unit": item.unit}
        texts[f"{item.analyte}.missing"] = ""
        texts[f"{item.analyte}.ref"] = item.ref or texts.get(f"{item.analyte}.ref", "")
        stated = (base.get(item.analyte, ""), base.get(f"{item.analyte}.unit", ""))
        if item.outcome is Outcome.CHANGED and stated != (item.text, item.unit):
            texts |= {f"{item.analyte}.confirm": "", f"{item.analyte}.sig": ""}
    protocol = protocol_of(sheet.record.protocol_version_id)
    return read_panel(protocol, texts, base=base)
