"""What a start says when the machine is not as it should be, and what it never does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.launcher.launching import CHECKOUT, Launcher, alive
from tests.ports import free_port
from trialsite.launcher.connections import Connections
from trialsite.launcher.environment import Choices
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.keys import Keyring
from trialsite.launcher.layout import Layout
from trialsite.launcher.preparation import Preparation


def test_a_taken_port_is_named_before_anything_is_started(untouched: Launcher) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        untouched.settings["PORT"] = str(port)
        done = untouched.call("run")
    assert done.returncode == 1
    assert f"Port {port} of 127.0.0.1 is taken" in done.stderr
    assert f"PORT={port + 1} make run" in done.stderr
    assert not untouched.children
    assert not (untouched.var / "postgres").exists()


def test_a_scale_that_is_no_number_is_refused_before_anything_is_started(
    untouched: Launcher,
) -> None:
    untouched.settings["SCALE"] = "many"
    done = untouched.call("run")
    assert done.returncode == 1
    assert "SCALE=many: give a whole number" in done.stderr
    assert not (untouched.var / "postgres").exists()


def test_an_empty_study_asks_for_its_administrator_first(untouched: Launcher) -> None:
    untouched.settings |= {"DEMO": "0", "PORT": str(free_port())}
    done = untouched.call("run")
    assert done.returncode == 1
    assert "ADMIN_EMAIL=" in done.stderr
    assert not (untouched.var / "postgres").exists()


@pytest.mark.parametrize(("demo", "begun"), [(True, "empty"), (False, "demo")])
def test_who_starts_the_other_kind_of_study_is_told_how_to_start_the_one_that_is_there(
    tmp_path: Path, demo: bool, begun: str
) -> None:
    layout = Layout(CHECKOUT, tmp_path / "venv", tmp_path)
    choices = Choices.from_environment(environ={"DEMO": str(int(demo))})
    connections = Connections({"DATABASE_URL": ""}, "", "the same database")
    preparation = Preparation(layout, choices, Keyring(layout.secrets), connections)
    preparation.note_content(demo=begun == "demo")
    with pytest.raises(LauncherError) as refused:
        preparation.fill()
    assert f"To start it again: DEMO={int(not demo)} make run" in str(refused.value)


def test_a_python_without_venv_is_told_which_package_is_missing(tmp_path: Path) -> None:
    home = _python_without("ensurepip", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "trialsite.launcher", "setup"],
        cwd=CHECKOUT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONHOME": str(home),
            "TRIALSITE_VENV": str(tmp_path / "venv"),
            "TRIALSITE_VAR": str(tmp_path / "var"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "venv").exists()


def _python_without(module: str, directory: Path) -> Path:
    """Lay out a standard library that lacks a part, as Debian ships it."""
    library = Path(sysconfig.get_path("stdlib"))
    copy = directory / "python" / "lib" / library.name
    copy.mkdir(parents=True)
    for entry in library.iterdir():
        if entry.name != module:
            (copy / entry.name).symlink_to(entry)
    return directory / "python"


def test_a_database_address_that_nothing_answers_is_named(launcher: Launcher) -> None:
    port = str(free_port())
    launcher.settings["DATABASE_URL"] = f"postgresql://trialsite_app:x@127.0.0.1:{port}/trialsite"
    done = launcher.call("services")
    assert done.returncode == 1
    assert f"Nothing answers at DATABASE_URL (127.0.0.1:{port})" in done.stderr


def test_a_command_gets_a_home_it_can_write_to(launcher: Launcher) -> None:
    launcher.settings["HOME"] = "/nonexistent"
    done = launcher.call("exec", "--", "sh", "-c", 'test -w "$HOME" && echo "home is $HOME"')
    assert done.returncode == 0, done.stderr
    assert f"home is {launcher.var}" in done.stdout


def test_the_exit_code_of_a_command_is_passed_on(launcher: Launcher) -> None:
    assert launcher.call("exec", "--", "sh", "-c", "exit 7").returncode == 7


def test_interrupting_a_command_ends_it_and_its_servers(launcher: Launcher) -> None:
    script = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(600)"
    launcher.start("exec", "--", sys.executable, "-c", script, ready="pid ")
    command = int(launcher.text.rpartition("pid ")[2].split()[0])
    servers = Launcher(launcher.var / "test").children
    assert alive(command)
    launcher.signal(signal.SIGINT, times=2)
    assert launcher.ended() == 128 + signal.SIGINT
    assert not [pid for pid in (command, *servers.values()) if alive(pid)]


@pytest.mark.requirement("AV1")
def test_the_whole_product_starts_heals_itself_and_stops_clean(launcher: Launcher) -> None:
    port = str(free_port())
    launcher.settings |= {"PORT": port, "DEMO": "0"}
    launcher.settings |= {"ADMIN_NAME": "Li Na", "ADMIN_EMAIL": "li.na@example.org"}
    launcher.start("run", ready="Logs: ")
    assert f"Trialsite is ready: http://localhost:{port}" in launcher.text
    assert "li.na@example.org> is invited" in launcher.text
    assert set(launcher.children) == {"postgres", "valkey", "web", "worker", "beat"}
    for name in ("web", "worker", "beat"):
        environment = Path(f"/proc/{launcher.children[name]}/environ").read_bytes()
        assert b"trialsite_app" in environment
        assert b"trialsite_owner" not in environment
        assert launcher.secret("postgres_password").encode() not in environment
    for name in ("web", "worker"):
        launcher.kill_and_await_successor(name)
    children = launcher.children.values()
    launcher.signal(signal.SIGINT, times=2)
    assert launcher.ended() == 0
    assert not [pid for pid in children if alive(pid)]
