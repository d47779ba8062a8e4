"""Documents: right ones come back byte for byte, wrong ones never enter, none disappears."""

from __future__ import annotations

import hashlib
import os
import time
from io import StringIO

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from tests.casebook.documents import BAD_NAMES, PDF, PNG, PRETENDERS, WHOLE, mutilated
from tests.factories import as_person, make_record, make_subject, sign_in
from trialsite.access.context import system_context
from trialsite.audit.models import Event
from trialsite.casebook import vault
from trialsite.casebook.attachments import (
    DamagedFileError,
    QuotaError,
    add_attachment,
    content_of,
    display_name,
    void_attachment,
)
from trialsite.casebook.models import Attachment, LockState, MediaType, Subject
from trialsite.casebook.sniffing import UnwelcomeFileError, media_type_of
from trialsite.core.clock import TrialNow
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError


@pytest.fixture(autouse=True)
def root(settings, tmp_path):
    settings.ATTACHMENT_ROOT = tmp_path / "attachments"
    return settings.ATTACHMENT_ROOT


@pytest.fixture
def subject(cast):
    return make_subject(cast.site)


def add(subject, by, content=PDF, name="scan.pdf", **more):
    with as_person(by):
        options = {"title": "Consent", "kind": "consent"} | more
        return add_attachment(
            subject=subject, file=ContentFile(content, name=name), by=by, **options
        )


def upload(client, subject, content=PDF, name="scan.pdf", kind="text/html"):
    file = SimpleUploadedFile(name, content, content_type=kind)
    return client.post(
        reverse("casebook:attachments", args=[subject.pk]),
        {"title": "Consent", "kind": "consent", "file": file},
    )


@pytest.mark.requirement("IM4")
@pytest.mark.parametrize("what", PRETENDERS)
def test_what_only_pretends_to_be_a_document_is_refused(what):
    with pytest.raises(UnwelcomeFileError) as refused:
        media_type_of(PRETENDERS[what])
    assert str(refused.value)


@pytest.mark.requirement("IM4")
@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_document_is_known_by_its_content_and_no_part_of_it_is(kind):
    assert media_type_of(WHOLE[kind]).label.lower() == kind
    for part in mutilated(WHOLE[kind].rstrip(b"\n")):
        with pytest.raises(UnwelcomeFileError):
            media_type_of(part)


@pytest.mark.requirement("IM4")
@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_clients_file_name_is_shown_without_path_and_with_a_true_ending(name):
    assert display_name(name, MediaType.PDF) == BAD_NAMES[name]


@pytest.mark.parametrize("kind", WHOLE)
def test_an_upload_comes_back_byte_for_byte_and_as_nothing_but_a_file(kind, cast, subject):
    client = sign_in(cast.nurse)
    assert upload(client, subject, WHOLE[kind], name="../../知情.bin").status_code == 302
    with as_person(cast.nurse):
        kept = Attachment.objects.get()
    answer = client.get(reverse("casebook:attachment", args=[kept.pk]))
    assert answer.status_code == 200
    assert answer.content == WHOLE[kind]
    assert answer["Content-Type"] == kept.media_type
    assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''%E7%9F%A5")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "no-store" in answer["Cache-Control"]
    with as_person(cast.nurse):
        act = Event.objects.get(act="attachment_downloaded")
    assert (act.actor_id, act.subject_id) == (cast.nurse.pk, subject.pk)
    assert (act.new or {})["sha256"] == hashlib.sha256(WHOLE[kind]).hexdigest()


def test_a_wrong_content_is_refused_on_the_page_and_leaves_nothing(cast, subject, root):
    answer = upload(
        sign_in(cast.nurse), subject, b"<html>", name="scan.pdf", kind="application/pdf"
    )
    assert answer.status_code == 422
    assert "Only whole PDF" in answer.content.decode()
    with as_person(cast.nurse):
        assert not Attachment.objects.exists()
    assert not list(root.rglob("*"))


