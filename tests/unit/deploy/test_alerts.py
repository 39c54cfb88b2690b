"""The rules of Prometheus, judged by its own tool: each alert fires when it should, and not otherwise.

Durations are the real ones; tests/alerts causes most of these faults for real, with shorter ones.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
RULES = sorted((ROOT / "deploy/monitoring/rules").glob("*.yml"))
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not here; on Debian: apt install prometheus")


class Case(NamedTuple):
    """Series as promtool writes them (first value, step, number of steps), one value every ``interval``."""

    alert: str
    fires: dict[str, str]
    quiet: dict[str, str]
    at: str = "10m"
    interval: str = "10s"


def served(errors: str, requests: str = "0+100x100") -> dict[str, str]:
    labels = 'app="counters",route="increment"'
    return {
        f'floodgate_requests_total{{{labels},status="200"}}': requests,
        f'floodgate_requests_total{{{labels},status="503"}}': errors,
    }


def timed(on_time: str) -> dict[str, str]:
    name, labels = "floodgate_request_duration_seconds", 'app="rates",route="read_rates"'
    return {f"{name}_count{{{labels}}}": "0+100x100", f'{name}_bucket{{{labels},le="0.25"}}': on_time}


def steady(name: str, fires: str, quiet: str) -> tuple[dict[str, str], dict[str, str]]:
    return {name: f"{fires}x100"}, {name: f"{quiet}x100"}


CASES = [
    Case("ErrorBudgetBurnsFast", served("0+2x100"), served("0+0.4x100"), at="60m", interval="1m"),
    Case("ErrorBudgetBurnsFast", timed("0+80x100"), timed("0+95x100"), at="60m", interval="1m"),
    # One failure in an hour of little traffic is none of an incident.
    Case("ErrorBudgetBurnsFast", served("0+5x100", "0+5x100"), served("0x30 1x70", "0+1x100"), at="60m", interval="1m"),
    Case(
        "ErrorBudgetBurnsSlowly",
        served("0+0.4x400", "0+100x400"),
        served("0+0.05x400", "0+100x400"),
        at="8h",
        interval="4m",
    ),
    Case("CountersStale", *steady("floodgate_counters_staleness_seconds", "11", "9")),
    Case("TimestampsLate", *steady("floodgate_timestamps_lag_seconds", "11", "9")),
    Case("PublicationLate", *steady("floodgate_promotions_undelivered_seconds", "11", "2")),
    Case("WalletBehind", *steady("floodgate_vouchers_ledger_lag_seconds", "61", "59")),
    Case("StoreDown", *steady('pg_up{store="postgres"}', "0", "1")),
    Case("StoreDown", *steady('redis_up{store="valkey"}', "0", "1")),
    Case("StoreDown", *steady('up{job="postgres",store="postgres"}', "0", "1")),
    Case("StoreUnreachable", *steady('floodgate_circuit_open{store="limits"}', "1", "0")),
    Case(
        "TruthFills",
        {'redis_memory_used_bytes{store="valkey"}': "90x100", 'redis_memory_max_bytes{store="valkey"}': "100x100"},
        {'redis_memory_used_bytes{store="valkey"}': "90x100", 'redis_memory_max_bytes{store="valkey"}': "0x100"},
    ),
    Case(
        "ConnectionsRunOut",
        {
            'pg_stat_activity_count{store="postgres",state="idle"}': "60x100",
            'pg_stat_activity_count{store="postgres",state="active"}': "35x100",
            'pg_settings_max_connections{store="postgres"}': "100x100",
        },
        {
            'pg_stat_activity_count{store="postgres",state="idle"}': "60x100",
            'pg_settings_max_connections{store="postgres"}': "100x100",
        },
    ),
    Case("WebDown", {'up{job="web",instance="a"}': "0x100"}, {'up{job="web",instance="b"}': "1x100"}),
    Case("WebDown", {}, {'up{job="web",instance="a"}': "0x100", 'up{job="web",instance="b"}': "1x100"}),
    Case("TargetDown", *steady('up{job="workers",instance="a"}', "0", "1")),
    Case("HeartbeatMissing", *steady('floodgate_heartbeat_timestamp_seconds{role="beat"}', "0", "0+10")),
    Case(
        "TasksFail",
        {'floodgate_tasks_total{task="counters.flush",outcome="failure"}': "0+1x200"},
        {'floodgate_tasks_total{task="counters.flush",outcome="expired"}': "0+1x200"},
        at="20m",
    ),
    Case(
        "WorkStuck",
        {"floodgate_import_age_seconds": "0+10x400", 'floodgate_import_rows_total{outcome="loaded"}': "5x400"},
        {"floodgate_import_age_seconds": "0+10x400", 'floodgate_import_rows_total{outcome="loaded"}': "5+1x400"},
        at="60m",
    ),
    Case("WorkStuck", *steady("floodgate_vouchers_generation_age_seconds", "1801", "1799")),
    Case("WorkStuck", *steady("floodgate_price_batch_age_seconds", "1801", "1799")),
    Case("DeadLetters", *steady("floodgate_timestamps_dead_letters", "1", "0")),
    Case(
        "WritesSilent",
        {"floodgate_increments_accepted_total": "0+10x66 660x10"},
        {"floodgate_increments_accepted_total": "0x40 0+10x26 260x10"},  # it is usual
        at="365m",
        interval="5m",
    ),
    Case("SiteUnreachable", *steady("probe_success", "0", "1")),
    Case("CertificateExpires", *steady("probe_ssl_earliest_cert_expiry", "7000", "20000")),
    Case(
        "CertificateExpires",
        {"probe_ssl_earliest_cert_expiry": f"{30 * 86_400}x600"},
        {"probe_ssl_earliest_cert_expiry": f"{9 * 86_400}+21600x600"},  # short ones, renewed in time
        at=f"{21 * 24}h",
        interval="6h",
    ),
    Case(
        "DiskFills",
        {"floodgate_disk_free_bytes": "9x100", "floodgate_disk_size_bytes": "100x100"},
        {"floodgate_disk_free_bytes": "30x100", "floodgate_disk_size_bytes": "100x100"},
    ),
    Case(
        "DiskFills",
        {"floodgate_disk_free_bytes": "800-3x100", "floodgate_disk_size_bytes": "1000x100"},
        {"floodgate_disk_free_bytes": "800-1x100", "floodgate_disk_size_bytes": "1000x100"},
        at="60m",
        interval="1m",
    ),
    Case(
        "BackupTooOld",
        {"floodgate_backup_timestamp_seconds": "0x100"},
        {"floodgate_backup_timestamp_seconds": "7200x100"},
        at="27h",
        interval="30m",
    ),
    Case(
        "BackupTooOld",
        {'process_start_time_seconds{job="prometheus"}': "0x100"},
        {'process_start_time_seconds{job="prometheus"}': "7200x100"},
        at="27h",
        interval="30m",
    ),
    Case(
        "BackupTooOld",
        {'process_start_time_seconds{job="prometheus"}': "0x100"},
        {
            'process_start_time_seconds{job="prometheus"}': "0x100",
            "floodgate_backup_timestamp_seconds": "0+1800x100",  # every half hour
        },
        at="27h",
        interval="30m",
    ),
]


def alerts() -> list[dict[str, Any]]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def _expected(case: Case, series: dict[str, str], count: int) -> dict[str, Any]:
    firing = f'count by (alertname) (ALERTS{{alertname="{case.alert}",alertstate="firing"}})'
    samples = [{"labels": f'{{alertname="{case.alert}"}}', "value": count}] if count else []
    return {
        "name": f"{case.alert} at {case.at}: {series}",
        "interval": case.interval,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": case.at, "exp_samples": samples}],
    }


@needs_promtool
def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    """One file for each pace of evaluation, and all in one run: the tool takes a second to start."""
    paths = []
    for interval in dict.fromkeys(case.interval for case in CASES):
        cases = [case for case in CASES if case.interval == interval]
        tests = [_expected(case, *what) for case in cases for what in ((case.fires, 1), (case.quiet, 0))]
        content = {"rule_files": list(map(str, RULES)), "evaluation_interval": interval, "tests": tests}
        paths.append(tmp_path / f"{interval}.yml")
        paths[-1].write_text(yaml.safe_dump(content))
    done = subprocess.run([str(PROMTOOL), "test", "rules", *paths], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested() -> None:
    assert {case.alert for case in CASES} == {rule["alert"] for rule in alerts()}


@needs_promtool
def test_every_expression_is_understood() -> None:
    done = subprocess.run([str(PROMTOOL), "check", "rules", *RULES], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    named = {rule["annotations"]["runbook"]: rule["alert"] for rule in alerts()}
    written = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in ROOT.glob("docs/runbooks/*.md")
    }
    assert named.keys() == written.keys()
    for path, text in written.items():
        headings = re.findall(r"^#+ .*$", text, re.MULTILINE)
        assert headings == [f"# {named[path]}", "## What to look at", "## What to do"], path


def test_every_alert_says_whom_it_concerns_and_why() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
