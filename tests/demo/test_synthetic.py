"""Whatever leaves the demonstration says that it is one: pages, documents, files, mails.

The pages are found by walking: each person follows every link that they are shown. The
companion holds what was walked against the URLconf, so that a page nobody links to, or a
kind of answer nobody thought of, is missed by name.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdf
import pytest
from django.db import connections
from django.test import Client, override_settings
from django.urls import Resolver404, resolve
from django.utils.translation import gettext, override

from tests import databases
from tests.access.test_every_url import VIEWS
from tests.access.test_every_url import _path as path_of
from tests.demo.making import demonstration
from tests.factories import make_subject, sign_in
from trialsite.access.context import context_of, system_context
from trialsite.access.models import User
from trialsite.casebook.selectors import current_version
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel, acting
from trialsite.crf.odm import document
from trialsite.demo.marking import HEADER, MARK
from trialsite.demo.people import PEOPLE
from trialsite.exports.archive import MANIFEST, write_archive
from trialsite.exports.registry import datasets
from trialsite.notify.letters import compose
from trialsite.notify.models import DIGEST, Notice

_LINK = re.compile(r'(?:href|hx-get|src|action)="(/[^"#]*)')


@dataclass(slots=True)
class Walk:
    """What was seen: the names of views, and every answer that said nothing."""

    seen: set[str] = field(default_factory=set)
    silent: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def demo(django_db_blocker) -> Iterator[None]:
    with (
        django_db_blocker.unblock(),
        demonstration(databases.of_this_process("synthetic")) as name,
        databases.using(name),
        override_settings(DEMO=True, ENVIRONMENT="DEMO"),
    ):
        yield
        for connection in connections.all():
            connection.close()


@pytest.fixture(scope="module")
def walked(demo) -> Walk:
    """Everybody's walk from their first page; what one has seen, the next passes by."""
    found = Walk()
    with acting(system_context("test", Channel.COMMAND)):
        users = [User.objects.get(email=person.email) for person in PEOPLE]
    for user in users:
        walk(found, sign_in(user), user.language)
    return found


@pytest.fixture
def visitor(demo) -> Client:
    with acting(system_context("test", Channel.COMMAND)):
        return sign_in(User.objects.get(email="pi@demo.example"))


def walk(found: Walk, client: Client, language: str) -> None:
    waiting, known = deque(["/"]), {"/"}
    while waiting:
        path = waiting.popleft()
        name = name_of(path)
        if name is None or (name in found.seen and path != "/"):
            continue
        answer = client.get(path)
        if answer.status_code != 200:
            continue
        found.seen.add(name)
        content = whole(answer)
        kind = answer.get("Content-Type", "").split(";")[0]
        found.kinds[kind] += 1
        if not says_so(answer, kind, content, language):
            found.silent.append(f"{name} {path}")
        if kind == "text/html":
            for link in dict.fromkeys(_LINK.findall(content.decode())):
                link = link.replace("&amp;", "&")
                if link not in known:
                    known.add(link)
                    waiting.append(link)


def name_of(path: str) -> str | None:
    """The view of an address; None for what is no page of ours, or ends the visit."""
    try:
        match = resolve(path.partition("?")[0])
    except Resolver404:
        return None
    return None if match.view_name in LEAVING else match.view_name


LEAVING = {"account_logout"}
CODE = ("trialsite", "screening", "visits", "outcomes", "samples")


