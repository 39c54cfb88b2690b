"""The admin as a person uses it: finding timestamps, looking at tables, trying dead letters again."""

import json
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.timestamps import CORRELATION_ID, append, empty_everything, put_entry
from timestamps.consumer.consuming import consume_log
from timestamps.models import DeadLetter, DeadLetterState, RecordTable, TableState
from timestamps.replay.replays import start_replay

ADMIN = "/admin/timestamps"
FIND = f"{ADMIN}/recordtable/find/"
OTHER = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def people(transactional_db: None, client: Client, settings: Settings, tmp_path: Path) -> Client:
    settings.ARCHIVE_URL = str(tmp_path / "archive")
    empty_everything()
    client.force_login(User.objects.create_superuser("ada"))
    return client


def text(client: Client, address: str, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200, (address, answer.content[-300:])
    return re.sub(r"\s+", " ", answer.content.decode())


def test_timestamps_are_found_by_id_and_by_correlation_id(people: Client) -> None:
    first, second = append(2)
    [third] = append(1, OTHER)
    consume_log()
    by_id = text(people, FIND, id=str(first))
    assert str(first) in by_id
    assert CORRELATION_ID in by_id
    assert str(second) not in by_id
    by_correlation_id = text(people, FIND, id=CORRELATION_ID)
    assert str(first) in by_correlation_id
    assert str(second) in by_correlation_id
    assert str(third) not in by_correlation_id


def test_what_waits_is_found_by_id(people: Client) -> None:
    [waiting] = append(1)
    assert "waits" in text(people, FIND, id=str(waiting))


def test_finding_explains_a_bad_and_an_unknown_id(people: Client) -> None:
    assert "This is no id" in text(people, FIND, id="7")
    assert "No timestamp has this id" in text(people, FIND, id=OTHER)


def test_tables_and_dead_letters_are_shown(people: Client) -> None:
    put_entry({"command_id": b"\xff", "event_timestamp": "yesterday"})
    consume_log()
    letter = DeadLetter.objects.get()
    place = str(letter.position)
    assert place.endswith("-0")
    assert place in (shown := text(people, f"{ADMIN}/recordtable/"))
    assert "live" in shown
    assert place in text(people, f"{ADMIN}/recordtable/1/change/")
    assert place in (shown := text(people, f"{ADMIN}/deadletter/"))
    assert "command_id is malformed" in shown
    assert place in (shown := text(people, f"{ADMIN}/deadletter/{letter.pk}/change/"))
    assert "yesterday" in shown


def test_a_table_says_from_where_it_was_replayed(people: Client) -> None:
    append(2)
    consume_log()
    first = RecordTable.objects.get().position
    assert "the log&#x27;s beginning" in text(people, f"{ADMIN}/recordtable/1/change/")
    start_replay("late", first.before())
    assert f"{first}; the records before are copies" in text(people, f"{ADMIN}/recordtable/2/change/")


def test_without_a_live_table_a_retry_says_so(people: Client) -> None:
    put_entry({"command_id": "1"})
    consume_log()
    RecordTable.objects.all().delete()
    assert "being restored" in text(people, FIND, id=OTHER)
    page = f"{ADMIN}/deadletter/{DeadLetter.objects.get().pk}/retry/"
    answer = people.post(page, {"_form_submitted": "True"}, follow=True)
    assert "No table of records is live" in answer.content.decode()


def test_a_dead_letter_is_tried_again(people: Client) -> None:
    put_entry({"command_id": "1"})
    consume_log()
    letter = DeadLetter.objects.get()
    page = f"{ADMIN}/deadletter/{letter.pk}"
    assert "Try again" in text(people, f"{page}/change/")
    answer = people.post(f"{page}/retry/", {"_form_submitted": "True"}, follow=True)
    assert "It is still refused." in answer.content.decode()
    fields = {"command_id": OTHER, "event_timestamp": "2018-08-04T05:32:31Z", "correlation_id": OTHER}
    DeadLetter.objects.update(fields=json.dumps(fields))
    answer = people.post(f"{page}/retry/", {"_form_submitted": "True"}, follow=True)
    assert "It is a record now." in answer.content.decode()
    assert DeadLetter.objects.get().state == DeadLetterState.RETRIED
    assert "Try again" not in text(people, f"{page}/change/")


def test_a_replay_is_cancelled_once(people: Client) -> None:
    append(1)
    consume_log()
    page = f"{ADMIN}/recordtable/2"
    assert start_replay("again").number == 2
    assert "Cancel the replay" in text(people, f"{page}/change/")
    answer = people.post(f"{page}/cancel/", {"_form_submitted": "True"}, follow=True)
    assert "The replay is cancelled." in answer.content.decode()
    assert RecordTable.objects.get(pk=2).state == TableState.RETIRED
    assert "Cancel the replay" not in text(people, f"{page}/change/")
    answer = people.post(f"{page}/cancel/", {"_form_submitted": "True"}, follow=True)
    assert "nothing to cancel" in answer.content.decode()
