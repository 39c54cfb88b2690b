"""deploy/monitoring, as far as it can be judged without an engine: tests/alerts runs it for real."""

import importlib.util
import json
import re
import shutil
import subprocess
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from gateway.endpoints.hot import hot_endpoints
from tests.unit.deploy.test_alerts import PROMTOOL, needs_promtool

ROOT = Path(__file__).resolve().parents[3]
MONITORING = ROOT / "deploy/monitoring"
APPS = {"promotions", "counters", "vouchers", "timestamps", "rates"}
AMTOOL = shutil.which("amtool")


def jobs() -> dict[str, Any]:
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    return {job["job_name"]: job for job in config["scrape_configs"]}


def expressions() -> list[str]:
    """Of all dashboards."""
    dashboards = [json.loads(path.read_text()) for path in sorted((MONITORING / "grafana/dashboards").glob("*.json"))]
    targets = [target for board in dashboards for panel in board["panels"] for target in panel["targets"]]
    return [target["expr"].replace("$__rate_interval", "1m") for target in targets]


@needs_promtool
def test_configuration_of_prometheus_is_valid(tmp_path: Path) -> None:
    shutil.copytree(MONITORING, tmp_path / "monitoring")
    path = tmp_path / "monitoring/prometheus.yml"
    done = subprocess.run([str(PROMTOOL), "check", "config", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_containers_of_ours_are_scraped_however_many_there_are() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    ours = [name for name, service in compose["services"].items() if service.get("image", "").startswith("floodgate:")]
    names = {job: discovery["names"] for job, found in jobs().items() for discovery in found.get("dns_sd_configs", ())}
    assert set(names["web"] + names["workers"]) == set(ours) - {"migrate"}
    port = jobs()["workers"]["dns_sd_configs"][0]["port"]
    assert compose["x-app-environment"]["METRICS_PORT"] == str(port)


def test_requests_of_every_hot_endpoint_count_for_one_app() -> None:
    """Prometheus anchors patterns at both ends."""
    patterns = {rule["replacement"]: rule["regex"] for rule in jobs()["web"]["metric_relabel_configs"]}
    assert patterns.keys() == APPS | {"gateway"}
    for route in [*(endpoint.name for endpoint in hot_endpoints()), "django", "refused"]:
        found = [app for app, pattern in patterns.items() if re.fullmatch(pattern, route)]
        assert len(found) == 1, f"{route}: {found}"
    for endpoint in hot_endpoints():
        app = endpoint.run.__module__.partition(".")[0]
        assert re.fullmatch(patterns[app], endpoint.name), endpoint.name


def _builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_dashboards", MONITORING / "grafana/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the next form of dashboards is for the next Grafana
        spec.loader.exec_module(module)
    return module


def test_dashboards_are_what_their_builder_makes() -> None:
    built = dict(_builder().files())
    assert {path.stem for path in built} == APPS | {"overview", "stores"}
    assert {path: path.read_text() for path in (MONITORING / "grafana/dashboards").iterdir()} == built


@needs_promtool
def test_every_expression_of_a_dashboard_is_understood(tmp_path: Path) -> None:
    rules = [{"record": f"dashboard:{number}", "expr": found} for number, found in enumerate(expressions())]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    done = subprocess.run([str(PROMTOOL), "check", "rules", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def _start_alertmanager(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    """The start script with the paths of a container replaced, and a program that only shows its configuration."""
    (folder / "alert_webhook_url").write_text(f"{url}\n" if url else "")
    (folder / "alertmanager").write_text(f"#!/bin/sh\ncat {folder}/alertmanager.yml\n")
    (folder / "alertmanager").chmod(0o755)
    text = (MONITORING / "alertmanager.sh").read_text(encoding="utf-8")
    script = text.replace("/run/secrets/", f"{folder}/").replace("/tmp/alertmanager.yml", f"{folder}/alertmanager.yml")
    return subprocess.run(
        ["sh", "-c", script], env={"PATH": f"{folder}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=10
    )


@pytest.mark.parametrize(("url", "receiver"), [("", "nowhere"), ("https://hooks.example/a?b=it's&c=#1", "webhook")])
def test_alerts_go_to_the_webhook_of_the_secret_or_nowhere(url: str, receiver: str, tmp_path: Path) -> None:
    done = _start_alertmanager(tmp_path, url)
    config = yaml.safe_load(done.stdout)
    assert config["route"]["receiver"] == receiver
    if url:
        assert config["receivers"][1]["webhook_configs"] == [{"url": url}]
    if AMTOOL:
        path = tmp_path / "alertmanager.yml"
        checked = subprocess.run([AMTOOL, "check-config", path], capture_output=True, text=True, timeout=30)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_webhook_that_is_no_address_stops_the_start(tmp_path: Path) -> None:
    done = _start_alertmanager(tmp_path, "hooks.example")
    assert (done.returncode, done.stderr) == (78, "alert_webhook_url must begin with http:// or https://\n")
