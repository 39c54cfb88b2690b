"""Deleting what is kept for a time only, in slices: no transaction is long, and a kill anywhere loses nothing."""

import time
from collections.abc import Callable


def prune_in_slices(
    oldest: Callable[[], int | None],
    drop_slice: Callable[[int], int],
    finish: Callable[[int], None],
    seconds: float,
) -> None:
    """Prune one owner of rows after the other, for about ``seconds``.

    Args:
        oldest: the key of the owner that is due first; None when none is.
        drop_slice: deletes some of its rows in a transaction of its own, and returns how many.
        finish: marks it as pruned, once it has no rows.
    Raises: whatever they raise.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until and (owner := oldest()) is not None:
        if not drop_slice(owner):
            finish(owner)