def whole(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def says_so(answer: Any, kind: str, content: bytes, language: str) -> bool:
    """In its head; a page by its banner, a document on every sheet, a file by its name."""
    if answer.get(HEADER) != MARK:
        return False
    if kind == "application/pdf":
        pages = pypdf.PdfReader(io.BytesIO(content)).pages
        return all(MARK in page.extract_text() for page in pages)
    if kind == "text/html":
        with override(language):
            banner = gettext("SYNTHETIC DATA")
        return b"<html" not in content or banner in content.decode()
    return MARK in answer.get("Content-Disposition", MARK)


def test_everything_that_anybody_is_shown_says_so(walked):
    assert walked.silent == []
    assert walked.kinds["text/html"] > 100
    assert walked.kinds["application/pdf"] >= 1


def test_where_no_link_led_the_answer_says_so_too(walked, visitor):
    """A walk is as wide as its story; what nobody came by is asked for by its address."""
    for (route, name), _view in VIEWS:
        if name not in walked.seen | LEAVING:
            answer = visitor.get(path_of(route))
            kind = answer.get("Content-Type", "").split(";")[0]
            if answer.status_code < 500:
                assert says_so(answer, kind, whole(answer), "en"), f"{name} {answer.status_code}"


def test_every_whole_page_is_built_on_one_that_carries_the_banner():
    """The list is complete: no other template begins a page, so no page is without it."""
    roots = {
        path.name: path.read_text(encoding="utf-8")
        for package in CODE
        for path in (databases.ROOT / package).rglob("*.html")
        if "<html" in path.read_text(encoding="utf-8")
    }
    assert set(roots) == {"base.html", "entrance.html"}
    assert '{% include "_environment.html" %}' in roots["entrance.html"]
    assert '{% include "_topbar.html" %}' in roots["base.html"]
    bar = databases.ROOT / "trialsite/templates/_topbar.html"
    assert '{% include "_environment.html" %}' in bar.read_text(encoding="utf-8")


def test_every_answer_of_the_api_says_so_and_every_dataset_by_its_name(demo):
    with acting(system_context("test", Channel.COMMAND)):
        client = sign_in(User.objects.get(email="dm@demo.example"))
    offered = 0
    for name in datasets():
        for kind in ("csv", "ndjson", "json"):
            answer = client.get(f"/api/v1/datasets/{name}/?format={kind}")
            if answer.status_code == 404:  # nothing that a data manager may take away
                continue
            offered += 1
            assert answer[HEADER] == MARK
            assert f"{MARK}-{name}.{kind}" in answer["Content-Disposition"]
            content = whole(answer)
            if kind == "json":
                assert json.loads(content)["synthetic"] == MARK
    assert offered >= 3 * len(datasets()) * 0.8
    assert client.get("/api/v1/no-such-thing/")[HEADER] == MARK


def test_the_package_its_manifest_and_both_odm_files_say_so(demo):
    with acting(system_context("test", Channel.COMMAND)):
        person = User.objects.get(email="dm@demo.example")
    target = io.BytesIO()
    with acting(context_of(person, Channel.COMMAND), one_moment=True):
        manifest = write_archive(target, by=person)
        assert manifest["synthetic"] is True
        with zipfile.ZipFile(target) as archive:
            assert json.loads(archive.read(MANIFEST))["synthetic"] is True
            odm = [each for each in archive.namelist() if each.endswith(".xml")]
            assert len(odm) == 2
            for name in odm:
                assert MARK.encode() in archive.read(name)[:2000]


def test_every_mail_that_was_written_says_so_in_its_subject_and_its_text(demo):
    with acting(system_context("test", Channel.COMMAND)):
        notices = Notice.objects.exclude(kind=DIGEST).exclude(recipient=None)
        kinds = set(notices.values_list("kind", flat=True))
        assert len(kinds) >= 4
        for kind in kinds:
            letter = compose(notices.filter(kind=kind).select_related("recipient")[0])
            assert letter.subject.startswith(f"[{MARK}]"), kind
            note = "This mail comes from a demonstration: all data in it are synthetic."
            with override(letter.language):
                assert gettext(note) in letter.body


def test_a_real_study_is_marked_by_nothing_of_this(cast):
    assert HEADER not in Client().get("/account/login/")
    make_subject(cast.site)
    with acting(system_context("test", Channel.COMMAND)):
        assert MARK.encode() not in document(current_version(), at=trial_now())
