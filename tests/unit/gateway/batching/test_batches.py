"""What a failure of a bulk function means for each item."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as ValkeyConnectionError

from common.errors import FloodgateError, StoreUnavailable
from gateway.batching import batches
from gateway.batching.batches import run_batch


@pytest.fixture(autouse=True, scope="module")
def without_connections() -> Iterator[None]:
    """There is no database here whose stale connections could be closed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "close_old_connections", lambda: None)
        yield


def failure(kind: type[Exception], sqlstate: str) -> Exception:
    error = kind("as Django raises it")
    error.__cause__ = psycopg.errors.lookup(sqlstate)()
    return error


def failing(error: Exception, times: int) -> tuple[Callable[[list[Any]], list[Any]], list[list[Any]]]:
    """A bulk function that fails ``times`` times and then echoes, and the lists it was called with."""
    calls: list[list[Any]] = []

    def run(items: list[Any]) -> list[Any]:
        calls.append(items)
        if len(calls) <= times:
            raise error
        return items

    return run, calls


@given(st.sets(st.integers(0, 99)), st.sampled_from([(DataError, "22003"), (IntegrityError, "23505")]))
def test_bad_data_fails_alone(bad: set[int], kind: tuple[type[Exception], str]) -> None:
    def run(items: list[int]) -> list[int]:
        if bad & set(items):
            raise failure(*kind)
        return [item + 1_000 for item in items]

    results = run_batch(run, list(range(100)))
    assert [type(result) for result in results] == [FloodgateError if n in bad else int for n in range(100)]
    assert [result for n, result in enumerate(results) if n not in bad] == [
        n + 1_000 for n in range(100) if n not in bad
    ]


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03"])
@pytest.mark.parametrize(("failures", "calls_made", "succeeds"), [(1, 2, True), (2, 3, True), (3, 3, False)])
def test_conflict_repeats_the_whole_batch_at_most_three_times(
    sqlstate: str, failures: int, calls_made: int, succeeds: bool
) -> None:
    run, calls = failing(failure(OperationalError, sqlstate), failures)
    results = run_batch(run, [1, 2, 3])
    assert calls == [[1, 2, 3]] * calls_made
    assert results == [1, 2, 3] if succeeds else all(isinstance(result, StoreUnavailable) for result in results)


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("server closed the connection unexpectedly"),
        InterfaceError("connection already closed"),
        failure(OperationalError, "57P01"),
        failure(OperationalError, "57014"),
        failure(OperationalError, "08006"),
        ValkeyConnectionError("gone"),
    ],
    ids=str,
)
def test_lost_connection_is_never_repeated(error: Exception) -> None:
    run, calls = failing(error, 1)
    results = run_batch(run, [1, 2, 3])
    assert calls == [[1, 2, 3]]
    assert [type(result) for result in results] == [StoreUnavailable] * 3


def test_defect_is_never_repeated_or_split() -> None:
    run, calls = failing(ZeroDivisionError(), 1)
    assert [type(result) for result in run_batch(run, [1, 2, 3])] == [FloodgateError] * 3
    assert calls == [[1, 2, 3]]


def test_error_of_our_own_is_the_answer_to_each() -> None:
    error = StoreUnavailable()
    run, calls = failing(error, 1)
    assert run_batch(run, [1, 2]) == [error, error]
    assert len(calls) == 1


@pytest.mark.parametrize("results", [[], [1], [1, 2, 3]])
def test_wrong_number_of_results_answers_nobody_with_anothers(results: list[int]) -> None:
    assert [type(result) for result in run_batch(lambda items: results, ["a", "b"])] == [FloodgateError] * 2
