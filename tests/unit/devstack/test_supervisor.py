import io
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from devstack.errors import DevstackError, PartKeepsDying, Stopped
from devstack.leftovers import Record
from devstack.process import Part, Process
from devstack.supervisor import Log, Supervisor


def shell(name: str, script: str, **options: object) -> Part:
    return Part(name=name, command=["sh", "-c", script], **options)  # type: ignore[arg-type]


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def supervisor(tmp_path: Path, output: io.StringIO) -> Supervisor:
    return Supervisor(Log(output), Record(tmp_path), threading.Event())


def tick_until(supervisor: Supervisor, text: str, output: io.StringIO, times: int = 1) -> None:
    deadline = time.monotonic() + 20
    while output.getvalue().count(text) < times:
        assert time.monotonic() < deadline, output.getvalue()
        supervisor.tick()


def test_lines_carry_the_name_of_their_part_and_no_colour_off_a_terminal(
    supervisor: Supervisor, output: io.StringIO
) -> None:
    supervisor.start(shell("first", "echo one; sleep 60"))
    supervisor.start(shell("second", "echo two >&2; sleep 60"))
    tick_until(supervisor, "one", output)
    tick_until(supervisor, "two", output)
    supervisor.stop()
    assert sorted(output.getvalue().splitlines()) == ["first          | one", "second         | two"]


def test_parts_stop_in_reverse_order_by_their_own_signal(supervisor: Supervisor, output: io.StringIO) -> None:
    script = "trap 'echo got {0}; exit 0' {0}; echo up; sleep 60 & wait"  # a trap waits for a child in the foreground
    # Not INT: tests in the background have it ignored, and no shell can trap what it finds ignored.
    supervisor.start(shell("store", script.format("USR1"), stop_signal=signal.SIGUSR1))
    supervisor.start(shell("worker", script.format("TERM")))
    tick_until(supervisor, "store          | up", output)
    tick_until(supervisor, "worker         | up", output)
    supervisor.stop()
    assert output.getvalue().splitlines()[-2:] == ["worker         | got TERM", "store          | got USR1"]


def test_part_that_ignores_its_signal_is_killed_after_its_grace(supervisor: Supervisor, output: io.StringIO) -> None:
    supervisor.start(shell("deaf", "trap '' TERM; echo up; while :; do sleep 0.05; done", grace_seconds=0.3))
    tick_until(supervisor, "up", output)
    before = time.monotonic()
    supervisor.stop()
    assert 0.3 <= time.monotonic() - before < 10


def test_dead_part_is_prepared_and_started_again(supervisor: Supervisor, output: io.StringIO, tmp_path: Path) -> None:
    prepared: list[int] = []
    part = shell("part", f"echo life; test -e {tmp_path}/once || {{ touch {tmp_path}/once; exit 3; }}; sleep 60")
    supervisor.start(Part(part.name, part.command, prepare=lambda: prepared.append(1)))
    tick_until(supervisor, "ended with code 3", output)
    supervisor.stop()
    assert len(prepared) == 2


def test_restart_touches_only_the_parts_that_are_wanted(supervisor: Supervisor, output: io.StringIO) -> None:
    supervisor.start(shell("server", "echo up; sleep 60"))
    supervisor.start(shell("worker", "echo up; sleep 60", restarts_on_change=True))
    tick_until(supervisor, "worker         | up", output)
    tick_until(supervisor, "server         | up", output)
    supervisor.restart(lambda part: part.restarts_on_change)
    tick_until(supervisor, "worker         | up", output, times=2)
    supervisor.stop()
    assert output.getvalue().count("server         | up") == 1


def test_reader_of_the_log_that_goes_away_stops_nothing() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    Log(Gone())("part", "line")


def test_fourth_death_within_a_minute_raises_with_the_last_lines(supervisor: Supervisor, output: io.StringIO) -> None:
    supervisor.start(shell("part", "echo about to die; exit 7"))
    with pytest.raises(PartKeepsDying) as caught:
        tick_until(supervisor, "never", output)
    supervisor.stop()
    assert caught.value.last_lines == ["about to die"] * 4
    assert output.getvalue().count("about to die") == 4
    assert "exit code 7" in str(caught.value)


