"""What is done to the stack, and which alerts must come of it. A fault is undone when its block ends."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import NamedTuple
from uuid import uuid4

import httpx
import psycopg
from redis import Redis

from config.env import embedded_urls
from gateway.operate.watching import BACKUP_MARK
from tests.acceptance.harness import Stack, paused
from tests.alerts.traffic import PRICE, Traffic, submit_import
from tests.alerts.watchers import SHORT_CERTIFICATE, Watchers

TABLES_OF_RECORDS = "SELECT table_name FROM information_schema.tables WHERE table_name ~ '^timestamps_record_[0-9]+$'"
DELIVERY = (1002, 0)  # the advisory lock of promotions/locks.py


class Scene(NamedTuple):
    """What faults act on."""

    stack: Stack
    traffic: Traffic
    watchers: Watchers

    def database(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.stack.database_url, autocommit=True)

    def truth(self) -> "Redis":
        return Redis.from_url(embedded_urls(self.stack.data_dir)["VALKEY_URL"])


class Fault(NamedTuple):
    """``alerts`` are matchers of Prometheus; each must fire while ``cause`` lasts, and clear after it."""

    name: str
    what: str
    cause: Callable[[Scene], AbstractContextManager[object]]
    alerts: tuple[str, ...]


def named(name: str, **labels: str) -> str:
    return ",".join([f'alertname="{name}"', *(f'{label}="{value}"' for label, value in labels.items())])


@contextmanager
def hanging(*parts: str, scene: Scene) -> Iterator[None]:
    """All processes of the parts, the children first to none of them ends the others."""
    with paused([pid for part in parts for pid in scene.stack.pids(part)]):
        yield


def hangs(*parts: str) -> Callable[[Scene], AbstractContextManager[None]]:
    return lambda scene: hanging(*parts, scene=scene)


@contextmanager
def statement(scene: Scene, do: str, undo: str) -> Iterator[None]:
    with scene.database() as connection:
        connection.execute(do)
    try:
        yield
    finally:
        with scene.database() as connection:
            connection.execute(undo)


@contextmanager
def delivery_held_up(scene: Scene) -> Iterator[None]:
    with scene.database() as connection, httpx.Client(base_url=scene.stack.url, timeout=10) as client:
        connection.execute("SELECT pg_advisory_lock(%s, %s)", DELIVERY)
        submit_import(client)
        yield


@contextmanager
def work_that_nobody_does(scene: Scene) -> Iterator[None]:
    """An import, a generation of vouchers and a batch of prices, while their workers hang."""
    with hanging("worker-imports", "worker-batches", scene=scene):
        with httpx.Client(base_url=scene.stack.url, timeout=10) as client:
            submit_import(client)
            terms = {"count": 10, "amount": 1, "limit": 1}
            assert client.post("/api/vouchers/generate", json=terms).status_code == 202
            assert client.post("/rates/batches", json=[{**PRICE, "price": 5}]).status_code == 202
        yield


@contextmanager
def refused_entry(scene: Scene) -> Iterator[None]:
    """The live table takes no instant at the fourth second."""
    with scene.database() as connection:
        found = connection.execute(TABLES_OF_RECORDS).fetchall()
        table = str(found[-1][0])
    refuse = f"ALTER TABLE {table} ADD CONSTRAINT drill CHECK (extract(second FROM event_timestamp) <> 3) NOT VALID"
    with statement(scene, refuse, f"ALTER TABLE {table} DROP CONSTRAINT drill"):
        httpx.post(f"{scene.stack.url}/api/v1/timestamp/2018-08-04T05:32:03Z", timeout=10).raise_for_status()
        yield
    assert scene.stack.manage("retry_dead_letters").returncode == 0


@contextmanager
def too_little_memory(scene: Scene) -> Iterator[None]:
    with scene.truth() as truth:
        truth.config_set("maxmemory", int(truth.info("memory")["used_memory"] * 1.05))
        try:
            yield
        finally:
            truth.config_set("maxmemory", 0)


@contextmanager
def many_connections(scene: Scene) -> Iterator[None]:
    """As many as PostgreSQL gives to anybody but its superuser, and a few given back."""
    with ExitStack() as stack:
        opened: list[psycopg.Connection[tuple[object, ...]]] = []
        while len(opened) < 100:
            try:
                opened.append(stack.enter_context(scene.database()))
            except psycopg.OperationalError:
                break
        for connection in opened[-2:]:
            connection.close()
        yield


@contextmanager
def without_caddy(scene: Scene) -> Iterator[None]:
    scene.watchers.caddy.stop()
    yield
    scene.watchers.caddy.start()


@contextmanager
def short_certificate(scene: Scene) -> Iterator[None]:
    caddy = scene.watchers.caddy
    for tls in (SHORT_CERTIFICATE, ""):
        caddy.stop()
        caddy.forget_certificates()
        caddy.start(tls=tls)
        if tls:
            yield


@contextmanager
def full_disk(scene: Scene) -> Iterator[None]:
    """DATA_DIR is a small file system of its own."""
    size = os.statvfs(scene.stack.data_dir)
    ballast = scene.stack.data_dir / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, int(size.f_bavail * size.f_frsize - size.f_blocks * size.f_frsize * 0.08))
    yield
    ballast.unlink()


@contextmanager
def old_backup(scene: Scene) -> Iterator[None]:
    mark = scene.stack.data_dir / BACKUP_MARK
    mark.touch()
    os.utime(mark, (time.time() - 30 * 3_600,) * 2)
    yield
    mark.touch()  # as deploy/backup does at its end


@contextmanager
def silence(scene: Scene) -> Iterator[None]:
    scene.traffic.quiet.add("_increment")
    yield
    scene.traffic.quiet.clear()


@contextmanager
def unconfirmed_redemption(scene: Scene) -> Iterator[None]:
    """A row as redemptions have it while another deployment's wallet is silent; there is no such deployment here."""
    number = uuid4()
    with scene.database() as connection:
        connection.execute(
            "INSERT INTO vouchers_redemption (id, voucher_id, redeemer, amount, state, created_at) "
            "SELECT %s, id, '+4900000000001', 1, 'pending', now() - interval '2 minutes' FROM vouchers_voucher LIMIT 1",
            [number],
        )
    yield
    with scene.database() as connection:
        connection.execute("DELETE FROM vouchers_redemption WHERE id = %s", [number])


