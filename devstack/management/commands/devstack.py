"""``manage.py devstack``: the same as ``python -m devstack``, which this process becomes."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.env import BASE_DIR


class Command(BaseCommand):
    help = "Run the stores, the server and the workers until Ctrl-C."
    requires_system_checks = []  # some of them ask the stores

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reload", action="store_true", help="restart parts when a source file changes")

    def handle(self, *, reload: bool, **_: Any) -> None:
        os.chdir(BASE_DIR)
        if os.environ.get("DJANGO_SETTINGS_MODULE") == "config.settings":  # manage.py's; workers have their own
            del os.environ["DJANGO_SETTINGS_MODULE"]
        options = ["--reload"] if reload else []
        os.execv(sys.executable, [sys.executable, "-m", "devstack", *options])
