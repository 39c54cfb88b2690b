"""Counting: into the buffer, which answers when the increments are on disk."""

from collections.abc import Iterator

from common.errors import FloodgateError
from common.idempotency import Replayed
from counters.buffer import REPLAYED
from counters.folding import add_folded
from counters.metrics import REFUSALS, count_answers
from counters.types import SUBMISSION_INCREMENTS, Counted, Submission

CALL_INCREMENTS = SUBMISSION_INCREMENTS  # so a submission is counted in one call; docs/adr/0008

Outcome = Counted | Replayed[Counted] | FloodgateError


def increment_counters(submissions: list[Submission]) -> list[Outcome]:
    """Add every increment to its counter, durably.

    Args:    submissions: N, each of at most SUBMISSION_INCREMENTS; idempotency records and keys may repeat.
    Returns: N outcomes in the order of ``submissions``. With BacklogFull, TooManyMarks and IdempotencyKeyReused nothing
        of the submission was added.
    Raises:  RedisError: unknown what was added; the same submissions may be sent again.
    Source:  docs/counters.md.
    """
    answers = [answer for call in _calls(submissions) for answer in add_folded(call)]
    count_answers(answers)
    return [_outcome(answer) for answer in answers]


def _calls(submissions: list[Submission]) -> Iterator[list[Submission]]:
    """The same in the same order, in groups of at most CALL_INCREMENTS."""
    call: list[Submission] = []
    size = 0
    for submission in submissions:
        size += len(submission.increments)
        if size > CALL_INCREMENTS and call:
            yield call
            call, size = [], len(submission.increments)
        call.append(submission)
    if call:
        yield call


def _outcome(answer: bytes) -> Outcome:
    kind = answer[:1]
    if refusal := REFUSALS.get(kind):
        return refusal()
    counted = Counted(answer[1:].replace(b"2", b"1"))
    return Replayed(counted) if kind == REPLAYED else counted
