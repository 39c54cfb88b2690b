"""``manage.py devstack``: the whole system on one machine, behind `make run` and `make dev`."""

import signal
import socket
import threading
from argparse import ArgumentParser
from contextlib import ExitStack
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from config import env
from devstack.changes import Changes
from devstack.errors import DevstackError, PartKeepsDying, Stopped
from devstack.folders import locked_data_dir
from devstack.leftovers import Record
from devstack.parts import HOST, application_parts
from devstack.process import Part
from devstack.setup import ensure_admin, prepare_databases
from devstack.stores import store_parts
from devstack.supervisor import Log, Supervisor


class Command(BaseCommand):
    help = "Run the stores, the server and the workers until Ctrl-C."
    requires_system_checks = []  # some of them ask the stores

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reload", action="store_true", help="restart parts when a source file changes")

    def handle(self, *, reload: bool, **_: Any) -> None:
        stopping = threading.Event()
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, lambda *_: stopping.set())
        try:
            self._run(stopping, reload=reload)
        except Stopped:
            return
        except PartKeepsDying as exc:
            self.stderr.write("\n".join(exc.last_lines))
            raise CommandError(str(exc)) from exc
        except (DevstackError, OSError, DatabaseError, psycopg.Error) as exc:
            raise CommandError(" ".join(str(exc).split())) from exc

    def _run(self, stopping: threading.Event, *, reload: bool) -> None:
        with ExitStack() as stack:
            stack.enter_context(locked_data_dir(env.DATA_DIR))
            record = Record(env.DATA_DIR)
            record.end_leftovers()
            _check_port()
            supervisor = Supervisor(Log(), record, stopping)
            stack.callback(supervisor.stop)
            _start_stores(supervisor)
            self._start_application(supervisor, application_parts(reload=reload))
            _watch(supervisor, reload=reload)

    def _start_application(self, supervisor: Supervisor, parts: list[Part]) -> None:
        prepare_databases([url for url in (env.DATABASE_URL, env.READ_DATABASE_URL) if url])
        self.check(databases=["default"])  # now that the stores can be asked
        password_file = env.DATA_DIR / "admin-password"
        ensure_admin(password_file)
        for part in parts:
            supervisor.start(part)
        for part in parts:
            supervisor.wait_for(part)
        if password_file.exists():
            self._say(f"admin: http://{HOST}:{env.PORT}/admin/ as admin, the password is in {password_file}")
        self._say(f"ready: http://{HOST}:{env.PORT}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _start_stores(supervisor: Supervisor) -> None:
    """Start the embedded stores; one with another URL in the environment is somebody else's."""
    ours = env.embedded_urls(env.DATA_DIR)
    for variable, part in store_parts(env.DATA_DIR, durable=True).items():
        if getattr(env, variable) == ours[variable]:
            supervisor.start(part)
            supervisor.wait_for(part)


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
