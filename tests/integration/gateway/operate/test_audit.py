"""Who changed what, as the log ``audit`` tells it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from common.audit import audit
from gateway.models import ApiKey
from tests.logs import logged
from tests.promotions import rows
from tests.roads import CORRELATION_ID, Answer, django
from tests.vouchers import phone, voucher
from vouchers.models import Voucher

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "read"])

PHONE = phone(1)
CONFIRMED = {"_form_submitted": "True"}
Event = dict[str, Any]


@pytest.fixture
def audited() -> Iterator[list[Event]]:
    with logged("audit") as events:
        yield events


def post(path: str, body: object = b"", **headers: str) -> Answer:
    return django("POST", path, body, X_Floodgate_Account="shop", **headers)


def told(events: list[Event]) -> list[tuple[str, str, str, str]]:
    return [(event["actor"], event["action"], event["object"], event["outcome"]) for event in events]


def test_changes_by_api_are_told_with_account_thing_and_outcome(audited: list[Event]) -> None:
    (Path(settings.IMPORT_ROOT) / "audited.csv").write_text(rows(range(3)))
    import_id = str(post("/process-csv", {"filename": "audited.csv"}, Idempotency_Key="first").json["id"])
    post("/process-csv", {"filename": "audited.csv"}, Idempotency_Key="first")
    post(f"/imports/{import_id}/cancel")
    post(f"/imports/{import_id}/cancel")
    profile_id = str(post("/api/profiles", {"phone_number": PHONE, "balance": 5}).json["id"])
    transfer_id = str(post("/api/transactions", {"phone_number": PHONE, "amount": 5}).json["id"])
    terms = {"code": "SECRET", "amount": 5, "limit": 3}
    voucher_id = str(post("/api/vouchers", terms).json["id"])
    django("POST", "/api/vouchers", {**terms, "code": "OTHER"})
    assert told(audited) == [
        ("account:shop", "POST /process-csv", import_id, "done"),
        ("account:shop", "POST /process-csv", "", "replayed"),
        ("account:shop", "POST /imports/{import_id}/cancel", import_id, "done"),
        ("account:shop", "POST /imports/{import_id}/cancel", import_id, "refused 409"),
        ("account:shop", "POST /api/profiles", profile_id, "done"),
        ("account:shop", "POST /api/transactions", transfer_id, "done"),
        ("account:shop", "POST /api/vouchers", voucher_id, "done"),
        ("anybody", "POST /api/vouchers", str(Voucher.objects.get(code="OTHER").pk), "done"),
    ]
    assert {event["correlation_id"] for event in audited} == {CORRELATION_ID}
    assert not [event for event in audited if "SECRET" in str(event) or PHONE in str(event)]


def test_change_that_failed_for_no_reason_that_we_know_is_told(
    audited: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("vouchers.api.create_vouchers", fail)
    with pytest.raises(RuntimeError):
        post("/api/vouchers", {"code": "SECRET", "amount": 5, "limit": 3})
    assert told(audited) == [("account:shop", "POST /api/vouchers", "", "failed")]


def test_password_that_somebody_changes_is_told(audited: list[Event], client: Client) -> None:
    ada = User.objects.create_superuser("ada", password="x8Kd!3hf9")
    client.force_login(ada)
    fields = {"old_password": "x8Kd!3hf9", "new_password1": "kattegat-3-gales", "new_password2": "kattegat-3-gales"}
    assert client.post("/admin/password_change/", {**fields, "old_password": "wrong"}).status_code == 200
    assert client.post("/admin/password_change/", fields).status_code == 302
    assert [event for event in told(audited) if event[1] == "change password"] == [
        ("user:ada", "change password", str(ada.pk), outcome) for outcome in ("refused", "done")
    ]
    assert not [event for event in audited if "kattegat" in str(event)]


def test_key_that_is_made_is_told_with_what_it_may(audited: list[Event]) -> None:
    call_command("create_api_key", "shop", "--scopes", "read", "operate")
    (said,) = [event["said"] for event in audited]
    assert ApiKey.objects.get().prefix in said
    assert {"read", "operate"} <= set(said.split())


def test_traffic_and_reading_are_not_told(audited: list[Event]) -> None:
    voucher("KNOWN", limit=5)
    post("/api/vouchers/redeem", {"code": "KNOWN", "phone_number": PHONE})
    post("/increment", {"key": "d018ef0b-dbd9-48f1-ac1a-eb4d90e57118", "value": 1})
    post("/api/wallet/profiles", [PHONE])
    django("GET", "/imports")
    assert audited == []


def test_changes_in_the_admin_are_told_with_the_person(audited: list[Event], client: Client) -> None:
    ada = User.objects.create_superuser("ada")
    client.force_login(ada)
    audited.clear()
    known = voucher("KNOWN", limit=5)
    client.post(f"/admin/vouchers/voucher/{known.id}/change-limit/", {**CONFIRMED, "limit": "7"})
    client.post("/admin/auth/user/add/", {"username": "bob", "password1": "x8Kd!3hf9", "password2": "x8Kd!3hf9"})
    bob = User.objects.get(username="bob")
    client.post(f"/admin/auth/user/{bob.pk}/delete/", {"post": "yes"})
    assert [(*line, event["said"]) for line, event in zip(told(audited), audited, strict=True)] == [
        ("user:ada", "change vouchers.voucher", str(known.id), "done", "Changed the limit from 5 to 7."),
        ("user:ada", "add auth.user", str(bob.pk), "done", '[{"added": {}}]'),
        ("user:ada", "delete auth.user", str(bob.pk), "done", ""),
    ]
    assert "KNOWN" not in str([event["said"] for event in audited])


def test_changes_by_command_are_told(audited: list[Event], capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_key", "shop", "--scopes", "read")
    key = capsys.readouterr().out.strip()
    call_command("revoke_api_key", "shop")
    with pytest.raises(CommandError):
        call_command("revoke_api_key", "shop")
    call_command("list_api_keys")
    call_command("rebuild_rollup", "--check")
    call_command("rebuild_rollup")
    who = audited[0]["actor"]
    assert who.startswith("command:")
    assert told(audited) == [
        (who, "create_api_key", "shop", "done"),
        (who, "revoke_api_key", "shop", "done"),
        (who, "revoke_api_key", "shop", "refused"),
        (who, "rebuild_rollup", "", "done"),
    ]
    assert not [event for event in audited if key in str(event)]


def test_command_that_failed_or_only_looked(audited: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("rates.management.commands.rebuild_rollup.repair_rollup", fail)
    with pytest.raises(RuntimeError):
        call_command("rebuild_rollup")
    with suppress(CommandError):  # there is nothing to replay
        call_command("replay_timestamps", "--dry-run")
    assert [(action, outcome) for _, action, _, outcome in told(audited)] == [("rebuild_rollup", "failed")]


def test_what_is_rolled_back_is_not_told(audited: list[Event]) -> None:
    from django.db import transaction

    with transaction.atomic():
        audit("user:ada", "change something")
        assert audited == []
        transaction.set_rollback(True)
    assert audited == []
