"""Two processes for ``-n 2``: tests with time limits, and beside them those that can wait.

Those that can wait run at low priority, in what the others leave of the machine.
"""

import os
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

CAN_WAIT = ("test_devstack.py", "test_timestamps_recovery.py")
NICENESS = 10


class TwoProcesses(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """All tests of a group in one process, one after the other.

    Not by xdist's own ``loadgroup``: it writes groups into ``_nodeid``, which pytest 9.2 does not read any more.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "can wait" if nodeid.partition("::")[0].endswith(CAN_WAIT) else "has limits"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoProcesses:
    return TwoProcesses(config, log)


@pytest.fixture(scope="module", autouse=True)
def _priority(request: pytest.FixtureRequest) -> None:
    if request.path.name in CAN_WAIT and "PYTEST_XDIST_WORKER" in os.environ:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
