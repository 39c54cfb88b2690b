"""The only place that reads the environment.

Every name has one meaning for ``make run``, ``make test``, ``manage.py`` in another shell and production. A missing or
malformed value stops the start and names the key. An empty value is none. Any value may stand in a file that
``<NAME>_FILE`` names, as containers get their secrets.
"""

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
MAX_RATE = 10_000_000  # requests a second
_RATE = re.compile(r"([a-z0-9_]+)=([0-9]{1,8})")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
MAX_SOCKET_PATH = 100  # the kernel's limit is 107 bytes, PostgreSQL adds a suffix for its lock file


def _given(name: str) -> str | None:
    value, path = os.environ.get(name) or None, os.environ.get(f"{name}_FILE")
    if not path:
        return value
    if value is not None:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set; one of them is enough")
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n") or None
    except (OSError, UnicodeDecodeError) as exc:
        raise ImproperlyConfigured(f"{name}_FILE names {path}, which cannot be read: {exc}") from exc


def _text(name: str, default: str) -> str:
    """The value as it stands: django-environ takes one that starts with ``$`` for the name of another variable."""
    value = _given(name)
    return default if value is None else value


def _path(name: str, default: Path) -> Path:
    value = _given(name)
    return (BASE_DIR / value).resolve() if value else default


def _switch(name: str, *, default: bool) -> bool:
    value = _text(name, "on" if default else "off").lower()
    if value not in ("on", "off"):
        raise ImproperlyConfigured(f"{name} must be 'on' or 'off', not {value!r}")
    return value == "on"


def _int(name: str, default: int, *, at_least: int = 0, at_most: int = 2**63 - 1) -> int:
    value = _text(name, str(default))
    if not value.isascii() or not value.isdigit() or int(value) < at_least:
        raise ImproperlyConfigured(f"{name} must be a whole number of at least {at_least}, not {value!r}")
    if int(value) > at_most:
        raise ImproperlyConfigured(f"{name} must be at most {at_most}, not {value}")
    return int(value)


def _one_of(name: str, default: str, choices: tuple[str, ...]) -> str:
    value = _text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be {' or '.join(map(repr, choices))}, not {value!r}")
    return value


def _listed(name: str, default: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _text(name, default).split(",") if part.strip())


def _networks(name: str) -> tuple[str, ...]:
    """IP addresses and networks, each as ``ipaddress`` writes networks."""
    listed = _listed(name, "")
    try:
        return tuple(str(ip_network(part)) for part in listed)
    except ValueError as exc:
        raise ImproperlyConfigured(f"{name} must be IP addresses or networks, by comma: {exc}") from exc


def _origins(name: str) -> tuple[str, ...]:
    """As browsers write them in Origin: scheme, host, a port that is not the scheme's own; or ``*``, all of them."""
    listed = tuple(origin.lower() for origin in _listed(name, ""))
    own_ports = (("http:", ":80"), ("https:", ":443"))
    wrong = [
        origin
        for origin in listed
        if not _ORIGIN.fullmatch(origin) or any(origin.startswith(a) and origin.endswith(b) for a, b in own_ports)
    ]
    if listed != ("*",) and wrong:
        form = "'https://shop.example,http://localhost:3000', without paths and without :80 and :443, or '*' alone"
        raise ImproperlyConfigured(f"{name} must look like {form}, not {wrong[0]!r}")
    return listed


def _rates(name: str) -> dict[str, int]:
    """Requests per second by policy, from text like ``increment=5000 django=100``."""
    pairs = _text(name, "").split()
    rates = {match[1]: int(match[2]) for pair in pairs if (match := _RATE.fullmatch(pair))}
    if len(rates) < len(pairs) or not all(1 <= rate <= MAX_RATE for rate in rates.values()):
        form = f"'increment=5000 django=100', each name once, with rates from 1 to {MAX_RATE} and spaces between"
        raise ImproperlyConfigured(f"{name} must look like {form}, not {_text(name, '')!r}")
    return rates