@pytest.mark.requirement("IM4")
def test_a_file_lies_under_its_hash_for_the_owner_alone(cast, subject, root):
    kept = add(subject, cast.nurse, name="../../../evil.pdf")
    place = vault.path_of(kept.sha256)
    assert place.relative_to(root).parts == (kept.sha256[:2], kept.sha256[2:4], kept.sha256)
    assert place.stat().st_mode & 0o777 == 0o600
    assert [path for path in root.rglob("*") if path.is_file()] == [place]


def test_the_same_content_twice_is_one_file_and_two_documents(cast, subject, root):
    first, second = add(subject, cast.nurse), add(subject, cast.nurse, title="Again")
    assert first.sha256 == second.sha256
    assert len([path for path in root.rglob("*") if path.is_file()]) == 1


def test_size_and_quota_are_kept(cast, subject, settings):
    settings.ATTACHMENT_MAX_BYTES = len(PDF) - 1
    with pytest.raises(UnwelcomeFileError, match="larger"):
        add(subject, cast.nurse)
    settings.ATTACHMENT_MAX_BYTES = len(PDF)
    settings.ATTACHMENT_QUOTA_BYTES = len(PDF) * 4
    add(subject, cast.nurse)
    with pytest.raises(QuotaError):
        add(subject, cast.nurse, PNG)
    for _each in range(3):
        add(make_subject(cast.site), cast.nurse)
    with pytest.raises(QuotaError):
        add(make_subject(cast.site), cast.nurse, PNG)
    add(make_subject(cast.other_site), cast.stranger)


@pytest.mark.requirement("IA2")
def test_another_site_finds_no_document_and_no_page(cast, subject):
    kept = add(subject, cast.nurse)
    client = sign_in(cast.stranger)
    assert client.get(reverse("casebook:attachments", args=[subject.pk])).status_code == 404
    assert client.get(reverse("casebook:attachment", args=[kept.pk])).status_code == 404
    assert upload(client, subject).status_code == 404
    voided = client.post(
        reverse("casebook:void_attachment", args=[kept.pk]), {"reason": "no business of mine"}
    )
    assert voided.status_code == 404


@pytest.mark.requirement("IA4")
def test_the_monitor_reads_and_does_not_write(cast, subject):
    kept = add(subject, cast.nurse)
    client = sign_in(cast.monitor)
    page = client.get(reverse("casebook:attachments", args=[subject.pk]))
    assert page.status_code == 200
    assert b'type="file"' not in page.content
    assert client.get(reverse("casebook:attachment", args=[kept.pk])).status_code == 200
    assert upload(client, subject).status_code == 403
    with pytest.raises(NotPermittedError):
        add(subject, cast.monitor)
    with as_person(cast.monitor), pytest.raises(NotPermittedError):
        void_attachment(attachment=kept, reason="x", by=cast.monitor)


@pytest.mark.requirement("CC4")
def test_a_voided_document_is_gone_from_use_and_stays_in_the_trail(cast, subject):
    kept = add(subject, cast.nurse)
    client = sign_in(cast.nurse)
    address = reverse("casebook:void_attachment", args=[kept.pk])
    client.post(address, {"reason": " "})
    assert client.get(reverse("casebook:attachment", args=[kept.pk])).status_code == 200
    assert client.post(address, {"reason": "wrong subject"}).status_code == 302
    assert client.get(reverse("casebook:attachment", args=[kept.pk])).status_code == 404
    page = client.get(reverse("casebook:attachments", args=[subject.pk])).content.decode()
    assert "wrong subject" in page
    with as_person(cast.nurse):
        event = Event.objects.get(table_name="casebook_attachment", operation="U")
        kept.refresh_from_db()
        with pytest.raises(TransitionError):
            content_of(kept)
        with pytest.raises(TransitionError):
            void_attachment(attachment=kept, reason="again", by=cast.nurse)
    assert event.reason == "wrong subject"
    assert vault.path_of(kept.sha256).exists()


