"""A job: background work of one kind, as its app's ``jobs.py`` declares it."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import resolve_name


@dataclass(frozen=True, kw_only=True)
class Job:
    """Functions are named ``module:function`` and imported by whoever calls them: beat needs none, a worker few.

    Attributes:
        name: of the Celery task.
        queue: whose workers do it.
        every_seconds: after which beat asks for it again.
        turn: does some of it, may run twice, side by side, or be killed anywhere, and returns True when there is more
            to do at once.
        turn_seconds: the turn's argument, if it has one: a worker that is told to stop finishes its turn.
        asked: how many workers beat asks, to do it side by side.
        woken: how many workers a wake-up calls.
        niceness: how far it leaves the processor to others.
        watch: looks whether it is late, and does it then; called by the first process of its worker.
        watch_seconds: between these looks.
        is_on: whether beat asks for it in this deployment.
        waits_for_migrations: whether a missing table or column is a database that is being made, and no defect.
    """

    name: str
    queue: str
    every_seconds: float
    turn: str
    turn_seconds: float | None = None
    asked: int = 1
    woken: int = 1
    niceness: int = 0
    watch: str = ""
    watch_seconds: float = 0.0
    is_on: bool = True
    waits_for_migrations: bool = False

    def load(self) -> None:
        """Import what it needs, once for all processes that are forked from this one."""
        for name in filter(None, (self.turn, self.watch)):
            resolve_name(name)

    def take_turn(self) -> bool:
        """Whether there is more to do at once. Raises whatever the turn raises."""
        arguments = () if self.turn_seconds is None else (self.turn_seconds,)
        return resolve_name(self.turn)(*arguments) is True

    def look(self) -> None:
        """Do it if it is late. Raises whatever the watch raises."""
        resolve_name(self.watch)()


def declared_jobs(apps: Iterable[str]) -> list[Job]:
    """The apps' ``JOBS``."""
    return [job for app in apps for job in import_module(f"{app}.jobs").JOBS]


def jobs_of(jobs: Iterable[Job], queues: Iterable[str]) -> list[Job]:
    """Those whose workers take from one of these queues."""
    wanted = set(queues)
    return [job for job in jobs if job.queue in wanted]
