import json
import os
import runpy
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.env import BASE_DIR, embedded_urls


def values(data_dir: Path, *names: str, **environment: str) -> dict[str, object]:
    """What a start with nothing else in its environment makes of it, as JSON."""
    found = run(data_dir, environment)
    return dict(json.loads(json.dumps({name: found[name] for name in names})))


def run(data_dir: Path, environment: dict[str, str]) -> dict[str, Any]:
    with patch.dict(os.environ, {"DATA_DIR": str(data_dir)} | environment, clear=True):
        return runpy.run_path(str(BASE_DIR / "config" / "env.py"))


def test_value_with_a_dollar_is_taken_as_it_stands(tmp_path: Path) -> None:
    given = {"SECRET_KEY": "$DATA_DIR", "BIND_HOST": "$HOME", "DATABASE_URL": "$PATH"}
    assert values(tmp_path, *given, **given) == given


def test_stores_are_the_embedded_ones_by_default(tmp_path: Path) -> None:
    stores = embedded_urls(tmp_path)
    assert values(tmp_path, *stores) == stores


@pytest.mark.parametrize(("given", "broker"), [("unix:///x", "redis+socket:///x"), ("redis://c:1/0", "redis://c:1/0")])
def test_broker_is_the_cache_store_by_default(tmp_path: Path, given: str, broker: str) -> None:
    assert values(tmp_path, "CELERY_BROKER_URL", VALKEY_CACHE_URL=given) == {"CELERY_BROKER_URL": broker}


@pytest.mark.parametrize(("given", "archive"), [("s3://bucket/log", "s3://bucket/log"), ("/a", "/a"), ("", None)])
def test_archive_is_an_address_or_a_folder(tmp_path: Path, given: str, archive: str | None) -> None:
    assert values(tmp_path, "ARCHIVE_URL", ARCHIVE_URL=given) == {"ARCHIVE_URL": archive or str(tmp_path / "archive")}


def test_allowed_hosts_are_split_at_commas(tmp_path: Path) -> None:
    assert values(tmp_path, "ALLOWED_HOSTS", ALLOWED_HOSTS="a.example, b.example,") == {
        "ALLOWED_HOSTS": ["a.example", "b.example"]
    }


def test_any_value_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    (tmp_path / "workers").write_text("7")
    found = values(
        *(tmp_path, "SECRET_KEY", "WEB_WORKERS"),
        SECRET_KEY_FILE=str(tmp_path / "key"),
        WEB_WORKERS_FILE=str(tmp_path / "workers"),
    )
    assert found == {"SECRET_KEY": "secret", "WEB_WORKERS": 7}


def test_a_file_that_cannot_be_read_or_stands_beside_a_value_stops_the_start(tmp_path: Path) -> None:
    assert "SECRET_KEY_FILE names /none" in refusal(tmp_path, SECRET_KEY_FILE="/none")
    assert "both set" in refusal(tmp_path, SECRET_KEY_FILE="/none", SECRET_KEY="a")


def test_an_empty_value_is_none(tmp_path: Path) -> None:
    empty = dict.fromkeys(["WEB_WORKERS", "LOG_FORMAT", "HOT_PATH", "IMPORT_MAX_REJECT_SHARE", "ECB_RATES_FROM"], "")
    found = run(tmp_path, empty)
    assert (found["WEB_WORKERS"], found["LOG_FORMAT"], found["HOT_PATH"]) == (2, "console", True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://app@db:5432/x", "postgres://app:p%40%2Fss@db:5432/x"),
        ("postgres://app:own@db/x", "postgres://app:own@db/x"),
        ("postgres://app@/x?host=/run", "postgres://app:p%40%2Fss@/x?host=/run"),
        ("postgres://db/x", "postgres://db/x"),
    ],
)
def test_a_password_joins_a_user_without_one(tmp_path: Path, url: str, expected: str) -> None:
    found = values(tmp_path, "DATABASE_URL", "READ_DATABASE_URL", DATABASE_URL=url, DATABASE_PASSWORD="p@/ss")
    assert found == {"DATABASE_URL": expected, "READ_DATABASE_URL": ""}


def test_the_broker_has_the_caches_password(tmp_path: Path) -> None:
    found = values(tmp_path, "CELERY_BROKER_URL", VALKEY_CACHE_URL="redis://app@c:1/0", VALKEY_PASSWORD="x")
    assert found == {"CELERY_BROKER_URL": "redis://app:x@c:1/0"}


def refusal(data_dir: Path, **environment: str) -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        run(data_dir, environment)
    return str(caught.value)


