"""Every command that docs/api.md offers to be copied is sent, and answered as it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.access.test_api_tokens import make_token
from tests.factories import make_record, make_subject

PAGE = Path(settings.BASE_DIR) / "docs/api.md"
ADDRESS = "http://testserver"


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("curl ")]


def send(command: str, **words: str) -> Any:
    """The request that curl would make of this line."""
    for name, value in words.items():
        command = command.replace(f"${name}", value)
    method, headers, body, url = "GET", {}, "", ""
    parts = iter(shlex.split(command)[1:])
    for part in parts:
        if part == "-X":
            method = next(parts)
        elif part == "-H":
            name, _, value = next(parts).partition(": ")
            headers[name] = value
        elif part == "-d":
            body = next(parts)
        elif part == "-o":
            next(parts)
        else:
            url = part
    kind = headers.pop("Content-Type", "application/json")
    assert url.startswith(ADDRESS), command
    assert "$" not in url, f"a word that the page does not explain: {command}"
    path = url.removeprefix(ADDRESS)
    return Client().generic(method, path, body, content_type=kind, headers=headers)


def test_there_is_something_to_copy():
    assert len(commands()) > 10


@pytest.mark.parametrize("command", commands())
def test_each_command_works_as_it_stands(cast, command):
    record = make_record(make_subject(cast.site))
    who = cast.nurse if "$RECORD" in command else cast.data_manager
    token = make_token(who, read_only=False)
    answer = send(command, ADDRESS=ADDRESS, TOKEN=token, RECORD=str(record.pk))
    assert answer.status_code in (200, 201, 202), command
    assert b"".join(answer) if answer.streaming else answer.content
