"""docker-compose.yml, judged by Compose's own binary."""

import ast
import json
import os
import subprocess
import sys
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = Path(sys.executable).parent / "docker-compose"
SECRETS = {"SECRET_KEY": "a", "POSTGRES_PASSWORD": "b"}


def _compose(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMPOSE, "--project-directory", ROOT, "--env-file", os.devnull, "--profile", "*", "config", *arguments],
        env={"PATH": os.defpath, "HOME": os.devnull, **environment},
        capture_output=True,
        text=True,
        timeout=20,
    )


@cache
def _services() -> dict[str, Any]:
    done = _compose("--format", "json", **SECRETS)
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


def _own_services() -> dict[str, Any]:
    return {name: service for name, service in _services().items() if "build" in service}


def _names_read_by_env() -> set[str]:
    """First arguments of all calls in config/env.py that look like a variable's name."""
    tree = ast.parse((ROOT / "config/env.py").read_text(encoding="utf-8"))
    first_arguments = (node.args[0] for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args)
    values = (node.value for node in first_arguments if isinstance(node, ast.Constant))
    return {value for value in values if isinstance(value, str) and value.isupper()}


@pytest.mark.parametrize("missing", SECRETS)
def test_missing_secret_stops_compose_and_is_named(missing: str) -> None:
    done = _compose("-q", **{name: value for name, value in SECRETS.items() if name != missing})
    assert done.returncode != 0
    assert f"set {missing}" in done.stderr


def test_example_of_env_file_names_every_variable_of_compose() -> None:
    table = _compose("--variables", **SECRETS).stdout.splitlines()[1:]
    example = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert {line.split()[0] for line in table} == {line.split("=")[0] for line in example if line and line[0] != "#"}


def test_every_variable_is_one_that_the_settings_read() -> None:
    given = {name for service in _own_services().values() for name in service["environment"]}
    assert given <= _names_read_by_env()


def test_every_queue_of_the_schedule_has_one_worker() -> None:
    commands = [service["command"] for service in _own_services().values()]
    workers = sorted(command[1] for command in commands if command[0] == "worker")
    scheduled = {entry["options"]["queue"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert workers == sorted(scheduled | {settings.CELERY_TASK_DEFAULT_QUEUE})


def test_web_asks_for_keys_and_believes_only_those_who_can_be_caddy() -> None:
    environment = _services()["web"]["environment"]
    assert environment["API_KEYS"] == "required"
    assert all(ip_network(part).is_private for part in environment["TRUSTED_PROXIES"].split(","))


def test_only_caddy_publishes_ports() -> None:
    assert [name for name, service in _services().items() if service.get("ports")] == ["caddy"]


def test_uploads_and_workers_share_one_file_system() -> None:
    for name in ("web", "worker-imports"):
        service = _services()[name]
        assert [(mount["source"], mount["target"]) for mount in service["volumes"]] == [("files", "/data")]
        assert service["environment"]["IMPORT_ROOT"] == "/data/imports"
        assert service["environment"]["SPOOL_DIR"] == "/data/spool"


def test_truth_store_keeps_what_it_answered() -> None:
    command = " ".join(_services()["valkey"]["command"])
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in command


def test_every_service_is_bounded() -> None:
    for name, service in _services().items():
        assert {"mem_limit", "stop_grace_period", "logging"} <= service.keys() or name == "migrate", name


def test_our_containers_have_no_rights_they_do_not_use() -> None:
    for service in _own_services().values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