def _share(name: str, default: float) -> float:
    value = _text(name, str(default))
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ImproperlyConfigured(f"{name} must be a number from 0 to 1, not {value!r}")
    return share


def _storage_url(name: str, default: Path) -> str:
    """A folder, or an address with a scheme that fsspec has a driver for."""
    value = _text(name, "")
    return value if "://" in value else str(_path(name, default) if value else default)


def _day(name: str, default: str) -> date:
    value = _text(name, default)
    try:
        return date.fromisoformat(value)
    except ValueError as exc:
        raise ImproperlyConfigured(f"{name} must be a day like 2026-01-31, not {value!r}") from exc


def _http_url(name: str) -> str:
    """Empty, or an address to which paths can be added."""
    value = _text(name, "").rstrip("/")
    try:
        parts = urlsplit(value)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if value and (not is_address or not re.fullmatch(r"[!-~]+", value) or re.search(r"[@?#]", value)):
        raise ImproperlyConfigured(f"{name} must look like https://wallet.example, without a user or query")
    return value


def _token(name: str) -> str:
    """Empty, or a secret that fits into a header; never shown."""
    value = _text(name, "")
    if not re.fullmatch(r"[!-~]*", value):
        raise ImproperlyConfigured(f"{name} must be visible ASCII characters without spaces")
    return value


def _with_password(url: str, password: str) -> str:
    """A store's URL that names a user and no password gets this one."""
    parts = urlsplit(url)
    if not password or not parts.username or parts.password:
        return url
    where = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}:{quote(password, safe='')}@{where}").geturl()


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ip_address(host.strip("[]")).is_loopback
    return host == "localhost"


def _api_keys(name: str, bind_host: str) -> str:
    """Whoever can reach a port that is not of this machine alone needs a key."""
    is_local = _is_loopback(bind_host)
    value = _one_of(name, "optional" if is_local else "required", ("optional", "required"))
    if value == "optional" and not is_local:
        raise ImproperlyConfigured(f"{name} must be 'required' where BIND_HOST is no loopback address: {bind_host!r}")
    return value


def _short_name(data_dir: Path) -> str:
    return f"floodgate-{os.geteuid()}-{hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]}"


def metrics_dir(data_dir: Path) -> Path:
    """Folder of the counters that web workers share: in memory where there is such a file system.

    They are mapped files, and a process that touches one on a full disk is killed.
    """
    memory = Path("/dev/shm")
    return memory / _short_name(data_dir) if os.access(memory, os.W_OK) else data_dir / "metrics"


def socket_dir(data_dir: Path) -> Path:
    """Folder of the embedded stores' sockets: inside ``data_dir``, or a short stand-in when that path is too long."""
    inside = data_dir / "run"
    if len(str(inside / ".s.PGSQL.5432")) <= MAX_SOCKET_PATH:
        return inside
    return Path(tempfile.gettempdir()) / _short_name(data_dir)


def embedded_urls(data_dir: Path) -> dict[str, str]:
    """URLs of the stores that are embedded in ``data_dir``, each by the variable that replaces it."""
    sockets = socket_dir(data_dir)
    return {
        "DATABASE_URL": f"postgres://floodgate@/floodgate?host={sockets}",
        "VALKEY_URL": f"unix://{sockets}/truth.sock",
        "VALKEY_CACHE_URL": f"unix://{sockets}/cache.sock",
    }


def _secret_key(data_dir: Path) -> str:
    """SECRET_KEY, or on a developer's machine a random one kept in DATA_DIR; never a constant."""
    if (given := _given("SECRET_KEY")) is not None:
        return given
    path = data_dir / "secret-key"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(50))
        return path.read_text(encoding="ascii")
    except OSError as exc:
        raise ImproperlyConfigured(f"DATA_DIR {data_dir} cannot be used: {exc.strerror}") from exc


