"""What scrapes and probes learn of the buffer and of flushes."""

import pytest
from django.conf import settings as project
from prometheus_client.metrics_core import Metric

from common.stores import valkey
from counters import buffer, flushing
from counters.errors import CountersAreStale
from counters.flushing import flush_counters
from counters.health import staleness_seconds
from counters.lateness import flush_if_late
from counters.metrics import buffer_metrics, flush_metrics
from tests.counters import committed, count, of_one_shard, pending, persisted

pytestmark = committed


def samples() -> dict[str, float]:
    families: list[Metric] = [*buffer_metrics(), *flush_metrics()]
    return {sample.name.removeprefix("floodgate_counters_"): sample.value for f in families for sample in f.samples}


def make_older(seconds: float, shard: int = 0) -> None:
    """As if the open segment of the shard had begun this much earlier."""
    name = valkey.key("counters", f"pending:{open_segment(shard)}")
    valkey.truth().hincrby(name, "since", -round(seconds * 1000))


def open_segment(shard: int) -> str:
    found = valkey.truth().lindex(valkey.key("counters", f"generations:{shard}"), -1)
    assert isinstance(found, bytes)
    return found.decode()


def test_backlog_and_flushes_are_exact() -> None:
    assert set(samples().values()) == {0}
    count(dict.fromkeys(range(20), 1))
    assert samples()["pending_keys"] == 20
    flush_counters()
    count(dict.fromkeys(range(5), 1))
    found = samples()
    assert (found["pending_keys"], found["flushed_rows_total"]) == (5, 20)
    assert found["flush_seconds_count"] == min(20, buffer.SHARDS)
    assert 0 < found["flush_seconds_sum"] < 10


def test_staleness_is_the_age_of_the_oldest_delta() -> None:
    (old,), (young,) = of_one_shard(1), of_one_shard(1, 1)
    count({old: 1, young: 1})
    make_older(5)
    assert samples()["staleness_seconds"] == pytest.approx(5, abs=1)
    assert staleness_seconds() == pytest.approx(5, abs=1)
    flush_counters()
    assert samples()["staleness_seconds"] == staleness_seconds() == 0


def test_readiness_warns_past_ten_seconds() -> None:
    count(dict.fromkeys(of_one_shard(1), 1))
    make_older(8)
    assert staleness_seconds() >= 8
    make_older(3)
    with pytest.raises(CountersAreStale):
        staleness_seconds()


def test_delta_stays_stale_until_its_segment_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    count(dict.fromkeys(of_one_shard(1), 1))
    make_older(11)
    ages: list[float] = []
    monkeypatch.setattr(flushing, "drop_segment", lambda *args: ages.append(buffer.read_backlog().age_seconds))
    flush_counters()
    assert ages[0] > 11


def test_watchdog_flushes_only_what_is_late() -> None:
    (number,) = of_one_shard(1)
    count({number: 1})
    flush_if_late()
    assert pending() == {number: 1}
    make_older(6)
    flush_if_late()
    assert (pending(), persisted()) == ({}, {number: 1})


def test_wakeups_that_nobody_takes_expire_within_their_beat() -> None:
    schedule = project.CELERY_BEAT_SCHEDULE
    flushers = [entry for entry in schedule.values() if entry["task"] == "counters.flush"]
    assert len(flushers) == project.FLUSH_WORKERS
    assert all(entry["schedule"] == 2.0 for entry in flushers)
    ours = [*flushers, *(entry for entry in schedule.values() if entry["task"] == "counters.prune")]
    assert len(ours) > len(flushers)
    assert all(0 < entry["options"]["expires"] <= entry["schedule"] for entry in ours)
    assert {entry["options"]["queue"] for entry in ours} == {"flush"}
