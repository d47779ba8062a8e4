"""The browser of the end-to-end tests: never skipped in silence."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from trialsite.launcher.commands import run_for_output, run_logged
from trialsite.launcher.environment import tool_environment
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.layout import Layout
from trialsite.launcher.progress import say, step

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CJK_FONT = "fonts-noto-cjk"
PLAYWRIGHT_PATH = (
    "from playwright.sync_api import sync_playwright\n"
    "with sync_playwright() as p: print(p.chromium.executable_path)"
)


def ensure_browser(layout: Layout, given: Mapping[str, str]) -> str:
    """Return the path of a Chromium, installing one where that is possible."""
    chosen = given.get("CHROMIUM")
    if chosen:
        if not os.access(chosen, os.X_OK):
            raise LauncherError(f"CHROMIUM={chosen} is not a program.")
        return chosen
    environment = tool_environment(layout, given)
    _install_debian_packages(layout, environment)
    return _on_path(environment) or _from_playwright(layout, environment)


def _on_path(environment: Mapping[str, str]) -> str | None:
    found = (shutil.which(name, path=environment["PATH"]) for name in NAMES)
    return next((path for path in found if path), None)


def _install_debian_packages(layout: Layout, environment: Mapping[str, str]) -> None:
    """Install what is missing with apt, which only root may; pages are tested in Chinese too."""
    if not shutil.which("dpkg-query", path=environment["PATH"]):
        return
    missing = [] if _on_path(environment) else ["chromium"]
    missing += [] if _font_installed() else [CJK_FONT]
    if not missing:
        return
    if os.geteuid() != 0:
        say(f"  Not root, so not installed: {' '.join(missing)} (apt-get install)")
        return
    quiet = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
    with step(f"Debian packages: {' '.join(missing)}"):
        for command in (
            ["apt-get", "update", "--quiet"],
            ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing],
        ):
            run_logged(command, environment=quiet, directory=Path("/"), log=layout.log("setup"))


def _font_installed() -> bool:
    query = ["dpkg-query", "--show", "--showformat=${Status}", CJK_FONT]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    return answer.stdout.endswith(" installed")


def _from_playwright(layout: Layout, environment: Mapping[str, str]) -> str:
    log = layout.log("setup")
    directory = layout.checkout
    ask = [str(layout.python), "-c", PLAYWRIGHT_PATH]
    path = run_for_output(ask, environment=environment, directory=directory, log=log).strip()
    if not os.access(path, os.X_OK):
        install = [layout.tool("playwright"), "install", "chromium"]
        try:
            with step("Chromium (Playwright's)"):
                run_logged(install, environment=environment, directory=directory, log=log)
        except LauncherError as error:
            raise LauncherError(
                "The tests drive a real browser, and none could be found or installed.\n"
                "Install Chromium (Debian: apt-get install chromium fonts-noto-cjk) or name one: "
                f"CHROMIUM=/path/to/chromium make test\n{error}"
            ) from error
    return path
