"""Appending: to the log, which answers when the entries are on disk."""

import random
from collections.abc import Iterator
from uuid import UUID

from common.errors import FloodgateError
from common.idempotency import IdempotencyKeyReused, Replayed
from jobs.waking import Waker
from timestamps.errors import BacklogFull, LogNotOpen, TooManyMarks
from timestamps.jobs import CONSUME
from timestamps.log import stream
from timestamps.log.recovery import recover_soon
from timestamps.metrics import count_outcomes
from timestamps.types import SUBMISSION_TIMESTAMPS, Appended, Submission

wake_consumer = Waker(CONSUME, pause_seconds=0.2).request
CALL_ENTRIES = SUBMISSION_TIMESTAMPS  # so a submission is appended in one call; docs/adr/0008

Outcome = Appended | Replayed[Appended] | FloodgateError

_REFUSALS: dict[bytes, type[FloodgateError]] = {
    stream.FULL: BacklogFull,
    stream.NO_MARKS: TooManyMarks,
    stream.NOT_OPEN: LogNotOpen,
    stream.REUSED: IdempotencyKeyReused,
}


def append_timestamps(submissions: list[Submission]) -> list[Outcome]:
    """Append every instant to the log, durably, and have the consumer woken.

    Args:    submissions: N, each of at most SUBMISSION_TIMESTAMPS; idempotency records may repeat.
    Returns: N outcomes in the order of ``submissions``. Of one that is refused (BacklogFull, LogNotOpen,
        TooManyMarks, IdempotencyKeyReused) nothing was appended.
    Raises:  RedisError: unknown what was appended; the same submissions may be sent again.
    Source:  docs/timestamps.md.
    """
    outcomes = [outcome for call in _calls(submissions) for outcome in _append(call)]
    if any(not isinstance(outcome, FloodgateError) for outcome in outcomes):
        wake_consumer()
    return outcomes


def _append(submissions: list[Submission]) -> list[Outcome]:
    drawn = [(f"{random.getrandbits(32):08x}", submission) for submission in submissions]
    answers = stream.append_submissions(drawn)
    if stream.NOT_OPEN in answers and recover_soon():
        answers = stream.append_submissions(drawn)
    outcomes = [_outcome(*pair) for pair in zip(answers, submissions, strict=True)]
    count_outcomes(outcomes)
    return outcomes


def _calls(submissions: list[Submission]) -> Iterator[list[Submission]]:
    """The same in the same order, in groups of at most CALL_ENTRIES."""
    call: list[Submission] = []
    size = 0
    for submission in submissions:
        size += len(submission.event_timestamps)
        if size > CALL_ENTRIES and call:
            yield call
            call, size = [], len(submission.event_timestamps)
        call.append(submission)
    if call:
        yield call


def _outcome(answer: bytes, submission: Submission) -> Outcome:
    kind, first_id = answer[:1], answer[1:].decode()
    if refusal := _REFUSALS.get(kind):
        return refusal()
    appended = Appended(UUID(first_id), len(submission.event_timestamps))
    return Replayed(appended) if kind == stream.REPLAYED else appended
