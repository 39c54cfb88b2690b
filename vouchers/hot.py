"""Hot endpoints of vouchers and wallets."""

from dataclasses import asdict

from drf_spectacular.utils import OpenApiParameter

from common.stores.guarded import WRITE_STORE
from common.text.exactjson import dump_exactly, rfc3339
from common.text.fields import read_body, read_query
from gateway.contract.http import HotRequest, Reply
from gateway.endpoints.hot import HotEndpoint, register
from gateway.keys.scopes import KeyScope
from vouchers.admission.lookups import look_up_vouchers, refuse_known_lookup
from vouchers.parsing import BY_CODE, REDEEM, read_phone_number
from vouchers.redemption.screening import redeem_admitted, refuse_known
from vouchers.serializers import ProfileSerializer, RedeemSerializer, RedemptionSerializer, VoucherSerializer
from vouchers.types import Lookup, Redeem, Redeemed, VoucherState, Wallet
from vouchers.wallet.choice import read_wallets, wallets

REDEEM_BATCH = 500


def parse_redeem(request: HotRequest) -> Redeem:
    fields = read_body(request.body, REDEEM)
    address = "" if request.account else request.address
    item = Redeem(fields["code"], fields["phone_number"], request.idempotency, address, request.account)
    refuse_known(item)
    return item


def reply_redeemed(request: HotRequest, redeemed: Redeemed) -> Reply:
    """Written by hand, as every redemption passes here: none of the texts can need escaping."""
    body = (
        f'{{"id": "{redeemed.id}", "voucher_code": "{redeemed.voucher_code}", "redeemer": "{redeemed.redeemer}", '
        f'"amount": {redeemed.amount:f}, "state": "{redeemed.state}", "created_at": "{rfc3339(redeemed.created_at)}"}}'
    )
    return Reply(200, body.encode())


def parse_lookup(request: HotRequest) -> Lookup:
    item = Lookup(read_query(request.query_string, BY_CODE)["code"], request.account, request.address)
    refuse_known_lookup(item)
    return item


def reply_voucher(request: HotRequest, voucher: VoucherState) -> Reply:
    return Reply(200, dump_exactly(asdict(voucher)).encode())


def parse_phone_number(request: HotRequest) -> str:
    return read_phone_number(request.param)


def reply_profile(request: HotRequest, wallet: Wallet) -> Reply:
    return Reply(200, dump_exactly(asdict(wallet)).encode())


READ_VOUCHER = HotEndpoint(
    name="read_voucher",
    method="GET",
    path="/api/vouchers",
    needs=KeyScope.READ,
    parse=parse_lookup,
    run=look_up_vouchers,
    reply=reply_voucher,
    store=WRITE_STORE,
    has_view=True,
    responses={200: VoucherSerializer},
    parameters=(OpenApiParameter("code", required=True),),
    description="One voucher by its code, with the places that are free.",
)
register(
    HotEndpoint(
        name="redeem_voucher",
        method="POST",
        path="/api/vouchers/redeem",
        needs=KeyScope.VOUCHERS_REDEEM,
        parse=parse_redeem,
        run=redeem_admitted,
        reply=reply_redeemed,
        store=WRITE_STORE,
        batch_limit=REDEEM_BATCH,
        body_limit_bytes=4_096,
        request_serializer=RedeemSerializer,
        responses={200: RedemptionSerializer},
        description="Take a place of a voucher; the amount goes into the user's wallet, which is opened if needed.",
    ),
    READ_VOUCHER,
    HotEndpoint(
        name="read_profile",
        method="GET",
        path="/api/profiles/{phone_number}",
        needs=KeyScope.READ,
        parse=parse_phone_number,
        run=read_wallets,
        reply=reply_profile,
        store=wallets().store(),
        responses={200: ProfileSerializer},
        description="A user's wallet with its balance.",
    ),
)
