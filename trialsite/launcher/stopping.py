"""`stop`: ends a running launcher from another window, or heals after a killed one."""

import signal

from trialsite.launcher import processes
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.layout import Layout
from trialsite.launcher.lock import Lock
from trialsite.launcher.progress import say
from trialsite.launcher.roster import Roster

PATIENCE = 15.0


def stop(layout: Layout) -> int:
    """Stop the launcher of these data and wait until it has gone."""
    layout.create()
    lock = Lock(layout.run)
    holder = lock.holder()
    if holder:
        processes.signal_all([holder.identity.pid], signal.SIGTERM)
        if not processes.wait_until_gone(holder.identity.alive, PATIENCE):
            raise LauncherError(f"Process {holder.identity.pid} does not stop.")
        say("Stopped.")
        return 0
    with lock.held("stop"):
        healed = Roster(layout.run / "children.json").heal()
    say(f"Stopped what was left running: {', '.join(healed)}" if healed else "Nothing runs.")
    return 0
