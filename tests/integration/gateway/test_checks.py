"""System checks against the test run's own PostgreSQL and Valkeys."""

import pytest
from django.conf import settings as project
from django.core.checks import Tags, run_checks
from django.core.checks.registry import registry
from pytest_django import Settings

from common.stores import valkey
from gateway import checks
from gateway.checks import check_max_connections, check_truth_store, connections_needed
from gateway.operate.proofs import TRUTH_POLICY


def test_checks_that_need_stores_wait_to_be_asked() -> None:
    assert check_truth_store() == []
    assert check_max_connections() == []
    assert {check_truth_store, check_max_connections} <= set(registry.get_checks(include_deployment_checks=True))
    assert check_truth_store.tags == check_max_connections.tags == (Tags.database,)


@pytest.mark.django_db
def test_the_projects_own_stores_pass() -> None:
    found = run_checks(tags=[Tags.database], databases=["default"])
    assert [message for message in found if str(message.id).startswith("floodgate.")] == []


@pytest.mark.parametrize(("name", "value"), [("appendfsync", "everysec"), ("maxmemory-policy", "allkeys-lru")])
def test_a_truth_store_that_may_lose_writes_is_refused(name: str, value: str) -> None:
    valkey.truth().config_set(name, value)
    try:
        found = check_truth_store(databases=["default"])
    finally:
        valkey.truth().config_set(name, TRUTH_POLICY[name])
    assert [message.id for message in found] == ["floodgate.E001"]
    assert f"{name} '{value}'" in found[0].msg


def test_a_truth_store_that_is_down_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "truth", lambda: valkey._client("unix:///nowhere"))
    assert [message.id for message in check_truth_store(databases=["default"])] == ["floodgate.W001"]


@pytest.mark.django_db
def test_more_threads_than_connections_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "WEB_WORKERS", 50)
    found = check_max_connections(databases=["default"])
    assert [message.id for message in found] == ["floodgate.E002"]
    assert str(connections_needed()) in found[0].msg


def test_rate_limit_of_a_route_that_does_not_exist_stops_the_start(settings: Settings) -> None:
    settings.RATE_LIMIT_POLICIES = {**settings.RATE_LIMIT_POLICIES, "incrementz": 5}
    (found,) = checks.check_rate_limits(databases=["default"])
    assert found.id == "floodgate.E003"
    assert "incrementz" in found.msg


def test_batches_that_would_leave_no_time_to_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_time_of_batches() == []
    monkeypatch.setattr(checks, "LEAST_WAIT_SECONDS", 0.7)
    found = checks.check_time_of_batches()
    assert {message.id for message in found} == {"floodgate.E004"}
    assert "read_rates may take 1 s" in " ".join(message.msg for message in found)