def test_deaths_far_apart_do_not_add_up(
    supervisor: Supervisor, output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devstack.supervisor.DEATHS_WINDOW_SECONDS", 0.0)
    supervisor.start(shell("part", "echo life; exit 7"))
    while output.getvalue().count("life") < 6:
        supervisor.tick()
    supervisor.stop()


def test_dead_part_takes_its_children_along(supervisor: Supervisor, output: io.StringIO) -> None:
    supervisor.start(shell("part", "sleep 61 & echo child=$!=; wait"))
    tick_until(supervisor, "child=", output)
    child = int(output.getvalue().split("=")[1])
    os.kill(os.getpgid(child), signal.SIGKILL)
    tick_until(supervisor, "ended with code -9", output)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}/cwd").exists():
        assert time.monotonic() < deadline
    supervisor.stop()


def test_every_wait_ends_when_a_stop_is_asked_for(tmp_path: Path) -> None:
    stopping = threading.Event()
    supervisor = Supervisor(Log(io.StringIO()), Record(tmp_path), stopping)
    stopping.set()
    part = shell("part", "sleep 60", is_ready=lambda: False)
    supervisor.start(part)
    with pytest.raises(Stopped):
        supervisor.wait_for(part)
    supervisor.stop()


def test_part_that_never_gets_ready_is_named(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.supervisor.READY_SECONDS", 0.2)
    part = shell("slow", "sleep 60", is_ready=lambda: False)
    supervisor.start(part)
    with pytest.raises(DevstackError, match="slow was not ready"):
        supervisor.wait_for(part)
    supervisor.stop()


def test_stop_after_a_failed_start_stops_what_runs(supervisor: Supervisor) -> None:
    def fail() -> None:
        raise DevstackError("no disk")

    supervisor.start(shell("first", "sleep 60"))
    with pytest.raises(DevstackError, match="no disk"):
        supervisor.start(shell("second", "sleep 60", prepare=fail))
    supervisor.stop()


def test_leftovers_of_a_recorded_session_are_ended(tmp_path: Path) -> None:
    process = Process(shell("part", "trap '' INT; echo up; sleep 62 & wait; wait"), lambda *_: None)
    process.start()
    deadline = time.monotonic() + 20
    while not process.last_lines:
        assert time.monotonic() < deadline
    record = Record(tmp_path)
    record.write({"part": process.pid})
    record.end_leftovers(end_seconds=0.3)
    assert process.exit_code() == -signal.SIGKILL
    process.stop()


def test_process_that_only_shares_a_recorded_number_is_left_alone(tmp_path: Path) -> None:
    process = Process(shell("stranger", "sleep 60"), lambda *_: None)
    process.start()
    (tmp_path / "parts.json").write_text(f'{{"part": {{"pid": {process.pid}, "started": 1}}}}')
    Record(tmp_path).end_leftovers()
    assert process.exit_code() is None
    process.stop()


def test_parts_that_need_not_wait_for_each_other_are_all_asked_first(
    supervisor: Supervisor, output: io.StringIO
) -> None:
    """Each takes a while, so one after the other would show as got, done, got, done."""
    slow = "trap 'echo got; sleep 0.5; echo done; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    for number in range(3):
        supervisor.start(shell(f"part-{number}", slow, stops_beside_others=True))
    tick_until(supervisor, "up", output, times=3)
    supervisor.stop()
    said = [line.split()[-1] for line in output.getvalue().splitlines()]
    assert said[3:6] == ["got"] * 3


def test_part_that_is_run_to_its_end_is_not_started_again(supervisor: Supervisor, output: io.StringIO) -> None:
    supervisor.run(shell("set-up", "echo done"))
    supervisor.tick()
    supervisor.stop()
    assert output.getvalue().splitlines() == ["set-up         | done"]


def test_last_line_of_a_part_that_fails_says_why(supervisor: Supervisor) -> None:
    with pytest.raises(DevstackError, match=r"^no disk$"):
        supervisor.run(shell("set-up", "echo begun; echo CommandError: no disk; exit 1"))


def test_stop_ends_a_part_that_is_run_to_its_end(tmp_path: Path, output: io.StringIO) -> None:
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(Stopped):
        Supervisor(Log(output), Record(tmp_path), stopping).run(shell("set-up", "exec sleep 60"))
