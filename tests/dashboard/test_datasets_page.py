"""The page of the datasets: what one may export, and that each link gives its file."""

from __future__ import annotations

import html
import re

import pytest

from tests.factories import given, make_subject, sign_in
from trialsite.audit.models import Event
from trialsite.exports.registry import datasets

PAGE = "/datasets/"


def links(page: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'href="(/api/v1/[^"]+)"', page)]


def test_every_dataset_stands_there_with_four_files(cast):
    page = sign_in(cast.data_manager).get(PAGE).content.decode()
    for name in datasets():
        for query in ("format=csv", "format=csv&bom=1", "format=ndjson", "format=json"):
            assert f"/api/v1/datasets/{name}/?{query}" in links(page)


def test_the_datasets_stand_in_areas_subjects_first_and_each_once(cast):
    answer = sign_in(cast.data_manager).get(PAGE)
    groups = {group.key: [line.name for line in group.lines] for group in answer.context["groups"]}
    assert list(groups) == [
        "casebook", "screening", "forms", "laboratory", "treatment", "outcomes", "samples",
        "conduct",
    ]  # fmt: skip
    assert {"subjects", "visits", "records", "compliance"} <= set(groups["casebook"])
    assert {"vs", "ae", "codings"} <= set(groups["forms"])
    assert "sae_cases" in groups["outcomes"]
    assert "bs" in groups["samples"]
    assert sorted(name for names in groups.values() for name in names) == sorted(datasets())
    page = answer.content.decode()
    for key in groups:
        assert f'href="#{key}"' in page
        assert f'id="{key}"' in page


def test_every_link_gives_its_file_and_each_export_is_in_the_trail(cast):
    make_subject(cast.site)
    client = sign_in(cast.data_manager)
    found = links(client.get(PAGE).content.decode())
    assert len(found) == 4 * len(datasets()) + 2
    for address in found:
        answer = client.get(address)
        assert answer.status_code == 200, address
        answer.getvalue()  # to its end, where the file is closed
    exported = Event.objects.filter(act="exported", actor_id=cast.data_manager.pk)
    assert given(exported.count)() == 4 * len(datasets())


@pytest.mark.parametrize("who", ["nurse", "investigator", "monitor", "auditor", "administrator"])
def test_who_may_not_export_is_refused_and_has_no_such_place(cast, who):
    client = sign_in(getattr(cast, who))
    assert client.get(PAGE).status_code == 403
    assert f'href="{PAGE}"' not in client.get("/").content.decode()


def test_the_data_manager_finds_the_page_in_the_rail(cast):
    assert f'href="{PAGE}"' in sign_in(cast.data_manager).get("/").content.decode()
