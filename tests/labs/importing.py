"""Files and people for tests of importing."""

from __future__ import annotations

import html
import re
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from screening.models.forms.demographics import Demographics
from tests.factories import given, make_record, sign_in
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.labs.importing.models import LabImport
from trialsite.labs.models import Laboratory

#: One result a row, as short as it can be said.
LONG = """\
layout:
  missing: ["-"]
columns:
  subject: who
  collected: when
  analyte: test
  result: result
  unit: unit
specimen: SERUM
"""
HEAD = "who,when,test,result,unit\n"
AT = "2026-03-05 07:30"


@given
def make_person(subject: Subject, *, sex: str = "", born: str = "") -> None:
    """The subject's demographics as the form has them."""
    record = make_record(subject, form_oid="F.DM")
    fields: dict[str, Any] = {"sex": sex} if sex else {}
    if born:
        fields["birth_date"] = born
    Demographics.objects.create(
        record=record, site_id=subject.site_id, subject_id=subject.pk, **fields
    )


def rows(subject: Subject, *results: str, at: str = AT) -> str:
    """Lines of one draw: `test,result,unit`."""
    return "".join(f"{subject.screening_number},{at},{each}\n" for each in results)


class Desk:
    """One person at the pages of importing."""

    def __init__(self, user: User, language: str = "en") -> None:
        self.client = sign_in(user, headers={"Accept-Language": language})
        given(type(user).objects.filter(pk=user.pk).update)(language=language)
        self.status, self.html, self.address = 0, "", ""

    def open(self, address: str) -> Desk:
        answer = self.client.get(address)
        self.status, self.html, self.address = answer.status_code, answer.content.decode(), address
        return self

    def post(self, address: str, **fields: Any) -> Desk:
        answer = self.client.post(address, fields)
        if answer.status_code == 302:
            return self.open(answer["Location"])
        self.status, self.html = answer.status_code, answer.content.decode()
        return self

    def upload(self, laboratory: Laboratory, content: bytes, name: str = "x.csv") -> Desk:
        file = SimpleUploadedFile(name, content)
        return self.post("/labs/imports/", laboratory=str(laboratory.pk), file=file)

    def choose(self, **fields: str) -> Desk:
        return self.post(self.address, **fields)

    def accept(self, reason: str = "") -> Desk:
        digest = re.search(r'name="digest" value="([^"]*)"', self.html)
        return self.post(
            f"{self.address}accept/", digest=digest[1] if digest else "", reason=reason
        )

    @property
    def counts(self) -> dict[str, int]:
        """Word -> count, as the page shows them first."""
        found = re.findall(r'<li class="import-count.*?</li>', self.html, re.DOTALL)
        texts = [" ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", e).split()) for e in found]
        pairs = [text.partition(" ") for text in texts]
        return {html.unescape(rest).partition(" 1 ")[0]: int(count) for count, _s, rest in pairs}

    @property
    def said(self) -> str:
        """The page's text."""
        text = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", self.html, flags=re.DOTALL)
        return html.unescape(" ".join(text.split()))

    @property
    def found(self) -> LabImport:
        key = self.address.rstrip("/").rpartition("/")[2]
        return LabImport.objects.get(pk=key)
