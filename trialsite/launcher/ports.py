"""Ports of the embedded servers: random, but the same at each start where possible."""

from pathlib import Path

from trialsite.launcher import probes
from trialsite.launcher.storage import read_json, write_json


class Ports:
    """Remembers which port each embedded server listens on."""

    def __init__(self, run: Path) -> None:
        """Keep the record among the run files."""
        self._path = run / "ports.json"

    def recorded(self, name: str) -> int | None:
        """Return the port the server was last started on."""
        ports = read_json(self._path) or {}
        return int(ports[name]) if name in ports else None

    def claim(self, name: str) -> int:
        """Return the former port if it is still free, else a new one."""
        port = self.recorded(name)
        if port is None or not probes.port_is_free("127.0.0.1", port):
            port = probes.free_port()
            write_json(self._path, {**(read_json(self._path) or {}), name: port})
        return port
