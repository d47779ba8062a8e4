"""The cells of the grid as HTML: what was typed, how it stands to the usual, what is wrong.

Some four hundred cells stand on a page that is asked for again every few seconds; a
template for each would cost more than the whole rest of the page (docs/benchmarks.md).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from trialsite.crf.items import Item
from trialsite.crf.limits import Limits
from visits.runsheet.columns import Column

_HIGH, _LOW = "high", "low"


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of one reading on the page."""

    column: Column
    #: What the field shows: as typed, else as stored.
    text: str
    errors: tuple[str, ...] = ()
    #: What somebody else saved meanwhile, where it differs from what was typed.
    theirs: str | None = None
    #: Whether a comment confirms the value, and that comment.
    confirmed: str = ""
    queried: bool = False
    missing: str = ""

    def html(self, row: str, *, editable: bool) -> SafeString:
        """The table cell; `row` is the id of its reading."""
        mark, word = self._mark()
        names = ["tx-cell", f"tx-{self.column.kind}"]
        names += ["tx-band"] if self.column.starts_band else []
        names += [f"is-{mark}"] if mark else []
        names += ["is-wrong"] if self.errors else []
        shown = self._entry(row) if editable and not self.column.item.derived else self._read()
        said = self._said(mark, word, row)
        return format_html(
            '<td class="{}" data-cell="{}">{}<div class="tx-note">{}</div></td>',
            " ".join(names),
            self.column.name,
            shown,
            said,
        )

    def _read(self) -> SafeString:
        words = {str(code): str(word) for code, word in self.column.item.choices}
        text = words.get(self.text, self.text)
        return format_html('<output class="tx-value">{}</output>', text)

    def _entry(self, row: str) -> SafeString:
        item = self.column.item
        name = f"r.{row}.{item.name}"
        invalid = format_html(' aria-invalid="{}"', "true") if self.errors else ""
        described = format_html(' aria-describedby="n-{}-{}"', row, item.name)
        if item.choices:
            return format_html(
                '<select class="form-select" name="{}" aria-label="{}"{}{}>{}</select>',
                name,
                item.label,
                invalid,
                described,
                _options(item, self.text),
            )
        return format_html(
            '<input class="form-control" name="{}" aria-label="{}" value="{}" type="text" '
            'autocomplete="off"{}{}{}>',
            name,
            item.label,
            self.text,
            self.column.attributes,
            invalid,
            described,
        )

    def _mark(self) -> tuple[str, str]:
        """Above or below the usual, and how that is said."""
        value = number_of(self.text)
        if value is None or not self.column.is_number:
            return "", ""
        return judged(self.column.limits, value)

    def _said(self, mark: str, word: str, row: str) -> SafeString:
        """What stands under the field."""
        parts: list[SafeString] = []
        if mark:
            sign = "▲" if mark.startswith(_HIGH) else "▼"
            parts.append(format_html('<span class="tx-mark" title="{}">{}</span>', word, sign))
            parts.append(format_html('<span class="visually-hidden">{}</span>', word))
        if self.missing:
            parts.append(format_html('<span class="tx-missing">{}</span>', self.missing))
        if self.confirmed:
            parts.append(
                format_html('<span class="tx-confirmed" title="{}">✓</span>', self.confirmed)
            )
        if self.queried:
            parts.append(
                format_html('<a class="tx-query" href="#queries-title">{}</a>', _("Query"))
            )
        parts += [format_html('<span class="tx-error">{}</span>', error) for error in self.errors]
        if self.theirs is not None:
            parts.append(self._choice(row))
        said = format_html_join("", "{}", ((part,) for part in parts))
        if self.column.item.derived:
            return said
        return format_html('<span id="n-{}-{}">{}</span>', row, self.column.name, said)

    def _choice(self, row: str) -> SafeString:
        """Both values; the person decides."""
        words = {str(code): str(word) for code, word in self.column.item.choices}
        name = f"r.{row}.{self.column.name}.keep"
        return format_html(
            '<fieldset class="tx-conflict" data-theirs="{}"><legend>{}</legend>'
            '<label><input type="radio" name="{}" value="mine" required> {} <b>{}</b></label>'
            '<label><input type="radio" name="{}" value="theirs"> {} <b>{}</b></label></fieldset>',
            self.theirs or "",
            _("Two values"),
            name,
            _("Yours:"),
            words.get(self.text, self.text) or "–",
            name,
            _("Saved meanwhile:"),
            words.get(self.theirs or "", self.theirs) or "–",
        )


def judged(limits: Limits, value: Decimal) -> tuple[str, str]:
    """`high`, `low`, `high-far`, `low-far` or nothing; and the words for it."""
    usual, plausible = limits.usual, limits.plausible
    far = plausible is not None and value not in plausible
    range_ = plausible if far else usual
    if range_ is None or (not far and value in range_):
        return "", ""
    side = _LOW if range_.low is not None and value < range_.low else _HIGH
    if far:
        return f"{side}-far", _("Outside the plausible range: to be confirmed at the end")
    return side, _("Above the usual range") if side == _HIGH else _("Below the usual range")


def number_of(text: str) -> Decimal | None:
    """The number a text stands for, however its digits were typed; None where it is none."""
    plain = unicodedata.normalize("NFKC", text).strip().replace("。", ".").replace("−", "-")
    try:
        value = Decimal(plain)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _options(item: Item, chosen: str) -> SafeString:
    choices: Iterable[tuple[str, str]] = [("", "–"), *((str(c), str(w)) for c, w in item.choices)]
    return format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        (
            (code, format_html(" {}", "selected") if code == chosen else "", word)
            for code, word in choices
        ),
    )
