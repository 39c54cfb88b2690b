"""The life of a deployment, from an empty machine on, in the order of docs/operations.md."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from devstack.parts import CELERY_PARTS
from tests.stack.clients import PROMOTION, REDEMPTIONS, VOUCHER, Books, Site, load
from tests.stack.judge import judge
from tests.stack.manual import MONITORING, commands
from tests.stack.operator import Operator

PROMETHEUS = "http://127.0.0.1:9090"
SCRAPED_SECONDS = 120.0
ALERT_SECONDS = 240.0
STORES = ("postgres", "postgres-read", "valkey", "valkey-cache")
OURS = ("web", *CELERY_PARTS)
SETTLE_SECONDS = 3.0
PASSWORD = "kattegat-3-gales"
FILE = f"id,price,expiration_date\n{PROMOTION},60.683466,2018-08-04 05:32:31 +0200 CEST\n"
Say = Callable[[str], None]


class Deployment:
    """One run. Each public method is a chapter; they stand on each other in the order of ``CHAPTERS``."""

    def __init__(self, source: Path, folder: Path, say: Say) -> None:
        self._say = say
        self._origin, self._clone, self._backup = folder / "origin", folder / "floodgate", folder / "backup"
        subprocess.run(["git", "clone", "--quiet", source, self._origin], check=True)
        subprocess.run(["git", "clone", "--quiet", self._origin, self._clone], check=True)
        self._operator = Operator(self._clone, say)
        self._books = Books()
        self._keys: list[str] = []
        self._before_backup = Books()

    def set_up(self) -> None:
        begun = time.monotonic()
        init, up, superuser, api_key, authority, ready, pipe, copy = self._operator.documented("Set up")
        (self._clone / "promotions.csv").write_text(FILE, encoding="ascii")
        self._operator.run(init)
        self._operator.run(up)
        self._operator.run(superuser, typing=["admin", "admin@example.org", PASSWORD, PASSWORD])
        self._keys += re.findall(r"fg_\S+", self._operator.run(api_key))
        self._operator.run(authority)
        assert '"status": "pass"' in self._operator.run(ready)
        self._operator.run(copy)
        self._operator.run(pipe)
        assert self._site().client().get(f"/promotions/{PROMOTION}").status_code == 200
        self._say(f"from a clone to the first answer in {time.monotonic() - begun:.0f} s")

    def tour(self) -> None:
        """Everything once, over TLS and with a key; nothing without one."""
        with self._site().client() as client:
            voucher = client.post("/api/vouchers", json={"code": VOUCHER, "amount": 1, "limit": REDEMPTIONS})
            assert voucher.status_code == 201, voucher.text
            assert client.get("/admin/login/").status_code == 200
            assert client.get("/metrics").status_code == 404
            client.headers.pop("Authorization")
            assert client.post("/increment", json={"key": PROMOTION, "value": 1}).status_code == 401
        with load(self._site(), self._books):
            time.sleep(2 * SETTLE_SECONDS)
        self._must_be_exact("load without faults", failures=0)

    def kills(self) -> None:
        """kill -9 of what each container runs."""
        for service in (*OURS, *STORES, "caddy"):
            with load(self._site(), self._books):
                time.sleep(SETTLE_SECONDS / 3)
                _kill(self._containers(service)[0])
                self._await_health()
                time.sleep(SETTLE_SECONDS / 3)
            self._must_be_exact(f"kill -9 of {service}")

    def scaling(self) -> None:
        """Web to three containers and back, while clients work; what watches them finds each."""
        self._operator.run(commands(self._clone, "Start", MONITORING)[0])
        for replicas in (3, 1):
            self._set("WEB_REPLICAS", str(replicas))
            with load(self._site(), self._books):
                self._operator.run("deploy/upgrade")
                self._await_targets(replicas)
            self._must_be_exact(f"{replicas} containers of web", failures=0)

    def alert(self) -> None:
        """From a fault to its alert, to the runbook that it names, and to the repair."""
        self._operator.run("docker compose stop beat")
        begun = time.monotonic()
        (firing,) = self._await_alerts("HeartbeatMissing", 1)
        seconds = time.monotonic() - begun
        runbook = (self._clone / firing["annotations"]["runbook"]).read_text(encoding="utf-8")
        repair = re.findall(r"^## What to do\n\n- `(.+?)`", runbook, re.MULTILINE)[0]
        self._operator.run(repair.replace("ROLE", firing["labels"]["role"]))
        self._await_alerts("HeartbeatMissing", 0)
        self._say(f"HeartbeatMissing fired after {seconds:.0f} s, and cleared after what its runbook says")

    def upgrade(self) -> None:
        self._commit("docs/operations.md", lambda text: text + "\n")
        with load(self._site(), self._books):
            self._operator.follow("Upgrade", VERSION="latest")
        self._must_be_exact("upgrade, and back to the version before", failures=0)

    def failing_upgrade(self) -> None:
        """A migration that fails, and settings that are refused: the version before serves on."""
        versions = self._operator.run("docker compose ps --format {{.Image}} web")
        migration = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        migration += '    dependencies = [("counters", "0001_initial")]\n'
        migration += '    operations = [migrations.RunSQL("SELECT 1 / 0")]\n'
        self._commit("counters/migrations/0999_fails.py", lambda _: migration)
        self._must_fail("deploy/upgrade", "migrate failed")
        self._commit("counters/migrations/0999_fails.py", lambda _: "")
        self._set("WEB_WORKERS", "40")
        self._must_fail("deploy/upgrade", "PostgreSQL allows")
        self._set("WEB_WORKERS", "2")
        assert self._operator.run("docker compose ps --format {{.Image}} web") == versions

    def backup(self) -> None:
        """Taken under load, which goes on after it and is lost."""
        with load(self._site(), self._books):
            time.sleep(SETTLE_SECONDS)
            self._before_backup = self._books.snapshot()
            self._operator.follow("Backup", FOLDER=str(self._backup))
        self._must_be_exact("backup", failures=0)

    def restore(self) -> None:
        self._no_secret_in_logs()
        self._operator.run("docker compose down --volumes")
        self._operator.follow("Restore", FOLDER=str(self._backup))
        self._operator.run(self._operator.documented("Set up")[4])  # another certificate
        self._books = self._books.restored_to(self._before_backup)
        self._say(judge(self._site(), self._books, is_whole=True))

    def rewind(self) -> None:
        """Back to a point in time: what was imported after it was never there."""
        *turn_on, back = self._operator.documented("Back to a point in time")
        for line in turn_on:
            self._operator.run(line)
        self._await_health()
        moment = self._operator.run("docker compose exec -T postgres psql -U postgres -Atc 'SELECT now()'").strip()
        time.sleep(1)
        with self._site().client() as client:
            assert client.post("/api/vouchers", json={"code": "MISTAKE", "amount": 1, "limit": 1}).status_code == 201
        self._operator.run(re.sub("'.*'", f"'{moment}'", back))
        with self._site().client() as client:
            assert client.get("/api/vouchers?code=MISTAKE").status_code == 404
        self._must_be_exact("a rewind")

    def end(self) -> None:
        self._say(judge(self._site(), self._books, is_whole=True))
        self._no_secret_in_logs()

    def remove(self) -> None:
        if (self._clone / "secrets").exists():
            self._operator.run("docker compose --profile '*' down --volumes --timeout 5")

    # What the chapters are made of

    def _site(self) -> Site:
        return Site(self._keys[0], self._clone / "caddy.crt")

    def _containers(self, service: str) -> list[str]:
        return self._operator.run(f"docker compose ps --quiet {service}").split()

    def _await_health(self) -> None:
        """Until every container is healthy, as Compose sees it."""
        self._operator.run("docker compose up --detach --no-recreate --wait")

    def _await_targets(self, web: int) -> None:
        """Until Prometheus gets an answer of every target, and knows so many containers of web."""
        seen: list[Any] = []
        until = time.monotonic() + SCRAPED_SECONDS
        while time.monotonic() < until:
            seen = httpx.get(f"{PROMETHEUS}/api/v1/targets").json()["data"]["activeTargets"]
            of_web = [target for target in seen if target["labels"]["job"] == "web"]
            if len(of_web) == web and all(target["health"] == "up" for target in seen):
                self._say(f"{len(seen)} targets of Prometheus are up, {web} of them web")
                return
            time.sleep(1)
        raise AssertionError([(one["scrapeUrl"], one["health"], one["lastError"]) for one in seen])

    def _await_alerts(self, name: str, count: int) -> list[Any]:
        """Those that fire, once there are so many."""
        until = time.monotonic() + ALERT_SECONDS
        while time.monotonic() < until:
            alerts = httpx.get(f"{PROMETHEUS}/api/v1/alerts").json()["data"]["alerts"]
            firing = [one for one in alerts if one["labels"]["alertname"] == name and one["state"] == "firing"]
            if len(firing) == count:
                return firing
            time.sleep(1)
        raise AssertionError(f"{name} fires {len(firing)} times and not {count}")

    def _must_be_exact(self, what: str, *, failures: int | None = None) -> None:
        self._say(f"{what}: {self._books}")
        assert failures is None or self._books.failed.total() == failures, f"{what}: {dict(self._books.failed)}"
        self._say(f"  {judge(self._site(), self._books)}")

    def _must_fail(self, line: str, reason: str) -> None:
        with load(self._site(), self._books):
            printed = self._operator.fails(f"git pull --quiet && {line}")
        assert reason in printed, printed
        self._must_be_exact(f"{line}, which failed ({reason})", failures=0)

    def _commit(self, path: str, edit: Callable[[str], str]) -> None:
        """Somebody publishes a change; an empty file is none."""
        file = self._origin / path
        content = edit(file.read_text(encoding="utf-8") if file.exists() else "")
        file.write_text(content, encoding="utf-8") if content else file.unlink()
        git = ("git", "-C", str(self._origin), "-c", "user.name=stack", "-c", "user.email=stack@example.org")
        subprocess.run([*git, "add", "--all"], check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", f"Change {path}"], check=True)

    def _set(self, name: str, value: str) -> None:
        env = self._clone / ".env"
        text = re.sub(rf"^{name}=.*\n", "", env.read_text(encoding="utf-8"), flags=re.MULTILINE)
        env.write_text(f"{text}{name}={value}\n", encoding="utf-8")

    def _no_secret_in_logs(self) -> None:
        """Nor a telephone number; and every line of ours is JSON."""
        logs = self._operator.run("docker compose logs --no-color --no-log-prefix")
        files = [file for file in (self._clone / "secrets").iterdir() if "acl" not in file.name]
        secrets = filter(None, (file.read_text() for file in files))  # there may be no address for alerts
        numbers = {user[1:] for user in self._books.redeemers + self._books.unknown_redeemers}
        found = [word for word in (*secrets, *self._keys, PASSWORD) if word in logs]
        found += numbers & set(re.findall(r"[0-9]{11,}", logs))
        assert not found, f"in the logs: {found[:3]}"
        for service in OURS:
            for line in self._operator.run(f"docker compose logs --no-color --no-log-prefix {service}").splitlines():
                json.loads(line)
        self._say(f"no secret and no personal data in {logs.count(chr(10)):,} lines of logs, and ours are JSON")


CHAPTERS: tuple[Callable[[Deployment], None], ...] = (
    Deployment.set_up,
    Deployment.tour,
    Deployment.kills,
    Deployment.scaling,
    Deployment.alert,
    Deployment.upgrade,
    Deployment.failing_upgrade,
    Deployment.backup,
    Deployment.restore,
    Deployment.rewind,
    Deployment.end,
)


def _kill(container: str) -> None:
    """As a crash would end it; a ``docker kill`` is the operator's and not made up for."""
    pid = subprocess.run(
        ["docker", "inspect", "--format", "{{.State.Pid}}", container], capture_output=True, text=True, check=True
    ).stdout
    os.kill(int(pid), signal.SIGKILL)
