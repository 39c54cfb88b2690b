"""DRF's door: what people and back offices ask for."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from common.errors import FloodgateError
from common.text.exactjson import rfc3339
from common.text.fields import Shape, read_fields, read_query
from common.text.jsonbody import load_json
from gateway.contract.csvform import CSV_TYPE, prefers_csv
from gateway.contract.refusals import refuse_body
from gateway.keys.clients import account_of
from gateway.keys.scopes import KeyScope
from gateway.views.drf import twin_of
from gateway.views.exactview import ExactView
from gateway.views.idempotent import idempotent
from gateway.views.strictview import query_of, reads_request_itself
from vouchers.admission.failedattempts import counted_lookup
from vouchers.codes.cancelling import cancel_generation
from vouchers.codes.creating import create_vouchers
from vouchers.codes.generating import submit_generation
from vouchers.hot import READ_VOUCHER
from vouchers.parsing import (
    GENERATION,
    MOVEMENT,
    PROFILE,
    REPORT,
    STATEMENT,
    VOUCHER,
    WHOLE_REPORT,
    check_place,
    check_window,
    read_phone_number,
    read_redemption_id,
    refuse_fields,
)
from vouchers.redemption.reversing import reverse_redemptions
from vouchers.selectors import (
    all_redemptions_of,
    generated_vouchers,
    read_generation,
    redemptions_of,
)
from vouchers.serializers import (
    GenerationSerializer,
    MovedSerializer,
    MovementSerializer,
    OrderedGenerationSerializer,
    ProfileSerializer,
    ReportQuerySerializer,
    ReportSerializer,
    ReversedRedemptionSerializer,
    StatementQuerySerializer,
    StatementSerializer,
    VoucherSerializer,
    WantedGenerationSerializer,
    WantedProfileSerializer,
    WantedVoucherSerializer,
)
from vouchers.types import Lookup, Movement, VoucherTerms
from vouchers.wallet.choice import wallets
from vouchers.wallet.wallets import move_money, open_profiles


def _answer(outcome: Any, status: int = 200) -> Response:
    """Raises: the outcome, when it is an error."""
    if isinstance(outcome, FloodgateError):
        raise outcome
    return Response(asdict(outcome), status=status)


class VouchersView(ExactView):
    """Vouchers one by one."""

    scopes = {"get": KeyScope.READ, "post": KeyScope.VOUCHERS_ADMIN}
    get = twin_of(READ_VOUCHER)

    @extend_schema(operation_id="create_voucher", request=WantedVoucherSerializer, responses={201: VoucherSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a voucher. Without a window it can be redeemed at once and for ever."""
        terms = VoucherTerms(**read_fields(request.data, VOUCHER))
        check_window(terms.starts_at, terms.expires_at)
        return _answer(create_vouchers([terms])[0], 201)


class GenerateView(ExactView):
    """Have many vouchers made, with random codes."""

    scopes = {"post": KeyScope.VOUCHERS_ADMIN}

    @extend_schema(
        operation_id="generate_vouchers",
        request=WantedGenerationSerializer,
        responses={202: OrderedGenerationSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        fields = read_fields(request.data, GENERATION)
        count = fields.pop("count")
        terms = VoucherTerms(code=fields.pop("prefix"), **fields)
        check_window(terms.starts_at, terms.expires_at)
        ordered = submit_generation(count, terms)
        where = reverse("generation", [ordered.id], request=request)
        return Response(asdict(ordered) | {"status_url": where}, status=202, headers={"Location": where})


class GenerationView(ExactView):
    """Where an order for vouchers stands."""

    scopes = {"get": KeyScope.READ}

    @extend_schema(operation_id="get_generation", responses=GenerationSerializer)
    def get(self, request: Request, generation_id: int) -> Response:
        return _answer(read_generation(generation_id))


class CancelGenerationView(ExactView):
    """Stop making vouchers. Those that exist stay."""

    scopes = {"post": KeyScope.OPERATE}
    parser_classes = []  # takes no body

    @extend_schema(operation_id="cancel_generation", request=None, responses=GenerationSerializer)
    @idempotent
    def post(self, request: Request, generation_id: int) -> Response:
        return _answer(cancel_generation(generation_id))


class GeneratedCodesView(ExactView):
    """The vouchers of an order that has ended, as CSV that import_vouchers takes."""

    scopes = {"get": KeyScope.VOUCHERS_ADMIN}

    @extend_schema(operation_id="get_generated_codes", responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR)})
    def get(self, request: Request, generation_id: int) -> StreamingHttpResponse:
        return _csv_answer(_csv_lines(generated_vouchers(generation_id)), f"vouchers-{generation_id}.csv")


