"""`test`, `exec`, `services` and `manage`: one command beside servers that are up."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from trialsite.launcher.connections import Connections
from trialsite.launcher.environment import TEST, Choices, child_environment
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.interruption import Interrupted
from trialsite.launcher.keys import Keyring
from trialsite.launcher.layout import Layout
from trialsite.launcher.lock import Lock
from trialsite.launcher.node_assets import ensure_assets
from trialsite.launcher.preparation import Preparation
from trialsite.launcher.progress import say
from trialsite.launcher.python_env import RUN_LOCK, TEST_LOCK, PythonEnvironment
from trialsite.launcher.running import supervised, watch_until_stopped
from trialsite.launcher.stores import Stores

SHARED_VERBS = ("run", "services")
READY_WITHIN = 120.0
GRACE = 10.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Workbench:
    """The data and settings a command works with: the product's own, or those of the tests."""

    main: Layout
    layout: Layout
    choices: Choices
    lock_file: str
    for_tests: bool

    @classmethod
    def of_product(cls, layout: Layout) -> "Workbench":
        """Work with the data of `make run`."""
        return cls(layout, layout, Choices.from_environment(), RUN_LOCK, for_tests=False)

    @classmethod
    def of_tests(cls, layout: Layout) -> "Workbench":
        """Work with disposable data and the test settings."""
        choices = replace(Choices.from_environment(TEST), demo=False)
        return cls(layout, layout.for_tests(), choices, TEST_LOCK, for_tests=True)

    @property
    def keyring(self) -> Keyring:
        """The secrets that belong to these data."""
        return Keyring(self.layout.secrets)

    @property
    def durable(self) -> bool:
        """Tests may lose their data; benchmarks must pay for keeping theirs (DURABLE=1)."""
        return not self.for_tests or self.choices.given.get("DURABLE") == "1"

    @property
    def stores(self) -> Stores:
        """The servers of these data; those of the tests need not survive a power cut."""
        return Stores(self.layout, self.keyring, self.choices.given, durable=self.durable)

    def install(self) -> None:
        """Make the environment and the assets what the locks say."""
        self.main.create()
        self.layout.create()
        PythonEnvironment(self.main, self.choices.given).ensure(self.lock_file)
        ensure_assets(self.main, self.choices.given)

    def prepare(self, connections: Connections) -> None:
        """Make servers that have just come up usable.

        A product's database on a given server is left as it is: `manage` may be the very command
        that is to prepare it.
        """
        preparation = self.preparation(connections)
        if self.for_tests or connections.identity:
            preparation.create_roles(createdb=self.for_tests)
        preparation.compile_messages()

    def preparation(self, connections: Connections) -> Preparation:
        """Return the management commands for these data."""
        return Preparation(self.layout, self.choices, self.keyring, connections)


def serve(bench: Workbench) -> int:
    """Keep database and broker up for commands in other windows."""
    bench.install()
    lock = Lock(bench.layout.run)
    with supervised(bench.layout, lock, "services") as supervisor:
        bench.prepare(bench.stores.start(supervisor))
        lock.note("services", ready=True)
        say("Services are ready. Stop: Ctrl-C")
        watch_until_stopped(supervisor)
    return 0


def execute(bench: Workbench, command: Sequence[str], extra: Mapping[str, str]) -> int:
    """Run a command with servers up: those already running, else its own for the time being."""
    bench.install()
    lock = Lock(bench.layout.run)
    if _wait_for_shared(lock):
        connections = bench.stores.running()
        bench.preparation(connections).compile_messages()
        return foreground(bench, command, connections, extra)
    with supervised(bench.layout, lock, "exec") as supervisor:
        connections = bench.stores.start(supervisor)
        bench.prepare(connections)
        tend = _once(supervisor.watch)
        return foreground(bench, command, connections, extra, tend)


def _once(watch: Callable[[Callable[[], bool]], None]) -> Callable[[], None]:
    """Return one round of watching, for use inside another loop."""

    def tend() -> None:
        rounds = iter((False, True))
        watch(lambda: next(rounds))

    return tend


def _wait_for_shared(lock: Lock) -> bool:
    """Tell whether another launcher keeps servers up for others, once they are ready."""
    deadline = time.monotonic() + READY_WITHIN
    while (holder := lock.holder()) and holder.verb in SHARED_VERBS:
        if holder.ready:
            return True
        if time.monotonic() > deadline:
            raise LauncherError(f"The services of process {holder.identity.pid} are not ready.")
        time.sleep(POLL_SECONDS)
    return False


def foreground(
    bench: Workbench,
    command: Sequence[str],
    connections: Connections,
    extra: Mapping[str, str],
    tend: Callable[[], None] = lambda: None,
) -> int:
    """Run the command in the launcher's own process group, so that the terminal is its own."""
    environment = child_environment(bench.layout, bench.choices, bench.keyring)
    environment |= connections.setup | dict(extra)
    try:
        process = subprocess.Popen(command, cwd=bench.main.checkout, env=environment)
    except OSError as error:
        raise LauncherError(f"{command[0]} could not be started: {error.strerror}") from error
    try:
        while process.poll() is None:
            tend()
            time.sleep(POLL_SECONDS)
    except Interrupted as interrupted:
        _end(process, interrupted.number)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _end(process: subprocess.Popen[bytes], number: int) -> None:
    """Let a command finish its own stopping; Ctrl-C has already reached it by the terminal."""
    if number != signal.SIGINT or not os.isatty(0):
        process.send_signal(number)
    for last_word in (signal.SIGTERM, signal.SIGKILL):
        try:
            process.wait(GRACE / 2)
            return
        except subprocess.TimeoutExpired:
            process.send_signal(last_word)
    process.wait()
