"""One run of the drill: a stack, its watchers, fault after fault, and a table of what came of them."""

import logging
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.acceptance.harness import free_port, running_stack
from tests.alerts.boards import check_dashboards, check_metrics
from tests.alerts.faults import Fault, Scene
from tests.alerts.traffic import Traffic
from tests.alerts.watchers import running_watchers

SETTLE_SECONDS = 75.0  # the longest of the short windows
FIRE_SECONDS = 150.0
CLEAR_SECONDS = 240.0
DISK_MIB = 1_536
Say = Callable[[str], None]


class Seen(NamedTuple):
    """Seconds from the fault to the alert at Alertmanager, and from the repair to its end; None: it did not come."""

    alert: str
    what: str
    fired: float | None
    cleared: float | None

    def __str__(self) -> str:
        return f"| {self.alert} | {self.what} | {_shown(self.fired)} | {_shown(self.cleared)} |"


def run_drill(folder: Path, faults: Sequence[Fault], say: Say, *, screenshots: Path | None) -> bool:
    """Whether every alert fired and cleared, and every metric and panel has data."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    port = free_port()
    settings = {"METRICS_PORT": str(port), "FLOODGATE_VERSION": "drill"}
    settings |= {"PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")}
    with (
        small_disk(folder / "disk") as disk,
        running_stack(disk / "data", WEB_WORKERS="1", **settings) as stack,
        running_watchers(folder / "watch", stack, port) as watchers,
        Traffic(stack) as traffic,
    ):
        scene = Scene(stack, traffic, watchers)
        (stack.data_dir / "last-backup").touch()
        say(f"settling for {SETTLE_SECONDS:.0f} s")
        time.sleep(SETTLE_SECONDS)
        quiet = [f"fires without a fault: {name}" for name in sorted(watchers.firing())]
        wrong = quiet + check_metrics(watchers) + check_dashboards(watchers, screenshots)
        seen = [found for fault in faults for found in _practise(scene, fault, say)]
    say("\n| alert | fault | seconds to fire | seconds to clear |\n|---|---|---|---|")
    for line in (*seen, *wrong):
        say(str(line))
    return not wrong and all(found.fired is not None and found.cleared is not None for found in seen)


def _practise(scene: Scene, fault: Fault, say: Say) -> list[Seen]:
    """The next fault meets no alert of this one."""
    begun = time.monotonic()
    with fault.cause(scene):
        fired = {alert: _await(scene, alert, FIRE_SECONDS, begun, is_firing=True) for alert in fault.alerts}
    repaired = time.monotonic()
    cleared = {alert: _await(scene, alert, CLEAR_SECONDS, repaired, is_firing=False) for alert in fault.alerts}
    with suppress(httpx.HTTPError):
        deadline = time.monotonic() + CLEAR_SECONDS
        while scene.watchers.firing() and time.monotonic() < deadline:
            time.sleep(1)
    for alert in fault.alerts:
        say(f"{fault.what}: {_short(alert)} after {_shown(fired[alert])} s, cleared after {_shown(cleared[alert])} s")
    return [Seen(_short(alert), fault.what, fired[alert], cleared[alert]) for alert in fault.alerts]


def _await(scene: Scene, alert: str, seconds: float, begun: float, *, is_firing: bool) -> float | None:
    while time.monotonic() < begun + seconds:
        with suppress(httpx.HTTPError):
            if scene.watchers.is_firing(alert) == is_firing and (not is_firing or scene.watchers.has_arrived(alert)):
                return time.monotonic() - begun
        time.sleep(0.5)
    return None


def _short(alert: str) -> str:
    name, _, labels = alert.removeprefix('alertname="').partition('"')
    return f"{name} {{{labels.removeprefix(',')}}}" if labels else name


def _shown(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f}"


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system in memory, that can be filled; root may mount one."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
