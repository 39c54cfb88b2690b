"""``python -m devstack``: the whole system on one machine, behind `make run` and `make dev`.

A supervisor lives as long as its stack, so it loads neither Django's apps nor clients of the stores. What needs them is
the set-up, a process that ends.
"""

import signal
import socket
import sys
import threading
from argparse import ArgumentParser
from contextlib import ExitStack

from django.core.exceptions import ImproperlyConfigured

try:
    from config import env
except ImproperlyConfigured as exc:
    sys.exit(f"error: {exc}")

from devstack.changes import Changes
from devstack.errors import DevstackError, PartKeepsDying, Stopped
from devstack.folders import locked_data_dir
from devstack.leftovers import Record
from devstack.parts import HOST, SET_UP, application_parts, store_parts
from devstack.process import Part
from devstack.supervisor import Log, Supervisor


def main() -> None:
    parser = ArgumentParser(prog="devstack", description="Run the stores, the server and the workers until Ctrl-C.")
    parser.add_argument("--reload", action="store_true", help="restart parts when a source file changes")
    arguments = parser.parse_args()
    stopping = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, lambda *_: stopping.set())
    try:
        _run(stopping, reload=arguments.reload)
    except Stopped:
        return
    except PartKeepsDying as exc:
        sys.exit("\n".join([*exc.last_lines, f"CommandError: {exc}"]))
    except (DevstackError, OSError) as exc:
        sys.exit(f"CommandError: {' '.join(str(exc).split())}")


def _run(stopping: threading.Event, *, reload: bool) -> None:
    with ExitStack() as stack:
        stack.enter_context(locked_data_dir(env.DATA_DIR))
        record = Record(env.DATA_DIR)
        record.end_leftovers()
        _check_port()
        supervisor = Supervisor(Log(), record, stopping)
        stack.callback(supervisor.stop)
        _start_stores(supervisor)
        supervisor.run(SET_UP)
        _start_application(supervisor, application_parts(reload=reload))
        _watch(supervisor, reload=reload)


def _start_stores(supervisor: Supervisor) -> None:
    """Start the embedded stores; one with another URL in the environment is somebody else's."""
    ours = env.embedded_urls(env.DATA_DIR)
    for variable, part in store_parts(env.DATA_DIR, durable=True).items():
        if getattr(env, variable) == ours[variable]:
            supervisor.start(part)
            supervisor.wait_for(part)


def _start_application(supervisor: Supervisor, parts: list[Part]) -> None:
    for part in parts:
        supervisor.start(part)
    for part in parts:
        supervisor.wait_for(part)
    password_file = env.DATA_DIR / "admin-password"
    if password_file.exists():
        _say(f"admin: http://{HOST}:{env.PORT}/admin/ as admin, the password is in {password_file}")
    _say(f"ready: http://{HOST}:{env.PORT}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _check_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, env.PORT))
        except OSError as exc:
            raise DevstackError(f"PORT {env.PORT} cannot be used: {exc.strerror}; set another PORT") from exc


def _watch(supervisor: Supervisor, *, reload: bool) -> None:
    changes = Changes(env.BASE_DIR) if reload else None
    while True:
        supervisor.tick()
        if changes and changes.found():
            supervisor.restart(lambda part: part.restarts_on_change)


if __name__ == "__main__":
    main()
