"""Hot endpoints of timestamps."""

import json
from collections.abc import Callable

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema_serializer
from rest_framework import serializers

from common.stores.guarded import TRUTH, WRITE_STORE
from common.stores.valkey import PATIENT_TIMEOUT_SECONDS
from common.text.rfc3339 import EXAMPLE_INSTANT
from common.text.uuids import parse_uuid
from gateway.contract.http import HotRequest, Reply
from gateway.endpoints.hot import HotEndpoint, register
from gateway.keys.scopes import KeyScope
from timestamps.ids import ids_from
from timestamps.instants import now
from timestamps.parsing import parse_instant, parse_instants, parse_wait, refuse_instant
from timestamps.selectors import read_timestamps
from timestamps.services import append_timestamps
from timestamps.types import Appended, Query, Submission, Timestamp


class TicketSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField(help_text="Of the timestamp: read it under this id from now on.")


@extend_schema_serializer(examples=[OpenApiExample("Several", [EXAMPLE_INSTANT])])
class InstantsSerializer(serializers.ListSerializer[None]):
    child = serializers.DateTimeField()


class TimestampSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField()
    command_id = serializers.UUIDField(help_text="The same.")
    event_timestamp = serializers.DateTimeField(help_text="The instant that was sent, in UTC.")
    created_at = serializers.DateTimeField(allow_null=True, help_text="null until it is in the database.")


WAIT = OpenApiParameter(
    "wait", float, description="Seconds, at most 10, to wait until it is in the database and has its created_at."
)


def parse_path(request: HotRequest) -> Submission:
    refuse_instant(request.body)
    return Submission([parse_instant(request.param, "timestamp")], request.correlation_id, request.idempotency)


def parse_now(request: HotRequest) -> Submission:
    refuse_instant(request.body)
    return Submission([now()], request.correlation_id, request.idempotency)


def parse_bulk(request: HotRequest) -> Submission:
    return Submission(parse_instants(request.body), request.correlation_id, request.idempotency)


def reply_ticket(request: HotRequest, appended: Appended) -> Reply:
    command_id = str(appended.first_id)
    location = f"/api/v1/timestamp/{command_id}".encode()
    return Reply(200, f'{{"id": "{command_id}"}}'.encode(), ((b"location", location),))


def reply_bulk(request: HotRequest, appended: Appended) -> Reply:
    items = ", ".join([f'{{"id": "{command_id}"}}' for command_id in ids_from(appended.first_id, appended.count)])
    return Reply(200, f"[{items}]".encode())


def parse_query(request: HotRequest) -> Query:
    return Query(parse_uuid(request.param, "id"), parse_wait(request.query_string), request.correlation_id)


def seconds_to_wait(query: Query, timestamp: Timestamp) -> float:
    return query.wait_seconds if timestamp.created_at is None else 0.0


def reply_timestamp(request: HotRequest, timestamp: Timestamp) -> Reply:
    body = {
        "id": str(timestamp.command_id),
        "command_id": str(timestamp.command_id),
        "event_timestamp": timestamp.event_timestamp,
        "created_at": timestamp.created_at,
    }
    return Reply(200, json.dumps(body).encode())


def _append_endpoint(
    name: str, path: str, parse: Callable[[HotRequest], Submission], description: str
) -> HotEndpoint[Submission, Appended]:
    return HotEndpoint(
        name=name,
        description=description,
        method="POST",
        path=path,
        needs=KeyScope.TIMESTAMPS_WRITE,
        parse=parse,
        run=append_timestamps,
        reply=reply_ticket,
        store=TRUTH,
        body_limit_bytes=4_096,
        responses={200: TicketSerializer},
    )


register(
    _append_endpoint(
        "append_timestamp", "/api/v1/timestamp/{timestamp}", parse_path, "Append the instant in the path to the log."
    ),
    _append_endpoint("append_now", "/api/v1/timestamp", parse_now, "Append the server's instant of now to the log."),
    _append_endpoint("append_app", "/app", parse_now, "The same as `POST /api/v1/timestamp`."),
    HotEndpoint(
        name="append_timestamps",
        description="Append many instants to the log in one step: all or none.",
        method="POST",
        path="/api/v1/timestamps",
        needs=KeyScope.TIMESTAMPS_WRITE,
        parse=parse_bulk,
        parses_on_thread=True,  # 10,000 instants take longer than the event loop has
        run=append_timestamps,
        reply=reply_bulk,
        store=TRUTH,
        batch_limit=1,  # each may hold the truth store up for 100 ms
        batch_seconds=PATIENT_TIMEOUT_SECONDS,
        in_flight_limit=64,  # bodies of up to 1 MiB
        body_limit_bytes=2**20,
        request_serializer=InstantsSerializer(),
        responses={200: TicketSerializer(many=True)},
    ),
    HotEndpoint(
        name="read_timestamp",
        description="An instant by the id that was handed out for it.",
        method="GET",
        path="/api/v1/timestamp/{timestamp}",
        needs=KeyScope.READ,
        parse=parse_query,
        run=read_timestamps,
        reply=reply_timestamp,
        store=WRITE_STORE,
        answers_without_store=True,  # what waits in the log
        asks_again_for=seconds_to_wait,
        parameters=(WAIT,),
        responses={200: TimestampSerializer},
    ),
)
