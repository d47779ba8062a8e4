"""A PostgreSQL cluster of our own, run as a foreground child on 127.0.0.1."""

import os
import secrets
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trialsite.launcher import probes, processes
from trialsite.launcher.account import Account
from trialsite.launcher.binaries import PostgresBinaries
from trialsite.launcher.errors import LauncherError, log_tail
from trialsite.launcher.logs import open_log
from trialsite.launcher.postgres_home import Home
from trialsite.launcher.supervisor import Service

SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "192MB",
    "effective_cache_size": "768MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "log_lock_waits": "on",
    "log_min_duration_statement": "2s",
    "lc_messages": "C",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}
DISPOSABLE = {"fsync": "off", "full_page_writes": "off"}
IDENTITY_FILE = "trialsite-cluster-id"
HBA = "host all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Cluster:
    """One data directory, the programs that serve it and the account they run under."""

    home: Home
    binaries: PostgresBinaries
    account: Account | None
    port: int
    password: str
    log: Path
    durable: bool

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home.directory / "data"

    @property
    def identity(self) -> str:
        """What tells this cluster from any other; made when it is initialised."""
        return (self.data / IDENTITY_FILE).read_text(encoding="ascii").strip()

    def url(self, user: str, password: str, database: str) -> str:
        """Return the address of one of its databases."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Initialise the data on first use and write the configuration of this start."""
        self._clear_predecessor()
        if not self.data.exists():
            self._initialise()
        self._check_version()
        self._configure()

    def service(self) -> Service:
        """Return how the supervisor runs this cluster."""
        return Service(
            name="postgres",
            command=[self.binaries.program("postgres"), "-D", str(self.data)],
            environment=_environment(),
            log=self.log,
            directory=self.home.directory,
            ready=lambda: probes.postgres_answers("127.0.0.1", self.port),
            before_start=self._clear_predecessor,
            # SIGINT is PostgreSQL's fast shutdown: sessions end, everything is written.
            stop_signal=signal.SIGINT,
            patience=4.0,
            popen_options=self._popen_options(),
        )

    def _popen_options(self) -> dict[str, object]:
        return self.account.popen_options() if self.account else {}

    def _clear_predecessor(self) -> None:
        """Remove what a killed server left, so that PostgreSQL does not refuse to start.

        Backends outlive a killed postmaster for a moment, and its pid file may name a number
        that now belongs to a stranger. Removing the file is safe only because nobody is left
        working in the data directory, which the look-up can prove on Linux alone.
        """
        if not self.data.exists():
            return
        processes.end_occupants(self.data, patience=3.0)
        if processes.HAS_PROC and not processes.occupants(self.data):
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise(self) -> None:
        partial = self.home.directory / "data.partial"
        self.home.discard(partial)
        password_file = self.home.directory / ".initial-password"
        with self.home.private_file(password_file, self.password):
            self._run(
                [
                    self.binaries.program("initdb"),
                    f"--pgdata={partial}",
                    f"--username={SUPERUSER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--no-locale",
                    "--data-checksums",
                    *([] if self.durable else ["--no-sync"]),
                ]
            )
        self.home.write(partial / IDENTITY_FILE, secrets.token_hex(16) + "\n")
        # Renaming last: an interrupted initdb never passes for a database.
        partial.rename(self.data)

    def _run(self, command: Sequence[str]) -> None:
        output = open_log(self.log, command[0])
        try:
            done = subprocess.run(
                command,
                cwd=self.home.directory,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                **self._popen_options(),  # type: ignore[call-overload]
            )
        finally:
            os.close(output)
        if done.returncode:
            program = Path(command[0]).name
            raise LauncherError(f"{program} failed. From {self.log}:\n{log_tail(self.log)}")

    def _check_version(self) -> None:
        made_by = int((self.data / "PG_VERSION").read_text(encoding="ascii"))
        if made_by != self.binaries.major:
            raise LauncherError(
                f"The database in {self.data} was made by PostgreSQL {made_by}, but "
                f"{self.binaries.bin} is version {self.binaries.major}.\n"
                "Use the former version (POSTGRES_BIN=...), or dump with it and restore."
            )

    def _configure(self) -> None:
        settings = {**SETTINGS, **({} if self.durable else DISPOSABLE), "port": str(self.port)}
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        self.home.write(self.data / "postgresql.conf", "".join(lines))
        self.home.write(self.data / "pg_hba.conf", HBA)


def _environment() -> dict[str, str]:
    """Give the server nothing of ours: its environment would be readable by its account."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