def _write_once(path: Path, text: str) -> None:
    """Create ``path`` whole or leave the one that another process made."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, encoding="ascii") as file:
        file.write(text)
        file.flush()
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


DATA_DIR = _path("DATA_DIR", BASE_DIR / ".data")
IMPORT_ROOT = _path("IMPORT_ROOT", DATA_DIR / "imports")
SPOOL_DIR = _path("SPOOL_DIR", DATA_DIR / "spool")
STATIC_ROOT = BASE_DIR / "staticfiles"
for folder in (DATA_DIR, IMPORT_ROOT, SPOOL_DIR, STATIC_ROOT):
    with contextlib.suppress(OSError):  # what cannot be made is reported where it is needed
        folder.mkdir(mode=0o755 if folder == STATIC_ROOT else 0o700, parents=True, exist_ok=True)
SECRET_KEY = _secret_key(DATA_DIR)
DEBUG = _switch("DEBUG", default=False)
COOKIES_SECURE = _switch("COOKIES_SECURE", default=False)
ALLOWED_HOSTS = list(_listed("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]"))
LOG_FORMAT = _one_of("LOG_FORMAT", "console", ("console", "json"))
FLOODGATE_VERSION = _text("FLOODGATE_VERSION", "unknown")
ACCESS_LOG = _one_of("ACCESS_LOG", "on" if LOG_FORMAT == "json" else "off", ("on", "off", "errors"))

BIND_HOST = _text("BIND_HOST", "127.0.0.1")
PORT = _int("PORT", 8000, at_least=1, at_most=65_535)
WEB_REPLICAS = _int("WEB_REPLICAS", 1, at_least=1)
WEB_SURGE = _int("WEB_SURGE", 0)
WEB_WORKERS = _int("WEB_WORKERS", 2, at_least=1)
WSGI_THREADS = _int("WSGI_THREADS", 8, at_least=1)
HOT_PATH = _switch("HOT_PATH", default=True)
API_KEYS = _api_keys("API_KEYS", BIND_HOST)
TRUSTED_PROXIES = _networks("TRUSTED_PROXIES")
CORS_ALLOWED_ORIGINS = _origins("CORS_ALLOWED_ORIGINS")
IDEMPOTENCY_TTL_SECONDS = _int("IDEMPOTENCY_TTL_SECONDS", 3600, at_least=1)
RATE_LIMIT = _one_of("RATE_LIMIT", "on", ("on", "off", "shadow"))
RATE_LIMIT_POLICIES = _rates("RATE_LIMIT_POLICIES")
METRICS_PORT = _int("METRICS_PORT", 0, at_most=65_535)
OTEL_EXPORTER_OTLP_ENDPOINT = _http_url("OTEL_EXPORTER_OTLP_ENDPOINT")
SENTRY_DSN = _text("SENTRY_DSN", "")
HEARTBEAT_FILE = _text("HEARTBEAT_FILE", "")
PROMETHEUS_MULTIPROC_DIR = _path("PROMETHEUS_MULTIPROC_DIR", metrics_dir(DATA_DIR))

_embedded = embedded_urls(DATA_DIR)
DATABASE_PASSWORD = _text("DATABASE_PASSWORD", "")
VALKEY_PASSWORD = _text("VALKEY_PASSWORD", "")
DATABASE_URL = _with_password(_text("DATABASE_URL", _embedded["DATABASE_URL"]), DATABASE_PASSWORD)
READ_DATABASE_URL = _with_password(_text("READ_DATABASE_URL", ""), DATABASE_PASSWORD)
VALKEY_URL = _with_password(_text("VALKEY_URL", _embedded["VALKEY_URL"]), VALKEY_PASSWORD)
VALKEY_CACHE_URL = _with_password(_text("VALKEY_CACHE_URL", _embedded["VALKEY_CACHE_URL"]), VALKEY_PASSWORD)
CELERY_BROKER_URL = _text("CELERY_BROKER_URL", VALKEY_CACHE_URL.replace("unix://", "redis+socket://", 1))

ARCHIVE_URL = _storage_url("ARCHIVE_URL", DATA_DIR / "archive")
TIMESTAMPS_SEGMENT_ENTRIES = _int("TIMESTAMPS_SEGMENT_ENTRIES", 100_000, at_least=1, at_most=1_000_000)
TIMESTAMPS_SEGMENT_SECONDS = _int("TIMESTAMPS_SEGMENT_SECONDS", 3600, at_least=1)
FLUSH_WORKERS = _int("FLUSH_WORKERS", 2, at_least=1)
COUNTERS_MAX_PENDING_KEYS = _int("COUNTERS_MAX_PENDING_KEYS", 4_000_000, at_least=1)
COUNTERS_MAX_MARKS = _int("COUNTERS_MAX_MARKS", 8_000_000)
TIMESTAMPS_MAX_BACKLOG = _int("TIMESTAMPS_MAX_BACKLOG", 2_000_000, at_least=10_000)
TIMESTAMPS_MAX_MARKS = _int("TIMESTAMPS_MAX_MARKS", 2_000_000)
VOUCHER_GUESSES_PER_USER = _int("VOUCHER_GUESSES_PER_USER", 20, at_least=1)
VOUCHER_GUESSES_PER_ADDRESS = _int("VOUCHER_GUESSES_PER_ADDRESS", 600, at_least=1)
WALLET_URL = _http_url("WALLET_URL")
WALLET_API_KEY = _token("WALLET_API_KEY")
ECB_RATES_FROM = _day("ECB_RATES_FROM", "1999-01-04")
ECB_MAX_AGE_DAYS = _int("ECB_MAX_AGE_DAYS", 45)
OPENEXCHANGERATES_MAX_AGE_DAYS = _int("OPENEXCHANGERATES_MAX_AGE_DAYS", 7)
OPENEXCHANGERATES_APP_ID = _token("OPENEXCHANGERATES_APP_ID")
UPLOAD_MAX_BYTES = _int("UPLOAD_MAX_BYTES", 16 * 2**30)
UNPACKED_MAX_BYTES = _int("UNPACKED_MAX_BYTES", 256 * 2**30)
BATCH_MAX_BYTES = _int("BATCH_MAX_BYTES", 16 * 2**20, at_least=1)
BATCH_MAX_ROWS = _int("BATCH_MAX_ROWS", 100_000, at_least=1)
BATCH_MAX_PRICES = _int("BATCH_MAX_PRICES", 1_000_000, at_least=1)
BATCH_MAX_WAITING = _int("BATCH_MAX_WAITING", 100, at_least=1)
BATCH_KEEP_DAYS = _int("BATCH_KEEP_DAYS", 30, at_least=1, at_most=36_500)
IMPORT_WORKERS = _int("IMPORT_WORKERS", 2, at_least=1)
IMPORT_CHUNK_BYTES = _int("IMPORT_CHUNK_BYTES", 8 * 2**20, at_least=1)
IMPORT_ROWS_PER_TABLE = _int("IMPORT_ROWS_PER_TABLE", 100_000_000, at_least=1)
IMPORT_MAX_REJECT_SHARE = _share("IMPORT_MAX_REJECT_SHARE", 0.1)
IMPORT_MAX_SHRINK_SHARE = _share("IMPORT_MAX_SHRINK_SHARE", 0.5)
IMPORT_KEEP_VERSIONS = _int("IMPORT_KEEP_VERSIONS", 3, at_least=1)
IMPORT_DROP_AFTER_SECONDS = _int("IMPORT_DROP_AFTER_SECONDS", 600)
IMPORT_KEEP_REJECTS_DAYS = _int("IMPORT_KEEP_REJECTS_DAYS", 30, at_least=1, at_most=36_500)
