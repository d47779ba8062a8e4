"""The page of the protocol: an empty study becomes usable, by whom, and by whom not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from django.test import Client

from screening.services.log import admit
from tests.factories import (
    PROTOCOL,
    as_person,
    given,
    make_entry,
    make_protocol,
    make_user,
    sign_in,
)
from trialsite.access.capabilities import Role
from trialsite.audit.models import Event
from trialsite.casebook.models import ProtocolVersion, SiteProtocolApproval
from trialsite.casebook.protocols import approve_version, register_version, version_in_force
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.dashboard.assumptions import SECTIONS
from trialsite.protocol import load

PAGE = "/protocol/"
LOAD = "/protocol/load/"
APPROVE = "/protocol/approve/"
REFERENCE = "EC of hospital 001, 2026-17, 2026-01-05"

read = given(lambda query: list(query))


def today() -> dt.date:
    return given(trial_today)("Asia/Shanghai")


@pytest.fixture
def investigator(cast) -> Client:
    return sign_in(cast.investigator)


def seen(client: Client, path: str = PAGE) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def approval_of(site, **changes: str) -> dict[str, str]:
    return {
        "site": str(site.pk),
        "version": load(PROTOCOL).version,
        "effective_on": "2026-01-10",
        "reference": REFERENCE,
    } | changes


def changed(tmp_path: Path, old: str, new: str) -> str:
    text = PROTOCOL.read_text("utf-8")
    assert old in text
    path = tmp_path / "changed.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return str(path)


def test_an_empty_study_becomes_usable(cast, investigator, nurse_client):
    with as_person(cast.nurse), pytest.raises(DomainError, match="No protocol version"):
        version_in_force(cast.site)
    assert "No version is loaded" in seen(investigator)
    answer = investigator.post(LOAD, {"hash": load(PROTOCOL).content_hash}, follow=True)
    assert "is loaded" in answer.content.decode()
    answer = investigator.post(APPROVE, approval_of(cast.site), follow=True)
    assert "is in force at site 001 from 2026-01-10" in answer.content.decode()

    with as_person(cast.nurse):
        subject = admit(entry=make_entry(cast.site, cast.nurse), by=cast.nurse)
    assert subject.protocol_version.version == load(PROTOCOL).version


@pytest.mark.parametrize("who", ["nurse", "sub_investigator", "monitor", "data_manager", "auditor"])
def test_others_read_and_may_not_configure(cast, who):
    make_protocol(cast.site)
    client = sign_in(getattr(cast, who))
    page = seen(client)
    assert LOAD not in page
    assert APPROVE not in page
    assert client.post(LOAD).status_code == 403
    assert client.post(APPROVE, approval_of(cast.site)).status_code == 403


def test_the_administrator_reads_it_and_who_has_no_part_does_not(cast):
    assert "The file on the server" in seen(sign_in(cast.administrator))
    assert sign_in(make_user(Role.SPONSOR)).get(PAGE).status_code == 403
    assert sign_in(make_user()).get(PAGE).status_code == 403


def test_an_investigator_of_one_site_approves_nothing_at_another(cast):
    version = make_protocol()
    own = make_user(Role.PRINCIPAL_INVESTIGATOR, cast.site)
    client = sign_in(own)
    assert client.post(APPROVE, approval_of(cast.other_site)).status_code == 422
    with as_person(own), pytest.raises(NotPermittedError):
        approve_version(
            site=cast.other_site, version=version, effective_on=today(), by=own, reference="x"
        )
    assert not read(SiteProtocolApproval.objects.all())


def test_site_staff_see_their_own_sites_only(cast, nurse_client, investigator):
    make_protocol(cast.site, cast.other_site)
    assert "Site 002" not in seen(nurse_client)
    assert "Site 001" in seen(nurse_client)
    assert "Site 002" in seen(investigator)


def test_the_trail_keeps_the_approval_as_the_reason(cast, investigator):
    make_protocol()
    investigator.post(APPROVE, approval_of(cast.site))
    (event,) = read(
        Event.objects.filter(
            table_name=SiteProtocolApproval._meta.db_table, actor_id=cast.investigator.pk
        )
    )
    assert event.reason == REFERENCE
    assert event.site_id == cast.site.pk


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": "  "},
        {"effective_on": ""},
        {"effective_on": "2026-02-30"},
        {"version": "no such"},
        {"site": "x"},
    ],
)
def test_an_incomplete_approval_is_refused_and_keeps_what_was_typed(cast, investigator, changes):
    make_protocol()
    answer = investigator.post(APPROVE, approval_of(cast.site) | changes)
    assert answer.status_code == 422
    if "reference" not in changes:
        assert REFERENCE in answer.content.decode()
    assert not read(SiteProtocolApproval.objects.all())


def test_a_future_approval_is_not_in_force_yet(cast, investigator, nurse_client):
    make_protocol()
    tomorrow = today() + dt.timedelta(days=1)
    investigator.post(APPROVE, approval_of(cast.site, effective_on=tomorrow.isoformat()))
    page = seen(nurse_client)
    assert f"{load(PROTOCOL).version} from {tomorrow}" in page
    assert "tag-success" not in page.partition("Versions loaded")[0]
    entry = make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse), pytest.raises(DomainError, match="No protocol version"):
        admit(entry=entry, by=cast.nurse)


def test_a_wrong_day_is_corrected_by_the_same_version_again(cast, investigator):
    make_protocol()
    investigator.post(APPROVE, approval_of(cast.site, effective_on="2062-01-10"))
    investigator.post(APPROVE, approval_of(cast.site))
    (approval,) = read(SiteProtocolApproval.objects.all())
    assert approval.effective_on == dt.date(2026, 1, 10)


def test_a_broken_file_shows_line_and_column(cast, investigator, settings, tmp_path):
    settings.PROTOCOL_FILE = changed(tmp_path, "target_day: -1\n", "target_day: minus one\n")
    text = Path(settings.PROTOCOL_FILE).read_text("utf-8").splitlines()
    line = next(n for n, each in enumerate(text, 1) if "target_day: minus one" in each)
    column = text[line - 1].index("minus one") + 1
    page = " ".join(seen(investigator).split())
    assert f'<td class="number">{line}</td> <td class="number">{column}</td>' in page
    assert LOAD not in page
    assert investigator.post(LOAD).status_code == 422
    assert not read(ProtocolVersion.objects.all())


def test_a_form_that_does_not_exist_is_a_problem(cast, investigator, settings, tmp_path):
    settings.PROTOCOL_FILE = changed(tmp_path, "forms: [F.VS, F.HE, F.LB]", "forms: [F.NOSUCH]")
    assert "Unknown form &#x27;F.NOSUCH&#x27;" in seen(investigator)
    assert investigator.post(LOAD).status_code == 422
    assert not read(ProtocolVersion.objects.all())


@pytest.mark.parametrize("content", [None, b"version: \xff\xfe"])
def test_no_page_falls_with_an_unreadable_file(cast, investigator, settings, tmp_path, content):
    path = tmp_path / "unreadable.yaml"
    if content is not None:
        path.write_bytes(content)
    settings.PROTOCOL_FILE = str(path)
    assert "unreadable.yaml" in seen(investigator)
    assert "Subjects" in seen(investigator, "/subjects/")
    assert investigator.post(LOAD).status_code == 422


def test_a_file_changed_since_it_was_read_is_not_loaded(cast, investigator):
    assert investigator.post(LOAD, {"hash": "0" * 64}).status_code == 422
    assert not read(ProtocolVersion.objects.all())


def test_another_content_under_the_same_number_is_refused(cast, investigator, settings, tmp_path):
    make_protocol(cast.site)
    settings.PROTOCOL_FILE = changed(tmp_path, "window: [6, 8]", "window: [6, 9]")
    assert "Its number is taken" in seen(investigator)
    assert investigator.post(LOAD).status_code == 422
    with as_person(cast.investigator), pytest.raises(DomainError):
        register_version(Path(settings.PROTOCOL_FILE), by=cast.investigator)


def test_the_schedule_and_the_assumptions_are_the_versions(cast, nurse_client):
    version = make_protocol(cast.site)
    protocol = load(PROTOCOL)
    page = seen(nurse_client)
    assert protocol.study.study_id in page
    assert version.content_hash in page
    for event in protocol.schedule.events:
        assert event.oid in page
    assert f'<span class="num">{len(protocol.assumptions())}</span>' in page
    assert nurse_client.get(PAGE, {"version": version.version}).status_code == 200
    assert nurse_client.get(PAGE, {"version": "no such"}).status_code == 404


def test_loading_needs_the_right(cast):
    with as_person(cast.nurse), pytest.raises(NotPermittedError):
        register_version(PROTOCOL, by=cast.nurse)


def test_every_section_of_assumptions_has_a_name_of_its_own():
    """No key of the file is shown to people."""
    sections = {each.path.split(".")[0].split("[")[0] for each in load(PROTOCOL).assumptions()}
    assert sections - SECTIONS.keys() == set()
