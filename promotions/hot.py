"""Hot endpoints of promotions."""

import hashlib
from uuid import UUID

from rest_framework import serializers

from common.stores import READ_STORE
from common.uuids import parse_uuid
from gateway.errors import NotFound
from gateway.hot import HotEndpoint, register
from gateway.http import HotRequest, Reply
from promotions.selectors import find_promotions
from promotions.types import Found


class PromotionSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField()
    price = serializers.FloatField(help_text="Rounded half-up to 2 places.")
    expiration_date = serializers.DateTimeField(help_text="RFC 3339 in UTC.")


def parse_id(request: HotRequest) -> UUID:
    return parse_uuid(request.param, "id")


def reply_promotion(request: HotRequest, found: Found) -> Reply:
    """The promotion, or 304 when the client has it already."""
    if not found.version:
        raise NotFound("No promotions are published yet.")
    if found.body is None:
        raise NotFound(f"There is no promotion {request.param.lower()} in version {found.version}.")
    etag = b'"%s"' % hashlib.blake2b(found.body, digest_size=12).hexdigest().encode()
    headers = ((b"etag", etag), (b"x-data-version", b"%d" % found.version), (b"cache-control", b"no-cache"))
    if _matches(request.header(b"if-none-match"), etag):
        return Reply(304, b"", headers)
    return Reply(200, found.body, headers)


def _matches(if_none_match: bytes | None, etag: bytes) -> bool:
    if if_none_match is None:
        return False
    candidates = (candidate.strip().removeprefix(b"W/") for candidate in if_none_match.split(b","))
    return any(candidate in (etag, b"*") for candidate in candidates)


register(
    HotEndpoint(
        name="find_promotion",
        method="GET",
        path="/promotions/{id}",
        parse=parse_id,
        run=find_promotions,
        reply=reply_promotion,
        store=READ_STORE,
        answers_without_store=True,
        reserved=frozenset({"versions"}),
        responses={200: PromotionSerializer},
        description="One promotion of the live version, which X-Data-Version names. 304 for an If-None-Match.",
    )
)
