"""A Valkey server of our own: Celery's broker, with its queue kept on disk."""

from dataclasses import dataclass
from pathlib import Path

from trialsite.launcher import probes
from trialsite.launcher.storage import write_atomically
from trialsite.launcher.supervisor import Service


@dataclass(frozen=True)
class ValkeyServer:
    """One data directory and the program that serves it."""

    program: str
    directory: Path
    port: int
    password: str
    log: Path

    @property
    def url(self) -> str:
        """The address clients connect with."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration; a password on the command line would show in `ps`."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = (
            "bind 127.0.0.1",
            f"port {self.port}",
            f'requirepass "{self.password}"',
            f'dir "{self.directory}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            "daemonize no",
            'logfile ""',
        )
        write_atomically(self.directory / "valkey.conf", "\n".join(settings) + "\n", mode=0o600)

    def service(self) -> Service:
        """Return how the supervisor runs this server."""
        return Service(
            name="valkey",
            command=[self.program, str(self.directory / "valkey.conf")],
            environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            log=self.log,
            directory=self.directory,
            ready=lambda: probes.valkey_answers("127.0.0.1", self.port, self.password),
            patience=3.0,
        )
