"""`run`: the whole product under one supervisor, until somebody stops it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from trialsite.launcher import probes
from trialsite.launcher.environment import Choices
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.interruption import Interrupted, Interruption
from trialsite.launcher.keys import Keyring
from trialsite.launcher.layout import Layout
from trialsite.launcher.lock import Lock
from trialsite.launcher.node_assets import ensure_assets
from trialsite.launcher.preparation import CONTENT_STAMP, Preparation
from trialsite.launcher.product import product_services
from trialsite.launcher.progress import say, step
from trialsite.launcher.python_env import RUN_LOCK, PythonEnvironment
from trialsite.launcher.roster import Roster
from trialsite.launcher.stores import Stores
from trialsite.launcher.supervisor import Supervisor


@contextmanager
def supervised(layout: Layout, lock: Lock, verb: str) -> Iterator[Supervisor]:
    """Give a supervisor on data that is locked, healed, and left without children afterwards."""
    with Interruption() as interruption, lock.held(verb):
        roster = Roster(layout.run / "children.json")
        healed = roster.heal()
        if healed:
            say(f"  Stopped what a killed launcher left running: {', '.join(healed)}")
        supervisor = Supervisor(roster, interruption)
        try:
            yield supervisor
        except Interrupted:
            say("\n  Stopping ...")
            raise
        finally:
            supervisor.stop()


def run(layout: Layout, choices: Choices) -> int:
    """Start everything, say where it is, and keep it running."""
    begun = time.monotonic()
    layout.create()
    lock = Lock(layout.run)
    with supervised(layout, lock, "run") as supervisor:
        _require_free_port(choices)
        _require_administrator(layout, choices)
        PythonEnvironment(layout, choices.given).ensure(RUN_LOCK)
        ensure_assets(layout, choices.given)
        keyring = Keyring(layout.secrets)
        connections = Stores(layout, keyring, choices.given).start(supervisor)
        preparation = Preparation(layout, choices, keyring, connections)
        invitation = _prepare(preparation)
        with step("web, worker and beat"):
            supervisor.start_tier(product_services(layout, choices, keyring, connections))
        say(f"\nTrialsite is ready: {choices.base_url}   ({time.monotonic() - begun:.1f} s)")
        say(invitation + preparation.sign_ins())
        say(f"Logs: {layout.logs}   Stop: Ctrl-C")
        lock.note("run", ready=True)
        watch_until_stopped(supervisor)
    return 0


def watch_until_stopped(supervisor: Supervisor) -> None:
    """Keep everything running; being asked to stop is then no failure."""
    try:
        supervisor.watch()
    except Interrupted:
        say("\n  Stopping ...")


def _prepare(preparation: Preparation) -> str:
    preparation.create_roles()
    preparation.migrate()
    preparation.compile_messages()
    preparation.collect_static()
    return preparation.fill()


def _require_administrator(layout: Layout, choices: Choices) -> None:
    """Ask for the first administrator before the work of a first start, not after it."""
    first_start = not any(layout.stamps.glob(f"{CONTENT_STAMP}*"))
    named = choices.given.get("ADMIN_NAME") and choices.given.get("ADMIN_EMAIL")
    if first_start and not choices.demo and not named:
        raise LauncherError(
            "An empty study begins with its administrator, who is invited by a one-time link:\n"
            "  DEMO=0 ADMIN_NAME='Li Na' ADMIN_EMAIL=li.na@example.org make run"
        )


def _require_free_port(choices: Choices) -> None:
    if not probes.port_is_free(choices.host, choices.port):
        raise LauncherError(
            f"Port {choices.port} of {choices.host} is taken by another program.\n"
            f"Choose another: PORT={choices.port + 1} make run"
        )
