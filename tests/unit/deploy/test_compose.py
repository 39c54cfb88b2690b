"""docker-compose.yml, judged by Compose's own binary."""

import ast
import json
import os
import re
import subprocess
import sys
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = Path(sys.executable).parent / "docker-compose"


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
    done = _compose("--format", "json")
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


def _own_services() -> dict[str, Any]:
    return {name: service for name, service in _services().items() if service["image"].startswith("floodgate:")}


def _names_read_by_env() -> set[str]:
    """First arguments of all calls in config/env.py that look like a variable's name."""
    tree = ast.parse((ROOT / "config/env.py").read_text(encoding="utf-8"))
    first_arguments = (node.args[0] for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args)
    values = (node.value for node in first_arguments if isinstance(node, ast.Constant))
    return {value for value in values if isinstance(value, str) and value.isupper()}


def _example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and line[0] != "#")


def test_example_of_env_file_names_only_what_compose_or_the_settings_read() -> None:
    of_compose = {line.split()[0] for line in _compose("--variables").stdout.splitlines()[1:]}
    assert _example().keys() <= of_compose | _names_read_by_env()
    assert of_compose - _example().keys() == {"FLOODGATE_VERSION", "ALLOWED_HOSTS"}


def test_every_variable_is_one_that_the_settings_read() -> None:
    given = {name.removesuffix("_FILE") for service in _own_services().values() for name in service["environment"]}
    assert given - _names_read_by_env() == {"APP_ROLE", "HEARTBEAT"}


def test_whatever_stands_in_the_env_file_reaches_all_containers_of_ours() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    names = [name for name, service in compose["services"].items() if service.get("image", "").startswith("floodgate:")]
    assert {"web", "beat", "migrate", "worker-flush"} <= set(names)
    assert all(compose["services"][name]["env_file"][0]["path"] == ".env" for name in names)


def test_every_queue_of_the_schedule_has_one_worker() -> None:
    commands = [service["command"] for service in _own_services().values() if service.get("command")]
    workers = sorted(command[1] for command in commands if command[0] == "worker")
    scheduled = {entry["options"]["queue"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert workers == sorted(scheduled | {settings.CELERY_TASK_DEFAULT_QUEUE})


def test_web_asks_for_keys_and_believes_only_those_who_can_be_caddy() -> None:
    environment = _services()["web"]["environment"]
    assert environment["API_KEYS"] == "required"
    assert all(ip_network(part).is_private for part in environment["TRUSTED_PROXIES"].split(","))


def test_only_caddy_publishes_ports_to_others() -> None:
    published = {name: service["ports"] for name, service in _services().items() if service.get("ports")}
    inside = {name for name, ports in published.items() if all(port.get("host_ip") == "127.0.0.1" for port in ports)}
    assert published.keys() - inside == {"caddy"}
    assert inside == {"prometheus", "alertmanager", "grafana"}


def test_only_the_profile_starts_what_watches() -> None:
    watching = {name for name, service in _services().items() if service.get("profiles")}
    assert all(_services()[name]["profiles"] == ["monitoring"] for name in watching)
    assert {"prometheus", "alertmanager", "grafana", "blackbox-exporter", "valkey-exporter"} <= watching


def test_uploads_and_workers_share_one_file_system() -> None:
    for name in ("web", "worker-imports"):
        service = _services()[name]
        assert [(mount["source"], mount["target"]) for mount in service["volumes"]] == [("files", "/data")]
        assert service["environment"]["DATA_DIR"] == "/data"


def test_truth_store_keeps_what_it_answered() -> None:
    command = " ".join(_services()["valkey"]["command"])
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in command


def test_every_service_is_bounded() -> None:
    for name, service in _services().items():
        assert {"mem_limit", "pids_limit", "stop_grace_period", "logging"} <= service.keys(), name


def test_every_service_that_stays_has_a_check_of_its_health() -> None:
    for name, service in _services().items():
        assert "healthcheck" in service or service["restart"] == "no", name


def test_containers_have_no_rights_they_do_not_use() -> None:
    for service in _services().values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_no_secret_stands_in_an_environment() -> None:
    for service in _services().values():
        for name, value in (service.get("environment") or {}).items():
            assert not re.search("PASSWORD|SECRET|KEY$", name) or name.endswith("_FILE"), f"{name}={value}"


def test_only_who_migrates_owns_the_tables() -> None:
    for name, service in _own_services().items():
        secrets = {secret["source"] for secret in service.get("secrets", [])}
        assert ("owner_password" in secrets) == (name == "migrate")
        assert not secrets & {"postgres_password", "valkey_admin_password"}
