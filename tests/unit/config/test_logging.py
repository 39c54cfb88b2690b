"""Lines of logs as machines and people get them."""

import json
import logging
import os
import subprocess
import sys
from typing import Any

import pytest
import structlog

from config import env, redaction
from config.settings import logging as settings

PHONE, KEY, PASSWORD = "+4915112345671", "fg_0123456789abcdefghijklmnopqrstuv", "hunter2-of-postgres"
DRIVER_SAYS = (
    f'duplicate key value violates unique constraint "x"\nDETAIL:  Key (phone_number)=({PHONE}) already exists.'
)


class Lazy:
    def __repr__(self) -> str:
        raise AssertionError("asked what it is")


def formatter(form: str) -> logging.Formatter:
    processors = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *settings._RENDERERS[form]]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=settings._SHARED, processors=processors)


def line_of(form: str, message: str, **extra: Any) -> str:
    """What a record of an error becomes whose frames hold secrets and whose message quotes a row."""
    secret, lazy = PASSWORD, Lazy()
    try:
        raise ValueError(DRIVER_SAYS)
    except ValueError as error:
        assert secret
        assert lazy
        record = logging.LogRecord(
            "gateway", logging.ERROR, __file__, 1, message, (), (ValueError, error, error.__traceback__)
        )
    record.__dict__.update(extra)
    return formatter(form).format(record)


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_and_no_personal_data_is_in_a_line(form: str) -> None:
    line = line_of(
        form,
        "failed",
        error=DRIVER_SAYS,
        url=f"postgres://floodgate:{PASSWORD}@postgres:5432/floodgate",
        path=f"/api/profiles/{PHONE}?again=%2B4915112345671",
        nested={"headers": [f"Bearer {KEY}"]},
    )
    for secret in (PASSWORD, PHONE, "4915112345671", KEY):
        assert secret not in line
    assert "duplicate key value violates unique constraint" in line
    assert "postgres:5432/floodgate" in line


def test_json_has_a_traceback_without_locals_and_the_fields_of_the_record() -> None:
    event = json.loads(line_of("json", "failed", items=3, odd=Lazy()))
    assert (event["event"], event["level"], event["logger"], event["items"], event["odd"]) == (
        *("failed", "error", "gateway"),
        3,
        "<Lazy>",
    )
    (exception,) = event["exception"]
    assert exception["exc_type"] == "ValueError"
    assert not any(frame.get("locals") for frame in exception["frames"])


def test_known_secrets_are_left_out_wherever_they_stand() -> None:
    assert env.SECRET_KEY not in redaction.redact(f"key={env.SECRET_KEY}!")


def test_rows_are_left_out_with_all_of_their_lines_and_in_what_repr_writes() -> None:
    row = "duplicate key\nDETAIL:  Key (name)=(GIFT\nSECRET-9) exists.\nCONTEXT:  COPY of GIFT"
    for text in (row, repr(ValueError(row)), f"raised: {ValueError(row)!r}"):
        left = redaction.redact(text)
        assert "duplicate key" in left
        assert "GIFT" not in left
        assert "SECRET-9" not in left
    chained = f"{row}\n\nThe above exception was the direct cause of the following exception:\nTraceback"
    assert redaction.redact(chained).endswith("following exception:\nTraceback")


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "DATABASE_PASSWORD", "VALKEY_PASSWORD", "WALLET_API_KEY", "OPENEXCHANGERATES_APP_ID"]
)
def test_every_secret_of_the_environment_is_known(name: str) -> None:
    secret = "x8Kd-3hf9-of-this-test"
    environment = {**os.environ, name: secret, "WALLET_URL": "https://wallets.example"}
    code = "from config.redaction import redact; import sys; print(redact(sys.argv[1]))"
    printed = subprocess.run([sys.executable, "-c", code, f"it is {secret}"], env=environment, capture_output=True)
    assert printed.stdout.decode().strip() == "it is [secret]", printed.stderr


def test_secrets_are_known_as_repr_and_json_write_them() -> None:
    secret = "pa\"ss\\wö'rd"
    assert redaction._spelled([secret]) >= {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]}


@pytest.mark.parametrize("text", ["2026-11-30T10:00:00+01:00", "1+2", "a+12345", "+1.5", "https://host/path?a=b@c"])
def test_other_text_stays(text: str) -> None:
    assert redaction.redact(text) == text


def test_warnings_of_python_are_lines_of_the_log() -> None:
    code = "import django, warnings; django.setup(); warnings.warn('beware', stacklevel=1)"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "LOG_FORMAT": "json"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert any("beware" in json.loads(line)["event"] for line in done.stderr.splitlines())
