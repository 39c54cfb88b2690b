"""What each container of docker-compose.yml runs, with its own environment and an empty /tmp, on the stores of a stack.

The engine's part of it, images and networks, is ``make stack``.
"""

import json
import os
import re
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import UUID

import pytest

from config.env import BASE_DIR, embedded_urls
from devstack.parts import CELERY_PARTS
from tests.acceptance.harness import Stack, free_port, wait_until

COMPOSE = Path(sys.executable).parent / "docker-compose"
STAYS = ["web", *CELERY_PARTS]
SECRET = "a-key-that-nobody-may-read-in-a-log-and-that-is-long-enough"
PASSWORD = "kattegat-3-gales"
ENDS_SECONDS = 40.0
# Other tests see to them: they need terminals, what is not here, or a deployment that nobody else uses.
ELSEWHERE = {"devstack", "set_up", "dbshell", "demo", "migrate", "collectstatic", "hand_over_tables"}
ELSEWHERE |= {"replay_timestamps", "accept_archive_loss"}

ROWS = 20_000  # a version may not shrink by more than half, and others have been here
INPUT = {
    "import_promotions": "".join(f"{UUID(int=row)},1,2030-08-04 05:32:31 +0200 CEST\n" for row in range(ROWS)),
    "import_vouchers": "code,amount,limit\nROLES-1,5,3\n",
    "import_regions": "slug,name,parent_slug\nroles_region,Roles,\n",
    "import_ports": "code,name,parent_slug\nROLES,Roles,roles_region\n",
    "import_prices": "orig_code,dest_code,day,price\nROLES,ROLES,2016-01-01,100\n",
}
LOOKS = {"list_api_keys", "verify_log", "reconcile", "rebuild_rollup", "check"}  # and change nothing
# In this order: some stand on others.
COMMANDS = [
    "createsuperuser --noinput --username roles --email roles@example.org",
    "create_api_key roles --scopes read counters:write timestamps:write vouchers:redeem vouchers:admin",
    "list_api_keys",
    "revoke_api_key roles",
    "unlock_login roles",
    "load_exchange_rates",
    "import_regions -",
    "import_ports -",
    "import_prices -",
    "import_vouchers -",
    "import_promotions --wait -",
    "flush_counters",
    "archive_timestamps",
    "verify_log",
    "retry_dead_letters",
    "reconcile",
    "renew_gate",
    "rebuild_rollup --check",
    "check --deploy --fail-level WARNING",
]


@cache
def services() -> dict[str, Any]:
    arguments = ("--project-directory", BASE_DIR, "--env-file", os.devnull, "config", "--format", "json")
    done = subprocess.run((COMPOSE, *arguments), env={"PATH": os.defpath}, capture_output=True, check=True, timeout=20)
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


class Machine:
    """Where the containers' files and addresses are on this one."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        self.metrics_port = free_port()
        self.port = free_port()
        (folder / "secret").write_text(SECRET)

    def environment(self, service: str) -> dict[str, str]:
        found: dict[str, str] = dict(services()[service]["environment"])
        there = {name: value.replace("/tmp/", f"{self._folder}/tmp/") for name, value in found.items()}
        without_password = {name: value for name, value in there.items() if not name.endswith("_PASSWORD_FILE")}
        (self._folder / "tmp").mkdir(exist_ok=True)
        stores = embedded_urls(self._stack.data_dir)
        has_files = any(volume["target"] == "/data" for volume in services()[service].get("volumes", []))
        return without_password | {
            **stores,
            "READ_DATABASE_URL": stores["DATABASE_URL"],
            "SECRET_KEY_FILE": str(self._folder / "secret"),
            "DATA_DIR": str(self._stack.data_dir if has_files else self._folder / "data"),
            "BIND_HOST": "127.0.0.1",
            "PORT": str(self.port),
            "METRICS_PORT": str(self.metrics_port),
            "TMPDIR": str(self._folder / "tmp"),
            "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
            "WEB_WORKERS": "1",
            "ECB_RATES_FROM": "2026-01-01",
        }

    @property
    def printed(self) -> str:
        return (self._folder / "log").read_text()

    def start(self, service: str, *command: str, **more: str) -> "subprocess.Popen[str]":
        with (self._folder / "log").open("w") as log:
            return subprocess.Popen(
                [BASE_DIR / "deploy/entrypoint.sh", *(command or services()[service]["command"])],
                env=self.environment(service) | more,
                cwd=BASE_DIR,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
            )

    def is_alive(self, service: str) -> bool:
        """By what its health check looks at."""
        path = "health/live" if service == "web" else "metrics"
        if service != "web" and not (self._folder / "tmp/alive").exists():
            return False
        try:
            return bool(urlopen(f"http://127.0.0.1:{self.port if service == 'web' else self.metrics_port}/{path}"))
        except OSError:
            return False


@pytest.fixture
def machine(stack: Stack, tmp_path: Path) -> Machine:
    return Machine(stack, tmp_path)


@pytest.mark.parametrize("service", STAYS)
def test_role_lives_in_its_environment_and_says_everything_as_json(machine: Machine, service: str) -> None:
    process = machine.start(service)
    try:
        wait_until(lambda: machine.is_alive(service) or process.poll() is not None, f"life of {service}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=ENDS_SECONDS)
    assert process.returncode == 0, machine.printed
    assert SECRET not in machine.printed
    for line in machine.printed.splitlines():
        assert {"timestamp", "level", "event"} <= json.loads(line).keys(), line


def test_documented_commands_work_in_the_environment_of_web(machine: Machine) -> None:
    for line in COMMANDS:
        name = line.split()[0]
        process = machine.start("web", "manage", *line.split(), DJANGO_SUPERUSER_PASSWORD=PASSWORD)
        process.communicate(INPUT.get(name, ""), timeout=60)
        printed = machine.printed
        assert process.returncode == 0, f"{line}: {printed}"
        assert ('"event": "audit"' in printed) is (name not in LOOKS), f"{line}: {printed}"
        assert SECRET not in printed


def test_every_documented_command_is_tried() -> None:
    pages = [BASE_DIR / "README.md", *(BASE_DIR / "docs").rglob("*.md"), *(BASE_DIR / "deploy").glob("[a-z]*")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())
    named = set(re.findall(r"\bmanage(?:\.py)? ([a-z]+_?[a-z_]+[a-z])\b", text))
    assert named - ELSEWHERE <= {line.split()[0] for line in COMMANDS}
