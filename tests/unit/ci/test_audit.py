"""`make audit`: what it says and ends with, whatever pip-audit gets to know."""

import json
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

KNOWN = {"name": "amqp", "version": "5.4.2", "vulns": []}
BROKEN = {"name": "rich", "version": "15.0.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["15.0.1"]}]}
SKIPPED = {"name": "numpy", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def audit() -> ModuleType:
    spec = spec_from_file_location("audit", settings.BASE_DIR / ".ci" / "audit.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answering(monkeypatch: pytest.MonkeyPatch, audit: ModuleType, answer: Any) -> None:
    def run(command: list[str], **_: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(**{"returncode": 1, "stdout": "", "stderr": "", **answer})

    monkeypatch.setattr(audit.subprocess, "run", run)


def packages(*found: dict[str, Any]) -> dict[str, str]:
    return {"stdout": json.dumps({"dependencies": found, "fixes": []})}


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        (packages(KNOWN), 0, "1 of 1 packages were audited"),
        (packages(KNOWN, BROKEN), 1, "rich 15.0.0: PYSEC-1, fixed in ['15.0.1']"),
        (packages(KNOWN, BROKEN, SKIPPED), 1, "2 of 3"),
        (packages(KNOWN, SKIPPED), 3, "nothing is known of numpy"),
        (packages(), 3, "0 of 0"),
        ({"stderr": "Traceback\nConnectionError: Name or service not known\n"}, 3, "Name or service not known"),
        ({"stdout": "<html>", "returncode": 0}, 3, "nothing is known"),
        (subprocess.TimeoutExpired("pip-audit", 300), 3, "no answer within"),
    ],
)
def test_only_what_was_audited_counts_as_safe(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    audit: ModuleType,
    answer: Any,
    code: int,
    told: str,
) -> None:
    answering(monkeypatch, audit, answer)
    assert audit.main() == code
    assert told in capsys.readouterr().out
