"""A disk that is full: nothing is acknowledged that is not kept, and space heals everything.

The whole product stands on a disk of a few hundred megabytes, which a file of nothing fills up.
Making such a disk takes the right to mount, so that this belongs to `make faults`.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.nurse import Saver
from tests.faults.saving import (
    ENTERING,
    failed,
    go_on,
    is_ready,
    judged,
    sign_in_nurse,
    unbegun_records,
)
from tests.launcher.launching import Launcher
from tests.ports import free_port
from tests.waiting import until

SIZE = "900m"


@pytest.fixture
def disk() -> Iterator[Path]:
    """A disk of its own, away again afterwards."""
    place = Path(tempfile.mkdtemp(prefix="trialsite-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "trialsite", str(place)]
    subprocess.run(mount, check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


@pytest.mark.fault
@pytest.mark.requirement("AV1")
def test_a_full_disk_loses_nothing_and_heals_when_there_is_space(disk, fault_table):
    product = Launcher(disk / "var", {"PORT": str(free_port()), "DEMO": "1"})
    try:
        product.start("run", ready="Logs: ", within=ENTERING)
        nurse = sign_in_nurse(product)
        savers = [Saver(nurse.twin(), record) for record in unbegun_records(nurse)]
        for saver in savers:
            saver.start()
        go_on(savers)
        ballast = disk / "ballast"
        _fill(ballast)
        refused = failed(savers).total()
        until(
            lambda: failed(savers).total() > refused + 8,
            what="saves that cannot be kept are refused",
        )
        until(lambda: not is_ready(product), what="the product says that it is not ready")
        ballast.unlink()
        freed = time.monotonic()
        until(lambda: is_ready(product), what="ready again")
        healed = time.monotonic() - freed
        fault_table(
            "the disk of database, broker and logs is full",
            done=f"1 disk of {SIZE}",
            promised="what was acknowledged is there; ready within 60 s of new space",
            counted=f"ready after {healed:.0f} s; {judged(product, savers)}",
        )
    finally:
        product.clean_up()


def _fill(ballast: Path) -> None:
    """Write until nothing more fits, and once more what fits into the rest."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
