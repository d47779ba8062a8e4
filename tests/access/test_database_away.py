"""A database that is away is said to be that, in words and with the status that tells programs."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.factories import make_site, make_user, sign_in
from trialsite.access.capabilities import Role


@pytest.mark.requirement("AV1")
@pytest.mark.parametrize("address", ["/", "/subjects/", "/api/v1/subjects/"])
def test_without_a_database_the_answer_says_so_and_when_to_try_again(
    committed, monkeypatch, address
):
    nurse = make_user(Role.RESEARCH_NURSE, make_site("001"))
    client = sign_in(nurse, raise_request_exception=False)
    connection.close()
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "PORT", "1")
        answer = client.get(address)
        connection.close()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    said = answer.content.decode()
    assert "The database does not answer right now. Try again in a moment." in said
    assert "port 1" not in said
    assert client.get(address).status_code == 200
