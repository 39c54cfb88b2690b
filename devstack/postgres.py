"""Embedded PostgreSQL: one cluster in DATA_DIR, reached only through its unix socket by the user who started it."""

import signal
import subprocess
from functools import partial
from pathlib import Path

from config.env import socket_dir
from devstack.cluster import USER, cluster_marker, prepare_cluster
from devstack.pgcommand import postgres_command, socket_folder
from devstack.process import Part
from devstack.wheels import postgres_bin

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "maintenance_work_mem": "256MB",
    "max_parallel_maintenance_workers": "2",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "",
    "log_min_error_statement": "panic",  # statements and rows have personal data
    "log_error_verbosity": "terse",
}
_DURABLE = {"shared_buffers": "256MB"}
_THROW_AWAY = {"shared_buffers": "128MB", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def postgres_part(data_dir: Path, *, durable: bool) -> Part:
    """The server of ``data_dir``; its cluster is created at the first start."""
    cluster = data_dir / "postgres"
    return Part(
        name="postgres",
        command=postgres_command(data_dir, cluster, "postgres", *_options(data_dir, durable=durable)),
        prepare=partial(prepare_cluster, data_dir, durable=durable),
        is_ready=partial(_accepts_connections, socket_dir(data_dir)),
        stop_signal=signal.SIGINT,  # fast shutdown: rolls back, does not wait for clients
        orphan_signal=signal.SIGINT,
        grace_seconds=60.0,  # the last checkpoint
    )


def _options(data_dir: Path, *, durable: bool) -> list[str]:
    settings = _SETTINGS | (_DURABLE if durable else _THROW_AWAY)
    settings |= {
        "cluster_name": cluster_marker(data_dir / "postgres"),
        "unix_socket_directories": socket_folder(data_dir),
    }
    return [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]


def _accepts_connections(sockets: Path) -> bool:
    """Asks a program of PostgreSQL's: a client library would stay in the supervisor."""
    command = [str(postgres_bin() / "pg_isready"), "--quiet", "--host", str(sockets), "--timeout", "2"]
    return subprocess.run([*command, "--username", USER, "--dbname", "postgres"]).returncode == 0
