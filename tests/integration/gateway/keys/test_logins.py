"""Passwords that are tried, over a real database: who is locked out, who is not, and what is told of it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from tests.logs import logged

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 5
RIGHT = "x8Kd!3hf9"


@pytest.fixture(autouse=True)
def people(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for name in ("ada", "bob"):
        User.objects.create_superuser(name, password=RIGHT)


@pytest.fixture
def audited() -> Iterator[list[dict[str, Any]]]:
    with logged("audit") as events:
        yield events


def log_in(name: str, password: str, address: str = "203.0.113.9") -> Any:
    fields = {"username": name, "password": password, "next": "/admin/"}
    return Client(REMOTE_ADDR=address).post("/admin/login/", fields)


def fail(name: str = "ada", address: str = "203.0.113.9", times: int = LIMIT) -> None:
    for _ in range(times):
        log_in(name, "wrong", address)


def test_attacker_is_locked_out_and_nobody_else() -> None:
    fail(times=LIMIT - 1)
    assert log_in("ada", RIGHT).status_code == 302
    fail()
    refused = log_in("ada", RIGHT)
    assert (refused.status_code, refused.json()["code"]) == (429, "login-locked")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == "900"
    assert log_in("ada", RIGHT, "198.51.100.7").status_code == 302
    assert log_in("bob", RIGHT).status_code == 302


def test_tries_of_who_is_locked_out_write_nothing_and_lock_no_longer() -> None:
    fail()
    before = AccessAttempt.objects.values().get()
    for number in range(5):
        answer = Client(REMOTE_ADDR="203.0.113.9").post(
            f"/admin/login/?q={number}{'x' * 500}", {"username": "ada", "password": "wrong", "more": "y" * 500}
        )
        assert answer.status_code == 429
    assert AccessAttempt.objects.values().get() == before


def test_success_forgets_the_failures_before_it() -> None:
    for _ in range(2):
        fail(times=LIMIT - 1)
        assert log_in("ada", RIGHT).status_code == 302


def test_operator_lets_a_user_in_again(audited: list[dict[str, Any]]) -> None:
    fail()
    call_command("unlock_login", "ada")
    assert log_in("ada", RIGHT).status_code == 302
    assert ("unlock_login", "ada", "done") in [(one["action"], one["object"], one["outcome"]) for one in audited]


def test_addresses_of_one_customer_are_one() -> None:
    for number in range(LIMIT):
        fail(address=f"2001:db8:1:2::{number}", times=1)
    assert log_in("ada", RIGHT, "2001:db8:1:2:3:4:5:6").status_code == 429
    assert log_in("ada", RIGHT, "2001:db8:1:3::1").status_code == 302


def test_other_browsers_are_no_other_clients() -> None:
    for number in range(LIMIT):
        Client(REMOTE_ADDR="203.0.113.9", HTTP_USER_AGENT=f"browser {number}").post(
            "/admin/login/", {"username": "ada", "password": "wrong"}
        )
    assert log_in("ada", RIGHT).status_code == 429


def test_lock_ends_and_tries_meanwhile_do_not_prolong_it() -> None:
    fail()
    fail()
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert log_in("ada", RIGHT).status_code == 302
    assert not AccessAttempt.objects.exists()


def test_store_that_takes_no_writes_is_no_defect(read_only_database: None) -> None:
    for password in ("wrong", RIGHT):
        answer = log_in("ada", password)
        assert (answer.status_code, answer.json()["code"]) == (503, "store-unavailable")


def test_logout_is_told(audited: list[dict[str, Any]]) -> None:
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    client.post("/admin/logout/")
    assert ("user:ada", "logout") in [(one["actor"], one["action"]) for one in audited]


def test_every_try_is_told_without_what_was_typed(audited: list[dict[str, Any]]) -> None:
    log_in("ada", RIGHT)
    log_in("hunter2-my-password", "secret-password")
    fail()
    log_in("ada", RIGHT)
    told = [(event["actor"], event["action"], event["outcome"]) for event in audited]
    assert told == [
        ("user:ada", "login", "done"),
        ("user:unknown", "login", "refused"),
        *[("user:ada", "login", "refused")] * (LIMIT - 1),
        *[("user:ada", "login", "locked")] * 2,
    ]
    assert {event["said"] for event in audited} == {"from 203.0.113.9"}
    assert not [event for event in audited if RIGHT in str(event) or "password" in str(event["said"])]
    assert not AccessAttempt.objects.filter(post_data__contains="secret-password").exists()


@pytest.mark.parametrize("name", ["", "x" * 5_000, "a\0b", "ä" * 200])
def test_strange_names_are_no_defects(name: str) -> None:
    assert log_in(name, "wrong").status_code in (200, 400)
