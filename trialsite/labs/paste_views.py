"""A pasted block on its way into the grid: understood line by line, looked at, accepted.

Accepting fills the person's draft of the panel and saves nothing in the casebook; what is
refused comes back with every choice in place.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from decimal import Decimal

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.core.units import unit_label
from trialsite.crf.posting import integer
from trialsite.crf.services import save_draft
from trialsite.labs.entry import read_result
from trialsite.labs.pages import differing, page_of, short
from trialsite.labs.paste_words import PROBLEMS
from trialsite.labs.pasting import MOST_LINES, PastedRow, PasteError, PasteProblem, parse_block
from trialsite.labs.results import suspect_unit
from trialsite.labs.sheet import Sheet
from trialsite.labs.views import lab_record, posted_page
from trialsite.protocol.labs import Analyte

LONGEST_BLOCK = 100_000


@dataclass(slots=True)
class Proposal:
    """One pasted line as the preview shows it, and as it came back."""

    number: int
    source: str
    analyte: str = ""
    name: str = ""
    text: str = ""
    unit: str = ""
    take: bool = False
    problem: str = ""
    error: str = ""
    stands: str = ""
    canonical: str = ""
    #: Choices of a suspected slip: unit, label, canonical value.
    slip: list[tuple[str, str, str]] = field(default_factory=list)
    units: list[tuple[str, str]] = field(default_factory=list)
    candidates: list[tuple[str, str]] = field(default_factory=list)

    @property
    def fields(self) -> dict[str, str]:
        """What taking the line puts onto the page. A comment confirms the value it was written
        for, and a judgement is about that value: neither goes over to another one."""
        key = self.analyte
        found = {key: self.text, f"{key}.unit": self.unit, f"{key}.missing": ""}
        return found | ({f"{key}.confirm": "", f"{key}.sig": ""} if self.changes else {})

    @property
    def changes(self) -> bool:
        return bool(self.stands)


class Preview:
    """The proposals of a block over what stands on the panel."""

    def __init__(self, request: StaffRequest, pk: uuid.UUID) -> None:
        self.record = lab_record(request, pk)
        self.sheet = Sheet(self.record)
        self.page = posted_page(request, self.record)
        self.analytes = self.sheet.analytes
        self.names = dict(self._names())

    def _names(self) -> list[tuple[str, str]]:
        from_protocol = self.sheet.protocol.labs.analytes
        chinese = (get_language() or "").startswith("zh")
        names = [(each.key, each.name.en, each.name.zh) for each in from_protocol]
        return [(key, f"{zh} · {en}" if chinese else f"{en} · {zh}") for key, en, zh in names]

    def previous(self) -> dict[str, Decimal]:
        """The last exact canonical values, for the suspicion of a slip."""
        return {
            key: fact.canonical
            for key, fact in self.sheet.previous.items()
            if fact.canonical is not None and not fact.comparator
        }

    def of_block(self, block: str) -> list[Proposal]:
        """A proposal for each line; PasteError for a block that is not read at all."""
        pasted = parse_block(block, analytes=self.analytes.values(), previous=self.previous())
        return [self._of_row(row) for row in pasted.rows]

    def _of_row(self, row: PastedRow) -> Proposal:
        found = Proposal(
            number=row.line,
            source=" · ".join(cell for cell in row.cells if cell),
            analyte=row.analyte or "",
            text=row.text,
            unit=row.unit or "",
            take=row.analyte is not None and row.problem is PasteProblem.NONE,
            problem=str(PROBLEMS.get(row.problem, "")),
        )
        found.candidates = [(key, self.names[key]) for key in row.candidates or self.names]
        self.complete(found)
        return found

    def complete(self, found: Proposal) -> None:
        """Units, conversion, slip and what stands, from analyte, text and unit."""
        analyte = self.analytes.get(found.analyte)
        if analyte is None:
            return
        found.name = self.names[analyte.key]
        found.units = [(unit, unit_label(unit) or _("no unit")) for unit in analyte.accepted_units]
        texts = self.page.texts
        stands = texts.get(analyte.key, "")
        unit = texts.get(f"{analyte.key}.unit", "")
        if stands and (stands, unit) != (found.text, found.unit):
            found.stands = f"{stands} {unit_label(unit)}".strip()
        self._judge(found, analyte)

    def _judge(self, found: Proposal, analyte: Analyte) -> None:
        try:
            comparator, value = read_result(analyte, found.text)
        except ValidationError as error:
            found.take = False
            found.problem = found.problem or " ".join(error.messages)
            return
        if value is None or found.unit not in analyte.accepted_units:
            return
        shown = short(value * analyte.factor(found.unit))
        found.canonical = f"{comparator}{shown} {unit_label(analyte.unit)}".strip()
        slip = suspect_unit(analyte, value, found.unit, self.previous().get(analyte.key))
        if slip is None:
            return
        for unit in (slip.suggested_unit, *slip.others, found.unit):
            said = f"{short(value * analyte.factor(unit))} {unit_label(analyte.unit)}".strip()
            found.slip.append((unit, unit_label(unit) or _("no unit"), said))

    def posted(self, request: StaffRequest) -> list[Proposal]:
        """The proposals as the person sends them back."""
        numbers = [integer(text) for text in request.POST.getlist("line")][:MOST_LINES]
        return [self._posted(request, number) for number in numbers if number >= 0]

    def _posted(self, request: StaffRequest, number: int) -> Proposal:
        def part(name: str) -> str:
            return request.POST.get(f"p{number}.{name}", "").replace("\x00", "").strip()[:200]

        found = Proposal(
            number=number,
            source=part("source"),
            analyte=part("analyte"),
            text=part("text"),
            unit=part("slip") or part("unit"),
            take=bool(part("take")),
        )
        asked = bool(part("asked"))
        found.candidates = list(self.names.items())
        self.complete(found)
        found.take = bool(part("take"))
        found.error = self._error(found, asked=asked, answered=bool(part("slip")))
        return found

    def _error(self, found: Proposal, *, asked: bool, answered: bool) -> str:
        if not found.take:
            return ""
        analyte = self.analytes.get(found.analyte)
        if analyte is None:
            return _("Choose the analyte, or leave the line out.")
        try:
            _comparator, value = read_result(analyte, found.text)
        except ValidationError as error:
            return " ".join(error.messages)
        if value is not None and found.unit not in analyte.accepted_units:
            return _("Say in which unit the laboratory reports.")
        if found.slip and not answered and (asked or found.unit != found.slip[0][0]):
            return _("Choose the unit that the laboratory meant.")
        return ""


def _without_twins(proposals: list[Proposal]) -> None:
    taken: dict[str, Proposal] = {}
    for each in proposals:
        if each.take and each.analyte in taken and not each.error:
            each.error = _("This analyte is taken from another line already.")
        elif each.take and each.analyte:
            taken[each.analyte] = each


@requires(Capability.ENTER_DATA)
@require_POST
def paste(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Show how a pasted block is understood; what was typed on the page is kept as draft."""
    preview = Preview(request, pk)
    block = request.POST.get("block", "").replace("\x00", "")
    try:
        _keep(request, preview, differing(preview.page.texts, preview.page.base))
        if len(block) > LONGEST_BLOCK:
            raise PasteError
        proposals = preview.of_block(block)
    except PasteError:
        messages.error(
            request, _("This is more than a panel. Paste up to %(n)d lines.") % {"n": MOST_LINES}
        )
        return redirect("labs:panel", pk)
    except NotPermittedError:
        raise
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("labs:panel", pk)
    if not proposals:
        messages.error(request, _("There is nothing to read in what was pasted."))
        return redirect("labs:panel", pk)
    return _render(request, preview, proposals)


