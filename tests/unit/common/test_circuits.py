"""A circuit is open for as long as its store does not answer, and no longer."""

import threading
from typing import Any

import pytest

from common.stores.circuits import Circuit
from tests.acceptance.harness import wait_until


def test_a_store_that_answers_is_asked_again_at_once() -> None:
    circuit = Circuit("well", lambda: None)
    circuit.open()
    wait_until(lambda: not circuit.is_open, "answer of the first probe", 0.5)


def test_a_store_that_does_not_answer_is_asked_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.stores.circuits.PROBE_SECONDS", 0.01)
    answers = iter([ConnectionError(), ConnectionError(), None])

    def ask() -> None:
        if error := next(answers):
            raise error

    circuit = Circuit("away", ask)
    circuit.open()
    wait_until(lambda: not circuit.is_open, "answer of the third probe", 5)
    assert list(answers) == []


def test_a_circuit_does_not_stay_open_when_nothing_can_probe_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    circuit = Circuit("away", lambda: 1 / 0)
    circuit.open()
    assert not circuit.is_open
