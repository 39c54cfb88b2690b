"""Hot endpoints of promotions."""

import hashlib
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from common.errors import NotFound
from common.stores.guarded import CACHE, READ_STORE
from common.text.fields import Field, kind, read_query
from common.text.uuids import EXAMPLE_UUID, HYPHENATED_UUID, parse_uuid
from gateway.contract.http import HotRequest, Reply
from gateway.endpoints.hot import HotEndpoint, Recall, register
from gateway.keys.scopes import KeyScope
from gateway.views.openapi import CONDITIONAL, NOT_MODIFIED
from promotions.serving.selectors import (
    find_promotion_lists,
    find_promotions,
    recall_promotion_lists,
    recall_promotions,
)
from promotions.types import Found, FoundList

LIST_MAX_IDS = 100
LISTS_BATCH = 20  # of 100 ids each, so that a batch takes some 50 ms at most
NOTHING_PUBLISHED = "No promotions are published yet."


class PromotionSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField()
    price = serializers.FloatField(help_text="Rounded half-up to 2 places.")
    expiration_date = serializers.DateTimeField(help_text="RFC 3339 in UTC.")


class PromotionListSerializer(serializers.Serializer[None]):
    version = serializers.IntegerField(help_text="The data version that answered all of them.")
    promotions = PromotionSerializer(many=True, help_text="In the order of `ids`.")
    missing = serializers.ListField(child=serializers.UUIDField(), help_text="Ids that the version does not have.")


def parse_id(request: HotRequest) -> UUID:
    return parse_uuid(request.param, "id")


def parse_ids(request: HotRequest) -> tuple[UUID, ...]:
    ids: tuple[UUID, ...] = read_query(request.query_string, {"ids": Field(_ids)})["ids"]
    return ids


@kind(type="string", description="One to a hundred ids with commas between.")
def _ids(text: Any) -> tuple[UUID, ...]:
    """Raises ValueError."""
    texts = text.split(",")
    if len(texts) > LIST_MAX_IDS:
        raise ValueError(
            f"Must be at most {LIST_MAX_IDS} ids, not {len(texts)}; ask for the others in another request."
        )
    for number, one in enumerate(texts, 1):
        if not HYPHENATED_UUID.fullmatch(one):
            sentence = (
                f"Must be hyphenated UUIDs like {EXAMPLE_UUID}, with commas between them; number {number} is none."
            )
            raise ValueError(sentence)
    ids = tuple(map(UUID, texts))
    if twice := next((one for number, one in enumerate(ids) if one in ids[:number]), None):
        raise ValueError(f"Must name each id once; {twice} comes twice.")
    return ids


def reply_promotion(request: HotRequest, found: Found) -> Reply:
    """The promotion, or 304 when the client has it already."""
    if not found.version:
        raise NotFound(NOTHING_PUBLISHED)
    if found.body is None:
        raise NotFound(f"There is no promotion {request.param.lower()} in version {found.version}.")
    return _reply(request, found.version, found.body)


def reply_promotions(request: HotRequest, found: FoundList) -> Reply:
    """What the version has of them and what it has not, or 304."""
    if not found.version:
        raise NotFound(NOTHING_PUBLISHED)
    missing = ", ".join(f'"{row_id}"' for row_id in found.missing).encode()
    body = b'{"version": %d, "promotions": [%b], "missing": [%b]}' % (found.version, b", ".join(found.bodies), missing)
    return _reply(request, found.version, body)


def _reply(request: HotRequest, version: int, body: bytes) -> Reply:
    etag = b'"%s"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode()
    headers = ((b"etag", etag), (b"x-data-version", b"%d" % version), (b"cache-control", b"no-cache"))
    if _matches(request.fields.get(b"if-none-match"), etag):
        return Reply(304, b"", headers)
    return Reply(200, body, headers)


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
        needs=KeyScope.READ,
        parse=parse_id,
        recall=Recall(run=recall_promotions, store=CACHE),
        run=find_promotions,
        reply=reply_promotion,
        store=READ_STORE,
        answers_without_store=True,
        reserved=frozenset({"versions"}),
        responses={200: PromotionSerializer, **NOT_MODIFIED},
        parameters=CONDITIONAL,
        description="One promotion of the live version, which X-Data-Version names.",
    ),
    HotEndpoint(
        name="find_promotions",
        method="GET",
        path="/promotions",
        needs=KeyScope.READ,
        parse=parse_ids,
        recall=Recall(run=recall_promotion_lists, store=CACHE),
        run=find_promotion_lists,
        reply=reply_promotions,
        store=READ_STORE,
        answers_without_store=True,
        batch_limit=LISTS_BATCH,
        responses={
            200: PromotionListSerializer,
            **NOT_MODIFIED,
            404: OpenApiResponse(description=NOTHING_PUBLISHED),
        },
        parameters=(
            OpenApiParameter("ids", required=True, description=f"Up to {LIST_MAX_IDS} ids, with commas between them."),
            *CONDITIONAL,
        ),
        description="Several promotions at once, all of the live version, which X-Data-Version names.",
    ),
)
