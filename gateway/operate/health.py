"""Liveness and readiness, as application/health+json (draft-inadarei-api-health-check).

Checks run in parallel on threads of their own, each with a deadline, so they answer while everything else is stuck. One
result serves all probes of half a second: probing is no load.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Literal

from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from common.errors import FloodgateError
from common.stores.guarded import ask_database
from gateway.contract.http import Reply

logger = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
CACHE_SECONDS = 0.5
CONTENT_TYPE = b"application/health+json"
# Checks that groups name.
WRITE_STORE_CHECK = "write-store:responseTime"
TRUTH_CHECK = "valkey-truth:responseTime"
MIGRATIONS_CHECK = "migrations:applied"
Status = Literal["pass", "warn", "fail"]
Check = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result; ``observed_value`` is what it returned, or milliseconds when it returned nothing."""

    status: Status
    observed_value: object
    time: str
    output: str = ""

    def as_json(self) -> dict[str, Any]:
        found = {"status": self.status, "observedValue": self.observed_value, "time": self.time}
        return {**found, "output": self.output} if self.output else found


@dataclass(frozen=True, slots=True)
class _Registered:
    name: str
    ask: Check
    required: bool


_checks: dict[str, _Registered] = {}
_groups: dict[str, tuple[str, ...]] = {}


def register_check(name: str, ask: Check, *, required: bool = True) -> None:
    """Make ``ask`` part of readiness.

    Args: name: as shown, like ``counters:backlog``.
          ask: runs on a thread, within CHECK_SECONDS; returns an observed value or None; raises when all is not well.
          required: without it a failure is a warning and the process stays ready.
    """
    _checks[name] = _Registered(name, ask, required)


def register_group(name: str, *checks: str) -> None:
    """Have ``/health/ready/<name>`` say whether these checks pass: those without which its routes take no writes.

    So a balancer decides for each group of routes, while reads go on. Warnings count as failures there.
    """
    _groups[name] = checks


def health_routes() -> dict[str, Callable[[], Awaitable[Reply]]]:
    """What the gateway answers itself, by path."""
    readiness = Readiness()
    groups = {f"/health/ready/{name}": partial(readiness.group, name) for name in _groups}
    whole = dict.fromkeys(["/health", "/health/ready"], readiness.reply)
    return {**whole, **groups, "/health/live": live, "/healthz": alive}


async def live() -> Reply:
    """200 as long as the event loop runs."""
    return Reply(200, b'{"status": "pass"}', content_type=CONTENT_TYPE)


async def alive() -> Reply:
    """The same without a word, as probes of Kubernetes ask for it."""
    return Reply(204)


class Readiness:
    """Runs the registered checks; belongs to one event loop."""

    def __init__(self) -> None:
        self._asking = asyncio.Lock()
        self._found: dict[str, Finding] = {}
        self._asked_at = float("-inf")

    async def reply(self) -> Reply:
        """200 when every required check passes, else 503."""
        return _as_reply(await self._findings())

    async def group(self, name: str) -> Reply:
        """200 when all checks of a group pass, else 503."""
        findings = await self._findings()
        return _as_reply({check: _counted(findings[check]) for check in _groups[name]})

    async def _findings(self) -> dict[str, Finding]:
        async with self._asking:
            if time.monotonic() - self._asked_at >= CACHE_SECONDS:
                self._found = await _ask_all()
                self._asked_at = time.monotonic()
            return self._found


def _counted(finding: Finding) -> Finding:
    return finding if finding.status == "pass" else replace(finding, status="fail")


async def _ask_all() -> dict[str, Finding]:
    checks = list(_checks.values())
    findings = await asyncio.gather(*(_finding(check) for check in checks))
    return {check.name: finding for check, finding in zip(checks, findings, strict=True)}


async def _finding(check: _Registered) -> Finding:
    started, now = time.perf_counter(), datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            observed = await asyncio.get_running_loop().run_in_executor(_threads(check.name), _ask, check.ask)
    except Exception as exc:  # whatever is wrong with a store is this check's answer
        logger.warning("health_check_failed", extra={"check": check.name, "error": repr(exc)})
        return Finding("fail" if check.required else "warn", None, now, _explain(exc))
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    return Finding("pass", milliseconds if observed is None else observed, now)


def _explain(exc: Exception) -> str:
    """Our own words, or the kind of error: messages of drivers name hosts and users, and this address is public."""
    if isinstance(exc, FloodgateError):
        return exc.detail
    return f"no answer within {CHECK_SECONDS:g} s" if isinstance(exc, TimeoutError) else type(exc).__name__


def _as_reply(findings: dict[str, Finding]) -> Reply:
    statuses = {finding.status for finding in findings.values()}
    overall = next((status for status in ("fail", "warn") if status in statuses), "pass")
    body = {"status": overall, "checks": {name: [finding.as_json()] for name, finding in findings.items()}}
    return Reply(503 if overall == "fail" else 200, json.dumps(body).encode(), content_type=CONTENT_TYPE)


@cache
def _threads(name: str) -> ThreadPoolExecutor:
    """One thread per check, so that a check that hangs delays no other."""
    return ThreadPoolExecutor(1, thread_name_prefix=f"health-{name}")


def _ask(ask: Check) -> object:
    try:
        return ask()
    finally:
        connections.close_all()


@cache
def _migrations_are_applied() -> None:
    """Cached once it has passed: a process never loses migrations."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise ImproperlyConfigured(f"{len(missing)} migrations are not applied")


def register_stores() -> None:
    """Those that everything needs; called when models are there."""
    from gateway.operate.proofs import write_to_cache, write_to_database, write_to_truth

    register_check(WRITE_STORE_CHECK, write_to_database)
    register_check("read-store:responseTime", lambda: ask_database("read"))
    register_check(TRUTH_CHECK, write_to_truth)
    register_check("valkey-cache:responseTime", write_to_cache, required=False)
    register_check(MIGRATIONS_CHECK, _migrations_are_applied)