without_a_table = partial(
    statement,
    do="ALTER TABLE vouchers_generation RENAME TO drill",
    undo="ALTER TABLE drill RENAME TO vouchers_generation",
)
FAULTS = [
    Fault("beat", "beat hangs", hangs("beat"), (named("HeartbeatMissing", role="beat"),)),
    Fault(
        "flush",
        "worker-flush hangs",
        hangs("worker-flush"),
        (
            named("CountersStale"),
            named("HeartbeatMissing", role="worker-flush"),
            named("TargetDown", role="worker-flush"),
        ),
    ),
    Fault("events", "worker-events hangs", hangs("worker-events"), (named("TimestampsLate"),)),
    Fault(
        "postgres",
        "PostgreSQL hangs",
        hangs("postgres"),
        (
            named("StoreDown", store="postgres"),
            named("StoreUnreachable", store="write-store"),
            named("ErrorBudgetBurnsFast", app="vouchers", slo="availability"),
            named("ErrorBudgetBurnsSlowly", app="vouchers", slo="availability"),
        ),
    ),
    Fault("truth", "the truth Valkey hangs", hangs("truth"), (named("StoreDown", store="valkey"),)),
    Fault("cache", "the cache Valkey hangs", hangs("cache"), (named("StoreDown", store="valkey-cache"),)),
    Fault("web", "web hangs", hangs("web"), (named("WebDown"),)),
    Fault("caddy", "caddy is killed", without_caddy, (named("SiteUnreachable"),)),
    Fault("certificate", "a certificate of one hour", short_certificate, (named("CertificateExpires"),)),
    Fault("delivery", "nobody delivers a publication", delivery_held_up, (named("PublicationLate"),)),
    Fault(
        "work",
        "worker-imports and worker-batches hang",
        work_that_nobody_does,
        tuple(named("WorkStuck", work=work) for work in ("import", "generation of vouchers", "batch of prices")),
    ),
    Fault("tasks", "a table is gone", without_a_table, (named("TasksFail"),)),
    Fault("letters", "a table refuses an entry", refused_entry, (named("DeadLetters"),)),
    Fault("memory", "the truth Valkey gets too little memory", too_little_memory, (named("TruthFills"),)),
    Fault("connections", "somebody takes all connections", many_connections, (named("ConnectionsRunOut"),)),
    Fault("silence", "a client stops", silence, (named("WritesSilent", app="counters"),)),
    Fault("disk", "the disk is filled", full_disk, (named("DiskFills"),)),
    Fault("backup", "the last backup is old", old_backup, (named("BackupTooOld"),)),
    Fault("wallet", "a redemption is not confirmed (a row by hand)", unconfirmed_redemption, (named("WalletBehind"),)),
]