def test_trusted_proxies_are_networks(tmp_path: Path) -> None:
    found = values(tmp_path, "TRUSTED_PROXIES", TRUSTED_PROXIES="10.0.0.0/8, 192.0.2.1,fd00::/8,")
    assert found == {"TRUSTED_PROXIES": ["10.0.0.0/8", "192.0.2.1/32", "fd00::/8"]}
    assert values(tmp_path, "TRUSTED_PROXIES") == {"TRUSTED_PROXIES": []}


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        (
            "https://Shop.example, http://localhost:3000,http://[::1]:8",
            ["https://shop.example", "http://localhost:3000", "http://[::1]:8"],
        ),
        ("*", ["*"]),
        ("", []),
    ],
)
def test_origins_are_as_browsers_write_them(tmp_path: Path, given: str, origins: list[str]) -> None:
    found = values(tmp_path, "CORS_ALLOWED_ORIGINS", CORS_ALLOWED_ORIGINS=given)
    assert found == {"CORS_ALLOWED_ORIGINS": origins}


@pytest.mark.parametrize(
    ("name", "value"),
    [("TRUSTED_PROXIES", "caddy"), ("API_KEYS", "on"), ("IDEMPOTENCY_TTL_SECONDS", "0"), ("RATE_LIMIT", "maybe")]
    + [
        ("WALLET_URL", url)
        for url in ("wallet.example", "ftp://a", "http://", "http://a:x", "http://u:p@a", "http://a?b")
    ]
    + [
        ("CORS_ALLOWED_ORIGINS", origins)
        for origins in ("shop.example", "https://a.example/", "https://a:443", "http://a:80", "*,https://a", "null")
    ]
    + [("WALLET_API_KEY", "two words"), ("ACCESS_LOG", "maybe")]
    + [("ECB_RATES_FROM", "2026-02-30"), ("OPENEXCHANGERATES_APP_ID", "a b")],
)
def test_wrong_value_stops_the_start_and_is_named(tmp_path: Path, name: str, value: str) -> None:
    assert name in refusal(tmp_path, **{name: value})


def test_policies_of_rate_limits_are_read(tmp_path: Path) -> None:
    given = {"RATE_LIMIT": "shadow", "RATE_LIMIT_POLICIES": "increment=5000  django=100"}
    expected = {"RATE_LIMIT": "shadow", "RATE_LIMIT_POLICIES": {"increment": 5000, "django": 100}}
    assert values(tmp_path, *given, **given) == expected


@pytest.mark.parametrize("given", ["hot", "hot=0", "hot=1.5", "hot=1,django=2", "hot=1 hot=2", "hot=10000001"])
def test_malformed_policy_stops_the_start_and_is_named(tmp_path: Path, given: str) -> None:
    assert "RATE_LIMIT_POLICIES must" in refusal(tmp_path, RATE_LIMIT_POLICIES=given)


def test_paths_can_be_added_to_the_wallets_address(tmp_path: Path) -> None:
    found = values(tmp_path, "WALLET_URL", WALLET_URL="https://wallet.example:8443/money/")
    assert found == {"WALLET_URL": "https://wallet.example:8443/money"}
    assert values(tmp_path, "WALLET_URL") == {"WALLET_URL": ""}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "optional"),
        ({"BIND_HOST": "::1"}, "optional"),
        ({"BIND_HOST": "localhost", "API_KEYS": "optional"}, "optional"),
        ({"API_KEYS": "required"}, "required"),
        ({"BIND_HOST": "0.0.0.0"}, "required"),
        ({"BIND_HOST": "10.0.0.7"}, "required"),
    ],
)
def test_keys_are_optional_on_loopback_only(tmp_path: Path, given: dict[str, str], told: str) -> None:
    assert values(tmp_path, "API_KEYS", **given) == {"API_KEYS": told}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "192.168.0.7", "web", "localhost.example"])
def test_keys_that_are_optional_for_strangers_stop_the_start(tmp_path: Path, host: str) -> None:
    said = refusal(tmp_path, BIND_HOST=host, API_KEYS="optional")
    assert "API_KEYS must be 'required'" in said
    assert host in said


def test_requests_are_logged_where_logs_are_json(tmp_path: Path) -> None:
    assert values(tmp_path, "ACCESS_LOG") == {"ACCESS_LOG": "off"}
    assert values(tmp_path, "ACCESS_LOG", LOG_FORMAT="json") == {"ACCESS_LOG": "on"}
    assert values(tmp_path, "ACCESS_LOG", ACCESS_LOG="errors") == {"ACCESS_LOG": "errors"}
