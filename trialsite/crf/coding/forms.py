"""The fields of the pages on which terms are coded."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from trialsite.crf.coding.importing import decoded
from trialsite.crf.coding.services import Code
from trialsite.crf.coding.terms import STATES
from trialsite.crf.models import DICTIONARIES, Coding


def _select() -> forms.Select:
    return forms.Select(attrs={"class": "form-select form-select-sm"})


class TermFilter(forms.Form):
    """Which terms the worklist shows."""

    state = forms.ChoiceField(
        label=_("State"), choices=list(STATES.items()), required=False, widget=_select()
    )
    dictionary = forms.ChoiceField(
        label=_("Dictionary"),
        choices=[("", _("All")), *((name, name) for name in DICTIONARIES)],
        required=False,
        widget=_select(),
    )

    def asked(self) -> dict[str, str]:
        """What is asked for; what cannot be understood narrows nothing."""
        self.is_valid()
        return {
            "state": self.cleaned_data.get("state") or "open",
            "dictionary": self.cleaned_data.get("dictionary") or "",
        }


class CodeForm(forms.Form):
    """The code of one term, as the site's own dictionary says it."""

    version = forms.CharField(label=_("Version of the dictionary"), max_length=20)
    code = forms.CharField(label=_("Code"), max_length=40)
    term = forms.CharField(label=_("Term"), max_length=300)

    def __init__(self, *args: Any, dictionary: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.levels = DICTIONARIES[dictionary]
        for level in self.levels:
            self.fields[f"{level}_term"] = forms.CharField(
                label=level, max_length=300, required=False
            )
            self.fields[f"{level}_code"] = forms.CharField(
                label=_("%(level)s code") % {"level": level}, max_length=40, required=False
            )

    def code_of(self) -> Code:
        """What the service takes."""
        said = self.cleaned_data
        return Code(
            version=said["version"],
            code=said["code"],
            term=said["term"],
            levels={
                level: {"code": said[f"{level}_code"], "term": said[f"{level}_term"]}
                for level in self.levels
            },
        )


def initial_of(coding: Coding | None) -> dict[str, str]:
    """What the form shows of a code that stands, or of that of the same words elsewhere."""
    if coding is None:
        return {}
    shown = {"version": coding.version, "code": coding.code, "term": coding.term}
    for level, code, term in coding.above:
        shown |= {f"{level}_code": code, f"{level}_term": term}
    return shown


class ListForm(forms.Form):
    """A coding list, as a file or pasted."""

    file = forms.FileField(label=_("File"), required=False, allow_empty_file=True)
    text = forms.CharField(
        label=_("Or the table itself"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false", "class": "mono"}),
    )

    def content(self) -> str:
        """The list as text: the file where one is given, else what was pasted."""
        file = self.cleaned_data.get("file")
        return decoded(file.read()) if file else str(self.cleaned_data.get("text") or "")
