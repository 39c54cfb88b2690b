"""What pages for people say to browsers, and to those who check a deployment."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db


def policy(client: Client, path: str) -> dict[str, list[str]]:
    answer = client.get(path)
    assert answer.status_code == 200
    answer.close()
    parts = (part.split() for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


def test_files_that_are_pages_have_a_policy_too(client: Client) -> None:
    told = policy(client, "/static/drf_spectacular_sidecar/swagger-ui-dist/oauth2-redirect.html")
    assert "'unsafe-inline'" not in told["script-src"]


@pytest.mark.parametrize(
    ("path", "scripts", "styles"),
    [
        ("/", ["'self'"], ["'self'"]),
        ("/docs", ["'self'"], ["'self'", "'unsafe-inline'"]),
        ("/admin/login/", ["'self'", "'unsafe-eval'"], ["'self'", "'unsafe-inline'"]),
        ("/admin/", ["'self'", "'unsafe-eval'"], ["'self'", "'unsafe-inline'"]),
        ("/admin/promotions/import/", ["'self'", "'unsafe-eval'"], ["'self'", "'unsafe-inline'"]),
    ],
)
def test_page_says_where_it_loads_from(client: Client, path: str, scripts: list[str], styles: list[str]) -> None:
    if path != "/admin/login/":
        client.force_login(User.objects.create_superuser("ada"))
    told = policy(client, path)
    assert (told["script-src"], told["style-src"]) == (scripts, styles)
    assert (told["default-src"], told["connect-src"], told["frame-ancestors"]) == (["'none'"], ["'self'"], ["'none'"])


@pytest.mark.parametrize("path", ["/", "/docs", "/admin/login/", "/admin/", "/admin/vouchers/voucher/"])
def test_page_has_no_script_of_its_own(client: Client, path: str) -> None:
    if path != "/admin/login/":
        client.force_login(User.objects.create_superuser("ada"))
    page = client.get(path).content.decode()
    assert not re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", page)
    assert not re.findall(r"\son[a-z]+=[\"']", page)


def test_deployment_as_compose_makes_it_has_nothing_to_warn_of(tmp_path: Path) -> None:
    given = {"BIND_HOST": "0.0.0.0", "COOKIES_SECURE": "on", "ALLOWED_HOSTS": "shop.example", "LOG_FORMAT": "json"}
    environment = {**os.environ, **given, "SECRET_KEY": secrets.token_urlsafe(50), "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
