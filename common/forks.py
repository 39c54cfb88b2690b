"""What must begin anew in a forked process: of its threads only the one that forked goes on there.

Celery forks its workers from a process that has threads of its own. An executor that was used before has no thread in
the child, a lock that another thread held is never released, and what waits for such a thread waits for ever.
"""

import os
from collections.abc import Callable
from typing import TypeVar
from weakref import ref

Owner = TypeVar("Owner")


def renew_after_fork(owner: Owner, renew: Callable[[Owner], None]) -> None:
    """Call ``renew(owner)`` now, and in each child as long as the owner lives."""
    renew(owner)
    alive = ref(owner)

    def renew_if_alive() -> None:
        if (found := alive()) is not None:
            renew(found)

    os.register_at_fork(after_in_child=renew_if_alive)
