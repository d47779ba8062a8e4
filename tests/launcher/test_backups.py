"""`make backup` beside a running product, a destroyed data directory, `make restore`, sign-in."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from tests.faults.nurse import Browser
from tests.launcher.launching import Launcher
from tests.ports import free_port
from tests.waiting import until

SETUP = "/account/second-factor/app/"
WORDS = "corridor-lantern-mountain-seven"


@pytest.mark.requirement("BR2")
@pytest.mark.fault(
    "data directory destroyed, then restored",
    promised="the trail is what it was; sign-in works",
)
def test_a_destroyed_data_directory_comes_back_by_two_commands(
    launcher: Launcher, tmp_path: Path
) -> None:
    port = str(free_port())
    launcher.settings |= {"PORT": port, "DEMO": "0"}
    launcher.settings |= {"ADMIN_NAME": "Li Na", "ADMIN_EMAIL": "li.na@example.org"}
    launcher.start("run", ready="Logs: ")
    address = f"http://localhost:{port}"
    secret, step = _take_invitation(Browser(address), launcher.text)
    made = launcher.call("backup", "--to", str(tmp_path))
    assert made.returncode == 0, made.stderr
    (folder,) = tmp_path.iterdir()
    before = _events(launcher)
    assert [event[2] for event in before[-1:]] == ["backed_up"]

    refused = launcher.call("restore", str(folder), "--over")
    assert refused.returncode == 1
    assert "already running" in refused.stderr
    launcher.call("stop")
    launcher.ended(20)

    shutil.rmtree((launcher.var / "postgres").resolve())
    (launcher.var / "postgres").unlink(missing_ok=True)
    shutil.rmtree(launcher.var / "stamps")
    launcher.settings["SIGN_IN_PASSWORD"] = WORDS
    told = launcher.call("restore", str(folder), "--sign-in", "li.na@example.org")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "li.na@example.org is let in by the password given" in told.stdout
    again = launcher.call("restore", str(folder))
    assert again.returncode == 1
    assert "already holds a study" in again.stderr

    launcher.start("run", ready="Logs: ")
    assert "invited" not in launcher.text, "a restored study is not begun anew"
    after = _events(launcher)
    assert after[: len(before) - 1] == before[:-1]
    assert after[len(before) - 1][2] == "restored"
    until(lambda: int(time.time()) // 30 > step, within=60, what="a code that was not used yet")
    Browser(address).sign_in("li.na@example.org", WORDS, secret)


def _take_invitation(browser: Browser, printed: str) -> tuple[str, int]:
    """The administrator's password and second factor; the secret, and when it was used."""
    link = re.search(r"http://localhost:\d+(/account/invitation/\S+)", printed)
    assert link is not None
    browser.page(link[1])
    browser.page(
        link[1],
        {"csrfmiddlewaretoken": browser.token, "password1": WORDS, "password2": WORDS},
    )
    secret = re.search(r"\b[A-Z2-7]{32}\b", browser.page(SETUP))
    assert secret is not None
    step = int(time.time()) // 30
    code = format_hotp_value(hotp_value(secret[0], step))
    browser.page(SETUP, {"csrfmiddlewaretoken": browser.token, "code": code})
    return secret[0], step


def _events(launcher: Launcher) -> list[tuple[Any, ...]]:
    """The trail, without the moment that is going on."""
    with launcher.database() as server:
        host, port = server.info.host, server.info.port
    with psycopg.connect(
        host=host,
        port=port,
        user="postgres",
        password=launcher.secret("postgres_password"),
        dbname="trialsite",
    ) as connection:
        return connection.execute(
            "SELECT eid, at, act, table_name, new FROM audit_event "
            "WHERE act IS DISTINCT FROM 'not_found' ORDER BY eid"
        ).fetchall()
