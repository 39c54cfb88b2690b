"""What was used before a fork works in the child, as Celery's children are forked from a process with threads."""

import multiprocessing
import socket
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

import pytest

from common.network import connecting
from common.stores.circuits import Circuit
from jobs import waking
from jobs.job import Job
from jobs.waking import Waker
from promotions.serving.pointer import LivePointer
from timestamps.log.recovery import Recovery

WAIT_SECONDS = 5.0
JOB = Job(name="example.work", queue="flush", every_seconds=1.0, turn="builtins:bool")


def in_child(work: Callable[[], object]) -> object:
    """What ``work`` answers in a forked process; fails when it does not answer."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(work, theirs))
    child.start()
    try:
        assert ours.poll(WAIT_SECONDS), "no answer from the child"
        return ours.recv()
    finally:
        child.kill()
        child.join()


def _answer(work: Callable[[], object], pipe: Connection) -> None:
    pipe.send(work())


def test_wakeups_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = threading.Event()
    monkeypatch.setattr(waking, "_send", lambda *message: sent.set())
    waking.wake(JOB)
    assert sent.wait(WAIT_SECONDS)

    def wake() -> bool:
        sent.clear()
        waking.wake(JOB)
        return sent.wait(WAIT_SECONDS)

    assert in_child(wake) is True


def test_a_waker_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    woken = threading.Event()
    monkeypatch.setattr("jobs.waking.wake", lambda *message, workers: woken.set())
    waker = Waker(JOB, 0.2)
    waker.request()
    assert woken.wait(WAIT_SECONDS)

    def request() -> bool:
        woken.clear()
        waker.request()
        return woken.wait(WAIT_SECONDS)

    assert in_child(request) is True


def test_a_circuit_that_was_open_is_closed_as_nobody_probes_there() -> None:
    circuit = Circuit("example", lambda: 1 / 0)
    circuit.open()
    assert in_child(lambda: circuit.is_open) is False
    assert circuit.is_open


def test_a_look_up_that_was_under_way_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    is_answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: is_answered.wait(WAIT_SECONDS) and [])
    connecting._look_up("example", 80)

    def look_up() -> object:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ["an address"])
        return connecting._look_up("example", 80).result(WAIT_SECONDS)

    assert in_child(look_up) == ["an address"]
    is_answered.set()


@pytest.mark.parametrize("owner", [Circuit("example", lambda: None), Waker(JOB, 0.2), Recovery(), LivePointer()])
def test_a_lock_that_another_thread_held_is_free(owner: object) -> None:
    lock: threading.Lock = vars(owner)["_lock"]
    with lock:
        assert in_child(lambda: vars(owner)["_lock"].acquire(timeout=1)) is True