@pytest.mark.requirement("CC2")
def test_a_locked_subject_takes_no_document_and_gives_none_up(cast, subject):
    kept = add(subject, cast.nurse)
    with as_person(cast.data_manager):
        Subject.objects.filter(pk=subject.pk).update(lock_state=LockState.LOCKED)
    with pytest.raises(TransitionError):
        add(subject, cast.nurse, PNG)
    with as_person(cast.nurse):
        with pytest.raises(TransitionError):
            void_attachment(attachment=kept, reason="x", by=cast.nurse)
        for change in ({"void_reason": "x", "voided_at": TrialNow()}, {"sha256": "0" * 64}):
            with pytest.raises(DatabaseError, match=r"locked|not replaced"), transaction.atomic():
                Attachment.objects.filter(pk=kept.pk).update(**change)


def test_titles_kinds_and_records_that_do_not_fit_are_refused(cast, subject):
    foreign = make_record(make_subject(cast.site))
    for wrong in ({"title": " \x07"}, {"kind": "malware"}, {"record": foreign}):
        with pytest.raises(DomainError):
            add(subject, cast.nurse, **wrong)


def test_a_document_of_a_record_moves_with_its_subject(cast, subject):
    kept = add(subject, cast.nurse, record=make_record(subject))
    with acting(system_context("tests", Channel.COMMAND)):
        Subject.objects.filter(pk=subject.pk).update(site=cast.other_site)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with as_person(cast.stranger):
        assert Attachment.objects.get(pk=kept.pk).site_id == cast.other_site.pk


@pytest.mark.parametrize("damage", ["altered", "missing"])
def test_a_file_that_is_no_longer_what_was_kept_is_not_sent_and_that_is_noted(
    damage, cast, subject
):
    kept = add(subject, cast.nurse)
    place = vault.path_of(kept.sha256)
    place.write_bytes(PDF + b" ") if damage == "altered" else place.unlink()
    answer = sign_in(cast.nurse).get(reverse("casebook:attachment", args=[kept.pk]))
    assert answer.status_code == 500
    assert "missing or was altered" in answer.content.decode()
    with as_person(cast.nurse):
        assert Event.objects.get(act="attachment_damaged").subject_id == subject.pk
        assert not Event.objects.filter(act="attachment_downloaded").exists()
        with pytest.raises(DamagedFileError):
            content_of(kept)
    add(subject, cast.nurse)
    assert place.read_bytes() == PDF


def test_a_crash_between_file_and_row_leaves_a_file_that_is_swept_later(
    cast, subject, root, monkeypatch
):
    kept = add(subject, cast.nurse, PNG)
    monkeypatch.setattr(
        Attachment.objects, "create", lambda **_: (_ for _ in ()).throw(psycopg.OperationalError())
    )
    with pytest.raises(psycopg.OperationalError):
        add(subject, cast.nurse, PDF)
    monkeypatch.undo()
    orphan = vault.path_of(hashlib.sha256(PDF).hexdigest())
    unfinished = orphan.parent / ".incoming-x"
    unfinished.write_bytes(b"half")
    assert orphan.exists()
    call_command("sweep_attachments", stdout=StringIO())
    assert orphan.exists()
    for path in (orphan, unfinished, vault.path_of(kept.sha256)):
        os.utime(path, (time.time() - 90_000,) * 2)
    said = StringIO()
    call_command("sweep_attachments", stdout=said)
    assert said.getvalue() == "2 files removed.\n"
    assert [path for path in root.rglob("*") if path.is_file()] == [vault.path_of(kept.sha256)]


@pytest.mark.fault("disk of the documents full", promised="the upload is refused; no half file")
def test_a_write_that_fails_leaves_no_half_file(root, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        vault.store(PDF)
    assert not [path for path in root.rglob("*") if path.is_file()]


def test_a_page_without_a_file_says_so(cast, subject):
    answer = sign_in(cast.nurse).post(
        reverse("casebook:attachments", args=[subject.pk]), {"title": "x", "kind": "other"}
    )
    assert answer.status_code == 422
    assert "Choose a file" in answer.content.decode()


@pytest.mark.requirement("IH2")
def test_titles_and_names_stay_text(cast, subject):
    add(subject, cast.nurse, name="<img src=x>.pdf", title="<script>alert(1)</script>")
    page = sign_in(cast.nurse).get(reverse("casebook:attachments", args=[subject.pk]))
    assert b"<script>alert" not in page.content
    assert b"&lt;script&gt;alert" in page.content
    assert b"<img src=x>" not in page.content
