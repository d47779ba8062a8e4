"""The launcher's verbs."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from trialsite.launcher.backups import back_up, restore
from trialsite.launcher.browser import ensure_browser
from trialsite.launcher.environment import Choices
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.interruption import Interrupted
from trialsite.launcher.layout import Layout
from trialsite.launcher.production import (
    PROCESSES,
    become,
    build_image,
    do_job,
    migrate_once,
    probe,
    write_secrets,
)
from trialsite.launcher.running import run
from trialsite.launcher.stopping import stop
from trialsite.launcher.tooling import Workbench, execute, serve


def main(arguments: Sequence[str]) -> int:
    """Carry out one verb and return the exit code."""
    options = parser().parse_args(arguments)
    try:
        return _dispatch(options, Layout.from_environment())
    except LauncherError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"\n{error.filename}: {error.strerror}.\n{_OTHER_ACCOUNT}", file=sys.stderr)
        return 1
    except (Interrupted, KeyboardInterrupt):
        return 130


_OTHER_ACCOUNT = (
    "Was Trialsite started here under another account before? Use that account, give the files "
    "to this one (chown -R), or keep data of its own: TRIALSITE_VAR=... make run"
)


def _dispatch(options: argparse.Namespace, layout: Layout) -> int:
    verbs: dict[str, Callable[[], int]] = {
        "run": lambda: run(layout, Choices.from_environment()),
        "test": lambda: _test(layout, options.arguments),
        "exec": lambda: execute(Workbench.of_tests(layout), _command(options), {}),
        "manage": lambda: _manage(layout, options.arguments),
        "services": lambda: serve(_bench(layout, for_tests=options.test)),
        "setup": lambda: _setup(_bench(layout, for_tests=options.dev)),
        "stop": lambda: stop(layout),
        "backup": lambda: back_up(layout, options.to),
        "restore": lambda: restore(layout, options.folder, options.arguments),
        "secrets": lambda: write_secrets(options.directory),
        "build": lambda: build_image(layout),
        "migrate": lambda: migrate_once(layout),
        "job": lambda: do_job(layout, options.arguments),
        "process": lambda: become(layout, options.name),
        "probe": lambda: probe(options.url),
    }
    return verbs[options.verb]()


def _setup(bench: Workbench) -> int:
    bench.install()
    return 0


def _manage(layout: Layout, arguments: Sequence[str]) -> int:
    command = [str(layout.python), "manage.py", *arguments]
    return execute(Workbench.of_product(layout), command, {})


def _bench(layout: Layout, *, for_tests: bool) -> Workbench:
    return Workbench.of_tests(layout) if for_tests else Workbench.of_product(layout)


#: The whole suite uses both cores; a module's tests stay together and share what they set up.
PARALLEL = ("-n", "2", "--dist", "loadscope")


def _test(layout: Layout, arguments: Sequence[str]) -> int:
    bench = Workbench.of_tests(layout)
    bench.install()
    browser = ensure_browser(layout, bench.choices.given)
    chosen = shlex.split(os.environ.get("ARGS") or "")
    command = [str(layout.python), "-m", "pytest", *(arguments or PARALLEL), *chosen]
    return execute(bench, command, {"CHROMIUM": browser})


def _command(options: argparse.Namespace) -> list[str]:
    command = [part for part in options.arguments if part != "--"]
    if not command:
        raise LauncherError("Name the command: python3 -m trialsite.launcher exec -- COMMAND")
    return command


def parser() -> argparse.ArgumentParser:
    """Return the launcher's command line."""
    top = argparse.ArgumentParser(prog="python3 -m trialsite.launcher", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("run", help="start everything and keep it running (PORT, HOST, DEMO, SCALE)")
    _passing_on(verbs.add_parser("test", help="run pytest with servers and a browser (ARGS)"))
    _passing_on(verbs.add_parser("exec", help="run a command with the test servers up"))
    _passing_on(verbs.add_parser("manage", help="run manage.py on the data of `run`"))
    services = verbs.add_parser("services", help="keep database and broker up")
    services.add_argument("--test", action="store_true", help="those of the tests")
    setup = verbs.add_parser("setup", help="install what the locks say")
    setup.add_argument("--dev", action="store_true", help="with tests and quality gates")
    verbs.add_parser("stop", help="stop the running launcher, or what a killed one left")
    _storing(verbs.add_parser("backup", help="put the whole study into a folder (TO)"))
    bringing = verbs.add_parser("restore", help="bring a backup back (FROM, OVER=1, SIGN_IN)")
    bringing.add_argument("folder", type=Path)
    _passing_on(bringing)
    secrets = verbs.add_parser("secrets", help="generate the secrets of a compose deployment")
    secrets.add_argument("directory", type=Path)
    verbs.add_parser("build", help="compile translations and compress static files (image)")
    verbs.add_parser("migrate", help="prepare the database and end (compose's migrate job)")
    _passing_on(verbs.add_parser("job", help="run a management command and end (compose)"))
    process = verbs.add_parser("process", help="become one process of the product (compose)")
    process.add_argument("name", choices=PROCESSES)
    probing = verbs.add_parser("probe", help="succeed if an address answers 200")
    probing.add_argument("url")
    return top


def _storing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, help="folder of the backups (default: var/backups)")


def _passing_on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
