"""Two lanes for ``-n 2 --dist loadgroup``: tests with time limits, and beside them those that can wait.

Those that can wait run at low priority, in what the others leave of the machine.
"""

import os
from pathlib import Path

import pytest

CAN_WAIT = {"test_devstack.py", "test_timestamps_recovery.py"}
NICENESS = 10


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("untimed" if item.path.name in CAN_WAIT else "timed"))


@pytest.fixture(scope="module", autouse=True)
def _niceness(request: pytest.FixtureRequest) -> None:
    if request.path.name in CAN_WAIT and "PYTEST_XDIST_WORKER" in os.environ:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
