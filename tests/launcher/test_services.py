"""Database and broker of `make run`: closed to others, durable, and back after any death."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from tests.launcher.launching import Launcher, alive, wait_until

READY = "Services are ready"


def test_secrets_are_generated_at_random_and_open_to_their_owner_only(launcher: Launcher) -> None:
    launcher.start("services", ready=READY)
    directory = launcher.var / "secrets"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    files = list(directory.iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    values = [path.read_text(encoding="utf-8") for path in files]
    assert len(set(values)) == len(values) >= 7
    assert all(len(value.strip()) >= 43 for value in values)


@pytest.mark.requirement("BR5")
def test_the_database_keeps_what_it_acknowledges(launcher: Launcher) -> None:
    launcher.start("services", ready=READY)
    wanted = {"fsync", "full_page_writes", "synchronous_commit", "data_checksums"}
    with launcher.database() as connection:
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(wanted)]
        ).fetchall()
    assert dict(rows) == dict.fromkeys(wanted, "on")


def test_neither_server_lets_anyone_in_without_the_password(launcher: Launcher) -> None:
    launcher.start("services", ready=READY)
    with launcher.database() as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)
        assert connection.execute(
            "SELECT DISTINCT auth_method FROM pg_hba_file_rules"
        ).fetchall() == [("scram-sha-256",)]
        port = connection.info.port
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=port, user="postgres", password="postgres")
    with launcher.broker() as broker, pytest.raises(redis.AuthenticationError):
        broker.ping()


@pytest.mark.requirement("AV1")
@pytest.mark.fault(
    "kill -9 of PostgreSQL and what is left of it",
    promised="every acknowledged row is there again",
)
def test_a_killed_database_comes_back_with_every_acknowledged_row(launcher: Launcher) -> None:
    launcher.start("services", ready=READY)
    with launcher.database() as connection:
        connection.execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
    launcher.kill_and_await_successor("postgres")

    def rows() -> object:
        try:
            with launcher.database() as connection:
                return connection.execute("SELECT count(*) FROM kept").fetchone()
        except psycopg.OperationalError:
            return None

    assert wait_until(rows, "the database answers") == (1000,)


@pytest.mark.fault(
    "kill -9 of one process of PostgreSQL",
    promised="the database recovers by itself",
)
def test_a_killed_backend_brings_the_database_back_without_the_launcher(
    launcher: Launcher,
) -> None:
    launcher.start("services", ready=READY)
    postmaster = launcher.children["postgres"]
    with launcher.database() as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")

    def answers() -> bool:
        try:
            with launcher.database() as again:
                return again.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    wait_until(answers, "the database answers")
    assert launcher.children["postgres"] == postmaster


@pytest.mark.requirement("AV1")
@pytest.mark.fault("kill -9 of Valkey", promised="its queue is there again")
def test_a_killed_broker_comes_back_with_its_queue(launcher: Launcher) -> None:
    launcher.start("services", ready=READY)
    password = launcher.secret("valkey_password")
    with launcher.broker(password) as broker:
        broker.set("kept", "yes")
        broker.waitaof(1, 0, 50_000)
    launcher.kill_and_await_successor("valkey")

    def kept() -> object:
        try:
            with launcher.broker(password) as broker:
                return broker.get("kept")
        except redis.RedisError:
            return None

    assert wait_until(kept, "the broker answers") == b"yes"


def test_a_second_launcher_on_the_same_data_is_refused(launcher: Launcher) -> None:
    launcher.start("services", ready=READY)
    second = launcher.call("services")
    assert second.returncode == 1
    assert f"already running from {launcher.var} (process {launcher.pid}" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_impatient_stop_leaves_no_process(launcher: Launcher, number: signal.Signals) -> None:
    launcher.start("services", ready=READY)
    with launcher.database() as connection:
        children = [*launcher.children.values(), connection.info.backend_pid]
        launcher.signal(number, times=3)
        assert launcher.ended() == 0
    assert not [pid for pid in children if alive(pid)]


@pytest.mark.fault(
    "kill -9 of the launcher itself",
    promised="the next start heals it, nothing runs twice",
)
def test_a_launcher_killed_outright_is_healed_by_the_next(launcher: Launcher) -> None:
    launcher.start("services", ready=READY)
    orphans = launcher.children
    launcher.signal(signal.SIGKILL)
    launcher.ended()
    assert all(alive(pid) for pid in orphans.values())
    launcher.start("services", ready=READY)
    assert "Stopped what a killed launcher left running: postgres, valkey" in launcher.text
    assert not [pid for pid in orphans.values() if alive(pid)]


def test_a_stranger_who_got_the_number_of_a_dead_child_is_left_alone(launcher: Launcher) -> None:
    launcher.start("services", ready=READY)
    launcher.signal(signal.SIGTERM)
    launcher.ended()
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    ) as stranger:
        (launcher.var / "run/children.json").write_text(
            f'{{"valkey": {{"pid": {stranger.pid}, "started": "another life"}}}}', encoding="utf-8"
        )
        postmaster_file = launcher.var / "postgres/data/postmaster.pid"
        postmaster_file.write_text(f"{stranger.pid}\n", encoding="utf-8")
        launcher.start("services", ready=READY)
        assert alive(stranger.pid)
        stranger.kill()


def test_a_command_runs_beside_servers_that_are_already_up(launcher: Launcher) -> None:
    launcher.start("services", ready=READY)
    before = launcher.children
    done = launcher.call("manage", "check", "--database", "default")
    assert done.returncode == 0, done.stderr
    assert launcher.children == before


def test_stop_ends_a_launcher_from_another_window(launcher: Launcher) -> None:
    launcher.start("services", ready=READY)
    children = launcher.children
    assert launcher.call("stop").returncode == 0
    assert launcher.ended() == 0
    assert not [pid for pid in children.values() if alive(pid)]
    assert "Nothing runs" in launcher.call("stop").stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to lend PostgreSQL an account")
def test_root_below_a_closed_directory_keeps_the_data_outside(open_directory: Path) -> None:
    closed = open_directory / "closed"
    closed.mkdir(mode=0o700)
    launcher = Launcher(closed / "var")
    try:
        launcher.start("services", "--test", ready=READY)
        link = launcher.var / "test/postgres"
        home = link.readlink()
        assert not home.is_relative_to(closed)
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        launcher.signal(signal.SIGTERM)
        launcher.ended()
        subprocess.run(["rm", "-rf", str(home)], check=True)
    finally:
        launcher.clean_up()
