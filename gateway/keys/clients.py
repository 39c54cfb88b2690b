"""Who sends a request: its address, and the account of its API key.

Behind a trusted proxy the address is the right-most one of X-Forwarded-For that is no trusted proxy itself: what stands
further left was written by the client. It ends at a hop that cannot be read, with the address right of it.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from django.conf import settings

from common.network.addresses import LONGEST_ADDRESS, network_of, normal_address
from gateway.contract.headers import Fields
from gateway.contract.http import Scope
from gateway.errors import InsufficientScope, Unauthorized
from gateway.keys.apikeys import KEYS
from gateway.keys.scopes import ALL_SCOPES, KeyScope

ACCOUNT_HEADER = b"x-floodgate-account"  # from the gateway to Django
LONGEST_HOP = LONGEST_ADDRESS + len('"[]:65535"')
# [IPv6] with or without a port, IPv4 with a port, or an address alone.
_HOP = re.compile(
    r'(?P<quote>"?)(?:\[([^\]]*:[^\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}|([^\[\]"]+))(?P=quote)', re.ASCII
)


class Client(NamedTuple):
    """Attributes: address: IP address; account: that of its API key, empty without one; scopes: of that key."""

    address: str
    account: str = ""
    scopes: Collection[str] = ALL_SCOPES

    @property
    def name(self) -> str:
        """Whom limits count: the account, else the address; of an IPv6 address the prefix, as one user has 2^64.

        No account looks like an address (``ApiKey.name``).
        """
        return self.account or network_of(self.address)

    def require(self, needed: KeyScope | None) -> None:
        """Raises InsufficientScope."""
        if needed is not None and needed not in self.scopes:
            raise InsufficientScope(needed.value)


def account_of(headers: Mapping[str, str]) -> str:
    """Of a request in Django, as the gateway says: the account of its API key, empty without one."""
    return headers.get(ACCOUNT_HEADER.decode(), "")


async def identify(peer: str, fields: Fields, *, is_public: bool) -> Client:
    """The client of a request from ``peer``. Without a key it may do all, where keys are optional.

    Raises: Unauthorized: its key is wrong, or it has none where one is required; StoreUnavailable: keys can't be read.
    """
    client = identify_now(peer, fields, is_public=is_public)
    if client is None:
        grant = await KEYS.grant_of(fields[b"authorization"])
        client = Client(client_address(peer, fields), grant.account, grant.scopes)
    return client


def identify_now(peer: str, fields: Fields, *, is_public: bool) -> Client | None:
    """The same without waiting; None where its key must be read first. Raises Unauthorized."""
    authorization = fields.get(b"authorization")
    if authorization is not None:
        grant = KEYS.known_grant(authorization)
        return Client(client_address(peer, fields), grant.account, grant.scopes) if grant else None
    if settings.API_KEYS_REQUIRED and not is_public:
        raise Unauthorized
    return Client(client_address(peer, fields))


def client_address(peer: str, fields: Fields) -> str:
    """IP address of whoever the trusted proxies forward for; never a text that is no address."""
    forwarded = fields.get(b"x-forwarded-for") if _is_proxy(peer) else None
    return _farthest_known(peer, forwarded.decode("latin-1")) if forwarded else peer


def scheme_of(scope: Scope, fields: Fields) -> str:
    """http or https, as the client asked for it: what a trusted proxy says, the nearest of several."""
    said = fields.get(b"x-forwarded-proto", b"") if _is_proxy(peer_of(scope)) else b""
    scheme = said.rpartition(b",")[2].strip().lower().decode("latin-1")
    return scheme if scheme in ("http", "https") else scope.get("scheme", "http")


def peer_of(scope: Scope) -> str:
    """IP address of the other end of the connection; empty where there is none."""
    peer: str = (scope.get("client") or ("",))[0]
    return peer


def _is_proxy(peer: str) -> bool:
    trusted: tuple[str, ...] = settings.TRUSTED_PROXIES
    return bool(trusted) and _is_trusted(normal_address(peer) or "", trusted)


def _farthest_known(peer: str, forwarded: str) -> str:
    """Proxies append, so this walks from the right, to the first that is no proxy or, before that, no address.

    What stands left of a hop that says nothing (``unknown``, an empty one) cannot be believed: nobody known wrote it.
    """
    address = peer
    for text in reversed(forwarded.split(",")):
        found = _hop(text.strip())
        if found is None:
            break
        address = found
        if not _is_trusted(address, settings.TRUSTED_PROXIES):
            break
    return address


def _hop(text: str) -> str | None:
    """The address of one hop, without the port, brackets and quotes that some proxies put around it."""
    match = _HOP.fullmatch(text) if len(text) <= LONGEST_HOP else None
    return normal_address(match[2] or match[3] or match[4]) if match else None


@lru_cache(16_384)
def _is_trusted(address: str, networks: tuple[str, ...]) -> bool:
    return bool(address) and any(ip_address(address) in ip_network(network) for network in networks)
