"""What ``verify_log`` proves, and what it names when it is not so."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from common.stores import valkey
from tests.timestamps import append, committed, pretend_all_is_persisted
from timestamps.consumer.consuming import consume_log
from timestamps.log import archive, stream
from timestamps.log.archiving import archive_step
from timestamps.log.verifying import verify_log
from timestamps.metrics import archive_metrics
from timestamps.types import START

pytestmark = committed


@pytest.fixture(autouse=True)
def archived(settings: Settings) -> None:
    """Three segments of 10; the last is still in the stream, with 4 entries more."""
    settings.TIMESTAMPS_SEGMENT_ENTRIES = 10
    append(20)
    consume_log()
    archive_all()
    append(14)
    archive_all()


def archive_all() -> None:
    while archive_step():
        pass


def file(ending: str, number: int) -> Path:
    (found,) = Path(settings.ARCHIVE_URL).glob(f"{number:012d}{ending}")
    return found


def problem() -> str:
    [found] = verify_log().problems
    return found


def test_whole_log_is_proved_with_its_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert stream.length() == 14
    call_command("verify_log")
    assert capsys.readouterr().out == "The log is whole: 3 segments with 30 entries, and 4 more in the stream\n"


def test_empty_log_is_whole(tmp_path: Path, settings: Settings) -> None:
    settings.ARCHIVE_URL = str(tmp_path / "empty")
    valkey.truth().flushdb()
    assert verify_log() == (0, 0, 0, [], [])


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_flipped_byte_is_named_and_all_else_is_looked_at(number: int, share: float) -> None:
    broken = file("-*.zst", number)
    content = bytearray(broken.read_bytes())
    content[int(len(content) * share)] ^= 0x40
    broken.write_bytes(content)
    verdict = verify_log()
    assert (verdict.segments, verdict.archived) == (3, 20)
    assert [broken.name in problem for problem in verdict.problems] == [True]
    with pytest.raises(CommandError, match=broken.name):
        call_command("verify_log")


def change_manifest(which: int, **members: object) -> None:
    path = file(".json", which)
    path.write_text(json.dumps(json.loads(path.read_text()) | members))


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (lambda: file("-*.zst", 2).unlink(), "Segment 000000000002-.* is missing"),
        (lambda: change_manifest(1, sha256="0" * 64), "Segment 000000000001-.* SHA-256"),
        (lambda: change_manifest(3, entries=9, total_entries=29), "Segment 000000000003-.* other entries"),
        (lambda: change_manifest(3, total_entries=31), "Manifest 3 does not go on"),
        (lambda: change_manifest(3, number=7), "Manifest 3 says that it is manifest 7"),
        (lambda: file(".json", 3).write_text("{"), "Manifest 000000000003.json cannot be read"),
        (lambda: file(".json", 2).unlink(), "Manifest 000000000002.json is missing"),
    ],
)
def test_each_kind_of_damage_is_named(breaks: Callable[[], None], says: str) -> None:
    breaks()
    assert any(re.search(says, text) for text in verify_log().problems)


def test_lost_manifest_of_what_the_stream_still_has_is_no_loss() -> None:
    file(".json", 3).unlink()
    assert verify_log() == (2, 20, 14, [], [])


def test_segment_that_was_made_anew_breaks_the_chain() -> None:
    """Its own hashes may fit; the manifest after it knows better."""
    change_manifest(1, previous_sha256="1" * 64)
    assert "Manifest 1 is not the one that manifest 2 was made after" in problem()


def test_gap_between_archive_and_stream_is_named() -> None:
    for path in Path(settings.ARCHIVE_URL).glob("00000000000[23]*"):
        path.unlink()
    assert "and the stream begins only after" in problem()


def test_entry_that_only_the_stream_has_is_named() -> None:
    first = stream.oldest_after(START)
    found = archive.current().manifest(3)
    assert first == found.first
    valkey.truth().xdel(stream.stream_key(), str(found.first))
    assert verify_log().problems == []  # the archive has it
    valkey.truth().set(stream.prefix() + "trimmed", "0-0")
    assert verify_log().problems == []


def test_mark_within_a_segment_is_named() -> None:
    found = archive.current().manifest(3)
    valkey.truth().set(stream.prefix() + "trimmed", str(found.first))
    assert "no segment's end" in problem()


def test_metrics_tell_the_size_of_the_archive() -> None:
    values = {metric.name: metric.samples[0].value for metric in archive_metrics()}
    files = [file("-*.zst", number) for number in (1, 2, 3)]
    assert values["floodgate_timestamps_segment_bytes"] == sum(path.stat().st_size for path in files)
    assert values["floodgate_timestamps_archived_entries"] == 30
    assert values["floodgate_timestamps_segments"] == 3


def test_memory_of_the_stream_is_as_of_an_empty_one_after_50_000_entries(settings: Settings) -> None:
    def memory() -> int:
        return int(valkey.truth().memory_usage(stream.stream_key(), samples=0) or 0)

    consume_log()
    settings.TIMESTAMPS_SEGMENT_ENTRIES = 50_000
    settings.TIMESTAMPS_SEGMENT_SECONDS = 10_000
    fill(50_000 - stream.length())
    full = memory()
    assert full > 4_000_000
    pretend_all_is_persisted()
    archive_all()
    assert memory() < 20_000
    assert verify_log().problems == []


def fill(count: int) -> None:
    """As many entries of the usual size; the consumer's part is not measured here."""
    fields = {"command_id": "0" * 36, "event_timestamp": "2018-08-04T03:32:31.123456Z", "correlation_id": "0" * 36}
    for _ in range(0, count, 10_000):
        with valkey.truth().pipeline(transaction=False) as pipeline:
            for _ in range(10_000):
                pipeline.xadd(stream.stream_key(), fields)  # type: ignore[arg-type]
            pipeline.execute()
