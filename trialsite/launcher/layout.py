"""Where everything of one checkout lives on disk."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Layout:
    """The directories of one installation: the code, its environment and its data."""

    checkout: Path
    venv: Path
    var: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Layout":
        """Read TRIALSITE_VENV and TRIALSITE_VAR, falling back to `.venv` and `var`."""
        return cls(
            checkout=CHECKOUT,
            venv=CHECKOUT / (environ.get("TRIALSITE_VENV") or ".venv"),
            var=CHECKOUT / (environ.get("TRIALSITE_VAR") or "var"),
        )

    def for_tests(self) -> "Layout":
        """Return the same installation with data of its own under `var/test`."""
        return Layout(self.checkout, self.venv, self.var / "test")

    @property
    def python(self) -> Path:
        """The interpreter of the virtual environment."""
        return self.venv / "bin" / "python"

    @property
    def node_modules(self) -> Path:
        """The interface's assets as npm installs them."""
        return self.checkout / "node_modules"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.var / "log"

    @property
    def run(self) -> Path:
        """Locks, ports and the roster of running children."""
        return self.var / "run"

    @property
    def secrets(self) -> Path:
        """Generated keys and passwords."""
        return self.var / "secrets"

    @property
    def stamps(self) -> Path:
        """Digests of what each finished step was made from."""
        return self.var / "stamps"

    @property
    def cache(self) -> Path:
        """Downloads and tools that can be fetched again."""
        return self.var / "cache"

    @property
    def setup_lock(self) -> Path:
        """The lock around installing, beside what it guards: several launchers may share that."""
        return self.venv.with_name(f"{self.venv.name}.lock")

    @property
    def beat_schedule(self) -> Path:
        """When the scheduler last ran what."""
        return self.var / "beat" / "schedule"

    def log(self, name: str) -> Path:
        """Return the log file of one process."""
        return self.logs / f"{name}.log"

    def tool(self, name: str) -> str:
        """Return the path of a program installed in the virtual environment."""
        return str(self.venv / "bin" / name)

    def create(self) -> None:
        """Make the directories; the secrets are closed to everyone else from the start."""
        for directory in (
            self.logs,
            self.run,
            self.stamps,
            self.cache,
            self.beat_schedule.parent,
        ):
            directory.mkdir(parents=True, exist_ok=True)
        self.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.secrets.chmod(0o700)
