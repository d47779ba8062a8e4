"""One way to show a form field: label, help, errors, all linked for a screen reader."""

from __future__ import annotations

from typing import Any

from django import forms, template
from django.forms.boundfield import BoundField

register = template.Library()

_CLASSES: tuple[tuple[type[forms.Widget], str], ...] = (
    (forms.CheckboxInput, "form-check-input"),
    (forms.CheckboxSelectMultiple, "form-check-input"),
    (forms.Select, "form-select"),
)


def _class_of(widget: forms.Widget) -> str:
    return next((name for kind, name in _CLASSES if isinstance(widget, kind)), "form-control")


@register.inclusion_tag("access/_field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """A field with everything that belongs to it."""
    widget = bound.field.widget
    classes = _class_of(widget) + (" is-invalid" if bound.errors else "")
    attrs: dict[str, str | bool] = {"class": classes}
    widget.attrs.pop("placeholder", None)
    return {
        "field": bound,
        "control": bound.as_widget(attrs=attrs),
        "is_checkbox": isinstance(widget, forms.CheckboxInput),
        "choices": list(bound) if isinstance(widget, forms.CheckboxSelectMultiple) else [],
    }