def _csv_answer(content: Iterator[str] | Iterator[bytes], filename: str) -> StreamingHttpResponse:
    disposition = f'attachment; filename="{filename}"'
    return StreamingHttpResponse(content, content_type=CSV_TYPE, headers={"Content-Disposition": disposition})


def _csv_lines(rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    """No value can need quotes."""
    yield "code,amount,limit,starts_at,expires_at\n"
    for code, amount, limit, *window in rows:
        instants = ("" if instant is None else rfc3339(instant) for instant in window)
        yield ",".join([code, str(amount), str(limit), *instants]) + "\n"


class ReportView(ExactView):
    """Live redemptions of a voucher in the order in which they were made: a page, or for `Accept: text/csv` all of
    them. The fields come as query or as JSON body.
    """

    scopes = {"get": KeyScope.VOUCHERS_ADMIN}

    @reads_request_itself
    @extend_schema(
        operation_id="report_redemptions",
        parameters=[ReportQuerySerializer],
        responses={
            (200, "application/json"): ReportSerializer,
            (200, "text/csv"): OpenApiResponse(
                OpenApiTypes.STR, "All of them, a line each under a header; `limit`, `offset` and `cursor` are refused."
            ),
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        answer = _whole_report if prefers_csv(request.headers.get("Accept", "").encode("latin-1")) else _page_of_report
        response = answer(request)
        response["Vary"] = "Accept"
        return response


def _page_of_report(request: Request) -> HttpResponseBase:
    fields = _fields(request, REPORT)
    check_place(fields["offset"], fields["cursor"])
    code = fields["code"]
    with counted_lookup(_lookup(request, code)):
        page = redemptions_of(code, limit=fields["limit"], offset=fields["offset"] or 0, after=fields["cursor"])
    return Response({"length": len(page.redemptions), **asdict(page)})


def _whole_report(request: Request) -> HttpResponseBase:
    code = _fields(request, WHOLE_REPORT)["code"]
    with counted_lookup(_lookup(request, code)):
        pieces = all_redemptions_of(code)
    return _csv_answer(pieces, f"redemptions-{code}.csv")


def _lookup(request: Request, code: str) -> Lookup:
    return Lookup(code, account_of(request.headers), request.META.get("REMOTE_ADDR", ""))


def _fields(request: Request, shape: Shape) -> dict[str, Any]:
    query, body = query_of(request), request.body
    if query:
        refuse_body(body, "Must be empty where the fields come in the query.")
    return read_fields(load_json(body), shape) if body and not query else read_query(query, shape)


class ReverseView(ExactView):
    """Take a redemption back: its place is free again, and the amount leaves the wallet."""

    scopes = {"post": KeyScope.VOUCHERS_ADMIN}

    @extend_schema(operation_id="reverse_redemption", request=None, responses=ReversedRedemptionSerializer)
    @idempotent
    def post(self, request: Request, redemption_id: str) -> Response:
        refuse_fields(request.data)
        return _answer(reverse_redemptions([read_redemption_id(redemption_id)])[0])


class ProfilesView(ExactView):
    """Open a profile, with a balance or empty."""

    scopes = {"post": KeyScope.WALLET_ADMIN}

    @extend_schema(operation_id="open_profile", request=WantedProfileSerializer, responses=ProfileSerializer)
    @idempotent
    def post(self, request: Request) -> Response:
        wallets().refuse_elsewhere()
        fields = read_fields(request.data, PROFILE)
        return _answer(open_profiles([Movement(fields["phone_number"], fields["balance"])])[0])


class TransactionsView(ExactView):
    """Deposit, or with a negative amount withdraw."""

    scopes = {"post": KeyScope.WALLET_ADMIN}

    @extend_schema(operation_id="move_money", request=MovementSerializer, responses=MovedSerializer)
    @idempotent
    def post(self, request: Request) -> Response:
        wallets().refuse_elsewhere()
        return _answer(move_money([Movement(**read_fields(request.data, MOVEMENT))])[0])


class StatementView(ExactView):
    """A user's transfers, the newest first."""

    scopes = {"get": KeyScope.READ}
    queries = {"get": STATEMENT}

    @extend_schema(operation_id="read_statement", parameters=[StatementQuerySerializer], responses=StatementSerializer)
    def get(self, request: Request, phone_number: str) -> Response:
        user = read_phone_number(phone_number)
        return Response(asdict(wallets().read_statement(user, limit=self.query["limit"], before=self.query["cursor"])))
