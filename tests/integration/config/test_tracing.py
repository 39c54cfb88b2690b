"""What is imported, and what is told to whom, when traces and reports of errors are on or off."""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from email.message import Message

import pytest

from config.env import BASE_DIR
from tests.acceptance.harness import wait_until
from tests.receiver import receiver

PASSWORD, PHONE = "hunter2-of-postgres", "+4915112345671"
FAILING = f"""
import django, sentry_sdk
django.setup()
from config.tracing import start_tracing
start_tracing("web")
secret = {PASSWORD!r}
try:
    raise ValueError("postgres://floodgate:{PASSWORD}@postgres/ of {PHONE}")
except ValueError as error:
    sentry_sdk.capture_exception(error)
sentry_sdk.flush()
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=BASE_DIR,
        env=os.environ | settings | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def reports() -> Iterator[tuple[str, list[str]]]:
    """The address that stands for Sentry, and what it has got."""
    got: list[str] = []

    def take(body: bytes, headers: Message) -> None:
        got.append((gzip.decompress(body) if headers["Content-Encoding"] == "gzip" else body).decode())

    with receiver(take) as address:
        yield f"http://key@{address}/1", got


def test_nothing_is_imported_and_nothing_in_the_way_when_they_are_off() -> None:
    code = "import config.asgi, sys; print(type(config.asgi.application).__module__, *sys.modules)"
    done = run(code)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert loaded[0] == "gateway.server.app"
    assert not [name for name in loaded if name.startswith(("opentelemetry.instrumentation", "sentry_sdk"))]


def test_report_of_an_error_has_no_secret_and_no_personal_data(reports: tuple[str, list[str]]) -> None:
    address, got = reports
    done = run(FAILING, SENTRY_DSN=address, FLOODGATE_VERSION="v7")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: bool(got), "report", 10)
    report = "".join(got)
    assert "ValueError" in report
    assert '"release":"v7"' in report.replace(" ", "")
    assert PASSWORD not in report
    assert PHONE not in report


@pytest.mark.parametrize(
    ("name", "package"), [("SENTRY_DSN", "sentry_sdk"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry")]
)
def test_package_that_is_missing_is_named_with_the_way_to_it(name: str, package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None\nimport django; django.setup()\n"
    done = run(code + "from config.tracing import start_tracing; start_tracing('web')", **{name: "http://127.0.0.1:1"})
    assert done.returncode == 1
    assert f"{name} is set, and {package}" in done.stderr
    assert "pip install -r requirements-tracing.txt" in done.stderr
