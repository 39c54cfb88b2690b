"""What pages for people say to browsers, and to those who check a deployment."""

import re

import pytest
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
