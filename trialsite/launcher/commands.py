"""Runs the commands of a set-up one after the other, their output kept in the log."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from trialsite.launcher import processes
from trialsite.launcher.errors import LauncherError, log_tail
from trialsite.launcher.logs import open_log


def run_logged(
    command: Sequence[str], *, environment: Mapping[str, str], directory: Path, log: Path
) -> None:
    """Run a command to its end, or raise with the last lines it wrote."""
    code = _run(command, environment, directory, log, capture=False)[0]
    if code:
        _fail(command, code, log)


def run_for_output(
    command: Sequence[str], *, environment: Mapping[str, str], directory: Path, log: Path
) -> str:
    """Run a command and return what it printed; only its complaints go into the log."""
    code, output = _run(command, environment, directory, log, capture=True)
    if code:
        _fail(command, code, log)
    return output


def _run(
    command: Sequence[str],
    environment: Mapping[str, str],
    directory: Path,
    log: Path,
    *,
    capture: bool,
) -> tuple[int, str]:
    descriptor = open_log(log, " ".join(command))
    try:
        with subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else descriptor,
            stderr=descriptor,
            start_new_session=True,
        ) as process:
            try:
                output = process.communicate()[0] or b""
            except BaseException:
                processes.end_group(process.pid, (signal.SIGTERM, signal.SIGKILL), patience=2.0)
                raise
    finally:
        os.close(descriptor)
    return process.returncode, output.decode("utf-8", errors="replace")


def _fail(command: Sequence[str], code: int, log: Path) -> None:
    shown = " ".join((Path(command[0]).name, *command[1:]))
    raise LauncherError(f"`{shown}` ended with exit {code}. From {log}:\n{log_tail(log)}")
