"""One sum per key for what many requests of a batch add to it: a popular key costs the buffer one step, not hundreds.

Only increments without an idempotency record are folded: those with one must be known again one by one.
"""

from collections.abc import Sequence

from counters.buffer import ADDED, FULL, add_submissions
from counters.types import MAX_VALUE, Increment, Submission


def add_folded(submissions: Sequence[Submission]) -> list[bytes]:
    """As ``add_submissions``, in the same order. Increments to one key are then added together or refused together."""
    sums = _sums(submissions)
    if sums is None:
        return add_submissions(submissions)
    keyed = [submission for submission in submissions if submission.idempotency]
    folded, *rest = add_submissions([Submission(list(sums.items())), *keyed])
    answers = iter(rest)
    return [next(answers) if item.idempotency else _unfolded(folded, sums, item.increments) for item in submissions]


def _sums(submissions: Sequence[Submission]) -> dict[bytes, int] | None:
    """None when there is nothing to fold, or a sum that is no increment any more."""
    sums: dict[bytes, int] = {}
    for increments, idempotency in submissions:
        if idempotency is None:
            for key, value in increments:
                sums[key] = sums.get(key, 0) + value
    return sums if sums and max(sums.values()) <= MAX_VALUE else None


def _unfolded(answer: bytes, sums: dict[bytes, int], increments: list[Increment]) -> bytes:
    if answer == FULL:
        return FULL
    if b"0" not in answer:
        return ADDED + b"1" * len(increments)
    outcomes = dict(zip(sums, answer[1:], strict=True))
    return ADDED + bytes([outcomes[key] for key, _ in increments])
