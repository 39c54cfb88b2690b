"""The programs that watch, each a process of this machine, and what Prometheus knows."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from config.env import BASE_DIR, embedded_urls, socket_dir
from devstack.parts import CELERY_PARTS
from tests.acceptance.harness import Stack, free_port, wait_until
from tests.alerts.shortened import MONITORING, Targets, write_prometheus

# As the images call them, and as Debian does.
PROGRAMS = {
    "prometheus": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "postgres_exporter": "prometheus-postgres-exporter",
    "redis_exporter": "prometheus-redis-exporter",
    "blackbox_exporter": "prometheus-blackbox-exporter",
}
SHORT_CERTIFICATE = "tls {\n\t\tissuer internal {\n\t\t\tlifetime 1h\n\t\t}\n\t}"


def missing_programs() -> list[str]:
    return [theirs for ours, theirs in PROGRAMS.items() if not _found(ours)]


def _found(name: str) -> str | None:
    return shutil.which(name) or shutil.which(PROGRAMS[name])


@dataclass
class Watchers:
    """Prometheus and Alertmanager as they run; Caddy, which is part of what they watch."""

    prometheus: str
    alertmanager: str
    caddy: "Caddy"
    folder: Path

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": expression}, timeout=10)
        assert answer.status_code == 200, answer.text
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def is_firing(self, matcher: str) -> bool:
        return bool(self.query(f'ALERTS{{alertstate="firing",{matcher}}}'))

    def has_arrived(self, matcher: str) -> bool:
        """Whether Alertmanager has got such an alert and not seen its end."""
        asked = {"filter": matcher.split(",")}
        return bool(httpx.get(f"{self.alertmanager}/api/v2/alerts", params=asked, timeout=10).json())

    def firing(self) -> set[str]:
        return {one["metric"]["alertname"] for one in self.query('ALERTS{alertstate="firing"}')}


class Caddy:
    """The proxy of deploy/caddy in front of the stack, with its own authority and ports."""

    def __init__(self, folder: Path, web_port: int) -> None:
        self._folder = folder
        self._web_port = web_port
        self.port, self.metrics_port, self._health_port, self._http_port = (free_port() for _ in range(4))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, tls: str = "") -> None:
        text = (BASE_DIR / "deploy/caddy/Caddyfile").read_text(encoding="utf-8")
        text = text.replace("{$SITE_ADDRESS:localhost} {", f"localhost:{self.port} {{\n\t{tls}")
        text = text.replace("admin off", f"admin off\n\thttp_port {self._http_port}\n\tauto_https disable_redirects")
        text = re.sub(r"dynamic a web 8000 \{[^}]*\}", f"to 127.0.0.1:{self._web_port}", text)
        text = text.replace(":2020", f":{self._health_port}").replace(":2021", f":{self.metrics_port}")
        (self._folder / "Caddyfile").write_text(text, encoding="utf-8")
        home = {name: str(self._folder / "caddy") for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        command = [str(Path(sys.executable).parent / "caddy"), "run", "--adapter", "caddyfile", "--config"]
        with (self._folder / "caddy.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, str(self._folder / "Caddyfile")], env=os.environ | home, stdout=log, stderr=log
            )

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def forget_certificates(self) -> None:
        shutil.rmtree(self._folder / "caddy/caddy/certificates", ignore_errors=True)


@contextmanager
def running_watchers(folder: Path, stack: Stack, metrics_port: int) -> Iterator[Watchers]:
    """They watch ``stack``, whose beat and workers tell of themselves from ``metrics_port`` on."""
    folder.mkdir()
    with ExitStack() as running:
        caddy = Caddy(folder, stack.port)
        running.callback(caddy.stop)
        caddy.start()
        ports = {name: free_port() for name in ("postgres", "valkey", "valkey-cache", "site", "alerts", "prometheus")}
        _start_exporters(running, folder, stack, ports)
        _start_blackbox(running, folder, ports["site"])
        _start_alertmanager(running, folder, ports["alerts"])
        targets = _targets(stack, metrics_port, caddy, ports)
        config = write_prometheus(folder, targets, f"127.0.0.1:{ports['alerts']}", caddy.port)
        address = f"127.0.0.1:{ports['prometheus']}"
        options = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        _start(running, folder, "prometheus", *options, f"--web.listen-address={address}")
        watchers = Watchers(f"http://{address}", f"http://127.0.0.1:{ports['alerts']}", caddy, folder)
        wait_until(lambda: _answers(f"{watchers.prometheus}/-/ready"), "Prometheus", 60)
        wait_until(lambda: _answers(f"{watchers.alertmanager}/-/ready"), "Alertmanager", 60)
        yield watchers


def _targets(stack: Stack, metrics_port: int, caddy: Caddy, ports: dict[str, int]) -> Targets:
    def here(port: int) -> str:
        return f"127.0.0.1:{port}"

    return {
        "web": [(here(stack.port), {})],
        "workers": [(here(metrics_port + place), {"role": role}) for place, role in enumerate(CELERY_PARTS)],
        "caddy": [(here(caddy.metrics_port), {})],
        "postgres": [(here(ports["postgres"]), {"store": "postgres"})],
        "valkey": [(here(ports[store]), {"store": store}) for store in ("valkey", "valkey-cache")],
        "site": [(here(ports["site"]), {})],
        "prometheus": [(here(ports["prometheus"]), {})],
        "alertmanager": [(here(ports["alerts"]), {})],
    }


def _start(running: ExitStack, folder: Path, name: str, *options: str, **environment: str) -> None:
    command = [str(_found(name)), *options]
    _run(running, folder, name, command, environment)


def _run(running: ExitStack, folder: Path, name: str, command: list[str], environment: dict[str, str]) -> None:
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | environment, stdout=log, stderr=log)
    running.callback(process.wait)
    running.callback(process.terminate)


def _start_exporters(running: ExitStack, folder: Path, stack: Stack, ports: dict[str, int]) -> None:
    database = f"user=floodgate dbname=floodgate host={socket_dir(stack.data_dir)} sslmode=disable"
    listen = f"--web.listen-address=127.0.0.1:{ports['postgres']}"
    _start(running, folder, "postgres_exporter", listen, DATA_SOURCE_NAME=database)
    urls = embedded_urls(stack.data_dir)
    for store, name in (("valkey", "VALKEY_URL"), ("valkey-cache", "VALKEY_CACHE_URL")):
        listen = f"-web.listen-address=127.0.0.1:{ports[store]}"
        options = {"REDIS_ADDR": urls[name], "REDIS_EXPORTER_CONFIG_COMMAND": "-"}
        _start(running, folder, "redis_exporter", listen, **options)


def _start_script(running: ExitStack, folder: Path, name: str, script: str, *options: str, **environment: str) -> None:
    """A start script of deploy/monitoring, with this folder in place of those of a container."""
    text = (MONITORING / script).read_text(encoding="utf-8").replace(f"exec {name}", f"exec {_found(name)}")
    for theirs in ("/tmp/", "/run/secrets/"):
        text = text.replace(theirs, f"{folder}/")
    (folder / script).write_text(text, encoding="utf-8")
    _run(running, folder, name, ["sh", str(folder / script), *options], environment)


def _start_blackbox(running: ExitStack, folder: Path, port: int) -> None:
    listen = f"--web.listen-address=127.0.0.1:{port}"
    _start_script(running, folder, "blackbox_exporter", "blackbox.sh", listen, SITE_ADDRESS="localhost")


def _start_alertmanager(running: ExitStack, folder: Path, port: int) -> None:
    (folder / "alert_webhook_url").touch()
    options = [f"--web.listen-address=127.0.0.1:{port}", f"--storage.path={folder / 'alerts'}"]
    _start_script(running, folder, "alertmanager", "alertmanager.sh", *options, "--cluster.listen-address=")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
