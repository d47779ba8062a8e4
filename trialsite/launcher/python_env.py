"""The virtual environment: made with the standard library, filled from the hashed lock."""

import importlib.util
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from trialsite.launcher.commands import run_for_output, run_logged
from trialsite.launcher.environment import tool_environment
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.layout import Layout
from trialsite.launcher.lock import waiting_lock
from trialsite.launcher.progress import say, step
from trialsite.launcher.stamps import Stamp, digest_of_files, digest_of_text

RUN_LOCK = "requirements.lock"
TEST_LOCK = "requirements-dev.lock"
INSTALLER_LOCK = "requirements-uv.lock"


class PythonEnvironment:
    """One virtual environment that holds exactly what a lock says."""

    def __init__(self, layout: Layout, given: Mapping[str, str]) -> None:
        """Fill the environment of this layout, using the caller's proxies and mirrors."""
        self._layout = layout
        self._environment = tool_environment(layout, given)
        self._log = layout.log("setup")

    def ensure(self, lock: str) -> None:
        """Make the environment hold the lock; what already does is left alone."""
        if self._holds(lock):
            return
        with waiting_lock(self._layout.setup_lock):
            lock = self._widest(lock)
            if self._holds(lock):
                return
            self._create()
            with step(f"Python packages ({lock})"):
                self._fill(lock)
            self._stamp.write(self._digest(lock))
            self._purpose.write(lock)

    @property
    def _stamp(self) -> Stamp:
        return Stamp(self._layout.venv / ".trialsite-lock")

    @property
    def _purpose(self) -> Stamp:
        return Stamp(self._layout.venv / ".trialsite-purpose")

    def _widest(self, lock: str) -> str:
        """Keep a developer's environment one: the test lock contains all of the other."""
        return TEST_LOCK if self._purpose.matches(TEST_LOCK) else lock

    def _holds(self, lock: str) -> bool:
        return bool(self._version) and self._stamp.matches(self._digest(self._widest(lock)))

    def _digest(self, lock: str) -> str:
        return digest_of_text(digest_of_files([self._layout.checkout / lock]), self._version)

    @property
    def _version(self) -> str:
        """The version of the environment's interpreter, or nothing where it cannot start.

        It cannot after the system's Python it was made from is replaced by another.
        """
        ask = [str(self._layout.python), "-c", "import sys; print(sys.version_info[:2])"]
        try:
            answer = subprocess.run(ask, capture_output=True, text=True, check=False)
        except OSError:
            return ""
        return answer.stdout.strip()

    def _create(self) -> None:
        if self._version:
            return
        if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
            raise LauncherError(_no_venv())
        with step(f"Virtual environment (Python {platform.python_version()})"):
            self._call([sys.executable, "-m", "venv", "--clear", str(self._layout.venv)])

    def _fill(self, lock: str) -> None:
        try:
            self._fill_with_uv(lock)
        except LauncherError:
            say("\n  uv did not manage; installing with pip, which takes a minute longer")
            self._call([*self._pip(), "install", *_STRICT, "-r", lock])

    def _fill_with_uv(self, lock: str) -> None:
        environment = {**self._environment, "UV_SYSTEM_CERTS": "true", **self._mirror()}
        command = [
            *(str(self._uv()), "pip", "sync", "--require-hashes", "--compile-bytecode"),
            *("--python", str(self._layout.python), lock),
        ]
        self._call(command, environment)

    def _uv(self) -> Path:
        """Install the pinned uv apart from the environment, which it could otherwise not empty."""
        lock = self._layout.checkout / INSTALLER_LOCK
        target = self._layout.cache / f"uv-{digest_of_files([lock])[:12]}"
        program = target / "bin" / "uv"
        if not program.exists():
            pip = [*self._pip(), "install", *_STRICT, "--no-deps", "--target", str(target)]
            self._call([*pip, "-r", INSTALLER_LOCK])
        return program

    def _mirror(self) -> dict[str, str]:
        """Pass pip's configured index on to uv, which does not read pip's configuration."""
        query = [*self._pip(), "config", "get", "global.index-url"]
        try:
            url = self._output(query).strip()
        except LauncherError:
            url = ""
        url = self._environment.get("PIP_INDEX_URL") or url
        return {"UV_DEFAULT_INDEX": url} if url else {}

    def _pip(self) -> list[str]:
        self._ensure_pip()
        return [str(self._layout.python), "-m", "pip", "--disable-pip-version-check"]

    def _ensure_pip(self) -> None:
        """Bring pip back where an earlier synchronisation removed it (no lock needs it)."""
        probe = [str(self._layout.python), "-c", "import pip"]
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            self._call([str(self._layout.python), "-m", "ensurepip"])

    def _call(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        run_logged(
            command,
            environment=environment or self._environment,
            directory=self._layout.checkout,
            log=self._log,
        )

    def _output(self, command: list[str]) -> str:
        return run_for_output(
            command,
            environment=self._environment,
            directory=self._layout.checkout,
            log=self._log,
        )


_STRICT = ("--require-hashes", "--only-binary", ":all:", "--no-input", "--quiet")


def _no_venv() -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"This Python {version} comes without venv/ensurepip, which Trialsite needs once to make "
        "its own environment.\n"
        f"On Debian or Ubuntu: apt-get install python3-venv (or python{version}-venv); elsewhere "
        "install a complete Python, and name it: make run PYTHON=/path/to/python3"
    )
