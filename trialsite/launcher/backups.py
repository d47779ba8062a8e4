"""`backup` and `restore`: the whole study into a folder, and back from one."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trialsite.launcher.binaries import find_clients
from trialsite.launcher.environment import Choices
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.layout import Layout
from trialsite.launcher.lock import Lock
from trialsite.launcher.running import supervised
from trialsite.launcher.tooling import Workbench, execute, foreground

FOLDER = "backups"


def back_up(layout: Layout, folder: Path | None) -> int:
    """Put the study into a new folder, beside a running Trialsite or with servers of its own."""
    bench = Workbench.of_product(layout)
    bench.install()
    target = (folder or layout.var / FOLDER).absolute()
    command = [str(layout.python), "manage.py", "backup", "--to", str(target)]
    return execute(bench, command, _programs(layout))


def restore(layout: Layout, folder: Path, options: Sequence[str]) -> int:
    """Bring a backup back while nothing runs; the next start then finds it as it is."""
    folder = folder.absolute()
    demo = _is_demo(folder)
    choices = replace(Choices.from_environment(), demo=demo)
    bench = replace(Workbench.of_product(layout), choices=choices)
    bench.install()
    command = [str(layout.python), "manage.py", "restore", str(folder), *options]
    with supervised(layout, Lock(layout.run), "restore") as supervisor:
        connections = bench.stores.start(supervisor)
        bench.prepare(connections)
        code = foreground(bench, command, connections, _programs(layout))
        if code == 0:
            bench.preparation(connections).note_content(demo=demo)
    return code


def _programs(layout: Layout) -> dict[str, str]:
    return {"POSTGRES_BIN": str(find_clients(layout))}


def _is_demo(folder: Path) -> bool:
    """Whether the backup holds the demonstration, as its manifest says."""
    try:
        return bool(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["synthetic"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LauncherError(f"{folder} holds no backup that can be read.") from error
