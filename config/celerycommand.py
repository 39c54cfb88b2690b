"""``python -m config.celerycommand worker -Q ...`` or ``beat``: Celery's commands by themselves.

The command ``celery`` loads all its others too, with a shell for queues that takes 7 MiB of each worker and of beat.
"""

import sys

from celery import Celery
from celery.bin.base import CLIContext


def main(role: str, *arguments: str) -> None:
    sys.argv[:1] = ["-m", __spec__.name]  # a worker that gets a SIGHUP starts again with what stands there
    if role == "beat":
        from celery.bin.beat import beat as command

        from config.beatprocess import app  # each sets up a process of its kind
    else:
        from celery.bin.worker import worker as command

        from config.workerprocess import app
    command.main(arguments, prog_name=role, obj=_context(app))


def _context(app: Celery) -> CLIContext:
    return CLIContext(app=app, no_color=True, workdir=None, quiet=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
