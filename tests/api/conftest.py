"""A client of the API, and data to ask it for."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.api.filling import texts_for
from tests.factories import Cast, as_person, make_record, make_subject, sign_in
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.crf.entry import read_texts
from trialsite.crf.registry import Form
from trialsite.crf.services import save_crf

API = "/api/v1/"


class ApiClient:
    """One person at the API: JSON in and out, a fresh Idempotency-Key unless one is given."""

    def __init__(self, user: User | None) -> None:
        self.client = sign_in(user) if user else Client()

    def get(self, path: str, **parameters: Any) -> Any:
        headers = parameters.pop("headers", None)
        return self.client.get(API + path, parameters, headers=headers)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: int | None = None,
        key: str | None = None,
        **headers: str,
    ) -> Any:
        headers = {"Accept": "application/json", **headers}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        if method == "POST":
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        content = body if isinstance(body, (bytes, str)) else json.dumps(body or {})
        return self.client.generic(method, API + path, content, "application/json", headers=headers)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.send("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.send("PUT", path, body, **options)


@pytest.fixture
def api(cast: Cast) -> Callable[[str], ApiClient]:
    """`api("nurse")`: the API as that member of the cast."""
    return lambda who: ApiClient(getattr(cast, who))


@pytest.fixture
def nurse(api: Callable[[str], ApiClient]) -> ApiClient:
    return api("nurse")


@pytest.fixture
def record(cast: Cast) -> CrfRecord:
    """A vital signs record of site 001 with nothing entered yet."""
    return make_record(make_subject(cast.site))


def fill(
    form: Form,
    site: Site,
    by: User,
    *,
    subject: Subject | None = None,
    repeat_key: int = 1,
    **changes: str,
) -> CrfRecord:
    """A record of this form with data in every item."""
    subject = subject or make_subject(site)
    record = make_record(subject, form_oid=form.oid, repeat_key=repeat_key)
    assert form.data is not None
    with as_person(by):
        entry = read_texts(form.data, texts_for(form.data) | changes)
        assert not entry.errors
        save_crf(record=record, entry=entry, by=by, base_version=0)
    return record
