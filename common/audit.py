"""Who changed what: one line of the logger ``audit`` for each change that a person or a client asked for.

Requests of the hot path are traffic, not administration: the access log has them. Neither log has personal data, so a
thing is named by its kind and id, never by a phone number or a code.
"""

import getpass
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.core.management.base import CommandError
from django.db import connection, transaction

from common.commands import StoreCommand

logger = logging.getLogger("audit")

DONE = "done"
ONLY_LOOKS = ("check", "dry_run")  # options of commands
OF_OTHERS = ("createsuperuser", "changepassword")


def audit(actor: str, action: str, thing: object = "", outcome: str = DONE, said: str = "") -> None:
    """Log one change when it is committed.

    Args: actor: who asked, with a kind in front, like ``account:shop`` or ``user:ada``.
          action: what was asked for; thing: what it was done to; outcome: ``done``, or why it was not.
          said: more in words.
    """
    fields = {"actor": actor, "action": action, "object": str(thing), "outcome": outcome, "said": said}
    write = partial(logger.info, "audit", extra=fields)
    if connection.in_atomic_block:
        transaction.on_commit(write)
    else:
        write()


@contextmanager
def auditing_commands_of_others(name: str) -> Iterator[None]:
    """Around a command that may be one of Django's that change something."""
    outcome = "refused"
    try:
        yield
        outcome = DONE
    finally:
        if name in OF_OTHERS:
            audit(f"command:{_user()}", name, outcome=outcome)


class AuditedCommand(StoreCommand):
    """A command that changes something. Its actor is the user of the operating system.

    Attributes: said: what the line says of it in words.
    """

    said = ""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Raises what the command raises."""
        outcome = "failed"
        try:
            output = super().execute(*args, **options)
            outcome = DONE
        except CommandError:
            outcome = "refused"
            raise
        finally:
            if not any(options.get(only_looks) for only_looks in ONLY_LOOKS):
                name = type(self).__module__.rpartition(".")[2]
                audit(f"command:{_user()}", name, options.get("name", ""), outcome, self.said)
        return output


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
