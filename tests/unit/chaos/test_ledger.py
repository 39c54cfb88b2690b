"""The ledger must be exact about what an answer means, or the run proves nothing."""

import json

import pytest

from tests.chaos.connection import Answer
from tests.chaos.counters.ledger import Increment, Ledger, Outcome, outcomes_of

ADDED, REFUSED, UNKNOWN = Outcome.ADDED, Outcome.REFUSED, Outcome.UNKNOWN


def problem(status: int, code: str) -> Answer:
    return Answer(status, json.dumps({"code": code}).encode())


@pytest.mark.parametrize(
    ("answer", "outcomes"),
    [
        (Answer(200, b'[{"status": "added"}, {"status": "refused", "code": "counter-full"}]'), [ADDED, REFUSED]),
        (problem(503, "store-unavailable"), [UNKNOWN, UNKNOWN]),
        (problem(503, "overloaded"), [REFUSED, REFUSED]),
        (problem(503, "backlog-full"), [REFUSED, REFUSED]),
        (problem(503, "counter-full"), [REFUSED, REFUSED]),
        (problem(429, "rate-limited"), [REFUSED, REFUSED]),
    ],
)
def test_each_answer_says_what_became_of_the_increments(answer: Answer, outcomes: list[Outcome]) -> None:
    assert outcomes_of(answer, 2) == outcomes


def test_empty_success_acknowledges_the_one_increment() -> None:
    assert outcomes_of(Answer(200, b""), 1) == [ADDED]


@pytest.mark.parametrize("answer", [problem(500, "internal-error"), problem(503, "unheard-of"), problem(400, "x")])
def test_any_other_answer_is_odd(answer: Answer) -> None:
    with pytest.raises(ValueError, match=str(answer.status)):
        outcomes_of(answer, 1)


@pytest.mark.parametrize(
    ("total", "misfits"),
    [(4, ["k has 1 too few"]), (5, []), (12, []), (13, ["k has 1 too many"])],
)
def test_total_lies_between_acknowledged_and_that_with_unanswered(total: int, misfits: list[str]) -> None:
    ledger = Ledger(["k"])
    increments = [Increment("k", 5), Increment("k", 7), Increment("k", 100)]
    ledger.attempt(increments)
    ledger.record(increments, [ADDED, UNKNOWN, REFUSED])
    assert ledger.misfits({"k": total}) == misfits
    assert ledger.attempted["k"] == 12
