"""Hot endpoints of counters."""

import json
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from common.stores.guarded import TRUTH, WRITE_STORE
from common.text.exactjson import rfc3339
from common.text.uuids import EXAMPLE_UUID, parse_uuid
from counters.errors import CounterFull
from counters.parsing import parse_increment, parse_increments
from counters.selectors import read_counters
from counters.services import increment_counters
from counters.types import MAX_VALUE, Counted, CounterValue, Submission
from gateway.contract.http import HotRequest, Reply
from gateway.endpoints.hot import HotEndpoint, register
from gateway.keys.scopes import KeyScope


@extend_schema_serializer(examples=[OpenApiExample("One", {"key": EXAMPLE_UUID, "value": 1})])
class IncrementSerializer(serializers.Serializer[None]):
    key = serializers.UUIDField()
    value = serializers.IntegerField(min_value=1, max_value=MAX_VALUE)


class IncrementResultSerializer(serializers.Serializer[None]):
    status = serializers.ChoiceField(choices=["added", "refused"])
    code = serializers.CharField(required=False, help_text="Why it was refused; only this increment was.")


class CounterSerializer(serializers.Serializer[None]):
    key = serializers.UUIDField()
    value = serializers.IntegerField(help_text="Everything that was ever added.")
    pending = serializers.IntegerField(help_text="The part of it that is not in the database yet.")
    as_of = serializers.DateTimeField(help_text="The database holds all that was added before.")


def parse_one(request: HotRequest) -> Submission:
    return Submission([parse_increment(request.body)], request.idempotency)


def reply_counted(request: HotRequest, counted: Counted) -> Reply:
    if counted.outcomes == b"0":
        raise CounterFull
    return Reply(200)


def parse_bulk(request: HotRequest) -> Submission:
    return Submission(parse_increments(request.body), request.idempotency)


_RESULTS = {
    ord("1"): b'{"status": "added"}',
    ord("0"): b'{"status": "refused", "code": "%s"}' % CounterFull.code.encode(),
}


def reply_bulk(request: HotRequest, counted: Counted) -> Reply:
    return Reply(200, b"[%s]" % b", ".join([_RESULTS[outcome] for outcome in counted.outcomes]))


def parse_key(request: HotRequest) -> UUID:
    return parse_uuid(request.param, "key")


def reply_value(request: HotRequest, counter: CounterValue) -> Reply:
    body = {
        "key": str(counter.key),
        "value": counter.value,
        "pending": counter.pending,
        "as_of": rfc3339(counter.as_of, "milliseconds"),
    }
    return Reply(200, json.dumps(body).encode())


register(
    HotEndpoint(
        name="increment",
        method="POST",
        path="/increment",
        needs=KeyScope.COUNTERS_WRITE,
        parse=parse_one,
        run=increment_counters,
        reply=reply_counted,
        store=TRUTH,
        body_limit_bytes=4_096,
        request_serializer=IncrementSerializer,
        responses={200: None},
        description="Add to one counter. 200: it is on disk, and counted once.",
    ),
    HotEndpoint(
        name="increments",
        method="POST",
        path="/increments",
        needs=KeyScope.COUNTERS_WRITE,
        parse=parse_bulk,
        parses_on_thread=True,  # 10,000 increments take 20 ms, which the event loop does not have
        run=increment_counters,
        reply=reply_bulk,
        store=TRUTH,
        batch_limit=4,
        in_flight_limit=64,  # bodies of up to 2 MiB
        body_limit_bytes=2 * 2**20,
        request_serializer=IncrementSerializer(many=True),
        responses={200: IncrementResultSerializer(many=True)},
        description="Add to up to 10,000 counters; each is added or refused by itself, and answered in order.",
    ),
    HotEndpoint(
        name="read_counter",
        method="GET",
        path="/counters/{key}",
        needs=KeyScope.READ,
        parse=parse_key,
        run=read_counters,
        reply=reply_value,
        store=WRITE_STORE,
        responses={200: CounterSerializer},
        description="The exact sum of everything that was ever added.",
    ),
)
