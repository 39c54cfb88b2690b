"""The folder of PostgreSQL's data: created whole, refused when foreign, freed of what a killed server left behind."""

import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from config.env import socket_dir
from devstack.errors import DevstackError
from devstack.folders import own_folder
from devstack.leftovers import end_processes
from devstack.pgcommand import postgres_command, postgres_owner

MAJOR = "18"
USER = "floodgate"
RELEASE_SECONDS = 30.0


def prepare_cluster(data_dir: Path, *, durable: bool) -> None:
    """Make the folders and the cluster, and clear what a killed server left behind."""
    cluster = data_dir / "postgres"
    own_folder(socket_dir(data_dir), postgres_owner())
    _refuse_foreign(cluster)
    if not cluster.exists():
        _create_cluster(data_dir, cluster, durable=durable)
    _write_access_rules(cluster)
    _wait_for_release(cluster)
    (cluster / "postmaster.pid").unlink(missing_ok=True)  # its pid may be another program's by now


def _refuse_foreign(cluster: Path) -> None:
    if not cluster.exists():
        return
    own_folder(cluster, postgres_owner())
    version = cluster / "PG_VERSION"
    if not version.exists():
        raise DevstackError(f"{cluster} is not a PostgreSQL cluster; move it away or set DATA_DIR")
    if (major := version.read_text().strip()) != MAJOR:
        raise DevstackError(f"{cluster} is of PostgreSQL {major}, not {MAJOR}; move it away or set DATA_DIR")


def _create_cluster(data_dir: Path, cluster: Path, *, durable: bool) -> None:
    """Under another name first, so that a cluster is whole or absent."""
    fresh = data_dir / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    own_folder(fresh, postgres_owner())
    _run_initdb(data_dir, fresh, durable=durable)
    fresh.rename(cluster)


def _run_initdb(data_dir: Path, fresh: Path, *, durable: bool) -> None:
    arguments = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8", f"--username={USER}"]
    arguments += ["--auth=reject"] + ([] if durable else ["--no-sync"])
    command = postgres_command(data_dir, fresh, "initdb", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if "FATAL" in line or "error" in line]
        raise DevstackError(f"PostgreSQL's initdb failed in {data_dir}: {' '.join(reasons) or done.stderr.strip()}")


def _write_access_rules(cluster: Path) -> None:
    """Only the user who runs the stack may connect, as any role; as root the socket's owner, nobody, may not."""
    rules = {
        "pg_hba.conf": "local all all peer map=devstack\n",
        "pg_ident.conf": f"devstack {pwd.getpwuid(os.geteuid()).pw_name} all\n",
    }
    for name, text in rules.items():
        (cluster / name).write_text(text)


def _wait_for_release(cluster: Path) -> None:
    """Wait until no process of this cluster is left: backends outlive a killed server and hold its shared memory."""
    if pids := end_processes(lambda: _pids_of(cluster), RELEASE_SECONDS):
        raise DevstackError(f"An old PostgreSQL still holds {cluster} (processes {pids})")


def _pids_of(cluster: Path) -> list[int]:
    """Processes of the cluster, by the name that each carries in its title; others' ``cwd`` may be unreadable."""
    marker = cluster_marker(cluster).encode()
    return [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/cmdline") if _is_postgres_of(p, marker)]


def _is_postgres_of(cmdline: Path, marker: bytes) -> bool:
    try:
        title = cmdline.read_bytes()
    except OSError:
        return False
    program = title.partition(b"\0")[0].partition(b":")[0]
    return marker in title and program.rpartition(b"/")[2] == b"postgres"


def cluster_marker(cluster: Path) -> str:
    """The name by which processes of the cluster are known: the server's ``cluster_name``."""
    return f"floodgate-{hashlib.sha256(str(cluster).encode()).hexdigest()[:12]}"
