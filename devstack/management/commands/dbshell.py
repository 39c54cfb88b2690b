"""``manage.py dbshell`` of a clone: with the psql of the embedded PostgreSQL, as there need be no other."""

import os
from contextlib import suppress
from typing import Any

from django.core.management.commands import dbshell

from devstack.errors import DevstackError
from devstack.wheels import postgres_bin


class Command(dbshell.Command):
    def handle(self, **options: Any) -> None:
        with suppress(DevstackError):  # the wheel is not installed: one of the machine's, then
            os.environ["PATH"] = os.pathsep.join([str(postgres_bin()), os.environ.get("PATH", os.defpath)])
        super().handle(**options)