@requires(Capability.ENTER_DATA)
@require_POST
def accept(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Put the chosen lines into the grid as a draft, or say what must be chosen first."""
    preview = Preview(request, pk)
    # The preview sends the lines only; what stands is the panel with what was typed before.
    preview.page.texts = page_of(preview.record, request.user).texts
    proposals = preview.posted(request)
    _without_twins(proposals)
    if any(each.error for each in proposals):
        return _render(request, preview, proposals, status=422)
    texts: dict[str, str] = {}
    for each in proposals:
        if each.take:
            texts |= each.fields
    try:
        _keep(request, preview, texts)
    except NotPermittedError:
        raise
    except DomainError as error:
        messages.error(request, str(error))
        return _render(request, preview, proposals, status=409)
    taken = sum(each.take for each in proposals)
    messages.success(
        request,
        _("%(n)d results are on the page. They are not yet saved in the casebook.") % {"n": taken},
    )
    if left := len(proposals) - taken:
        messages.warning(
            request,
            ngettext(
                "%(n)d line was left out. Check it against the printout.",
                "%(n)d lines were left out. Check them against the printout.",
                left,
            )
            % {"n": left},
        )
    return redirect("labs:panel", pk)


def _keep(request: StaffRequest, preview: Preview, texts: dict[str, str]) -> None:
    """Lay texts into the person's draft; a fresh page token, for the page will be another."""
    if not texts:
        return
    save_draft(
        record=preview.record,
        texts=texts,
        by=request.user,
        base_version=max(preview.page.version, 0),
        page=str(uuid.uuid4()),
    )


def _render(
    request: StaffRequest, preview: Preview, proposals: list[Proposal], *, status: int = 200
) -> HttpResponse:
    context = {
        "record": preview.record,
        "proposals": proposals,
        "version": preview.page.version,
        "ready": sum(each.take for each in proposals),
        "asking": sum(bool(each.slip) for each in proposals),
    }
    return render(request, "labs/paste.html", context, status=status)
