"""Whom the gateway takes a request to come from."""

import asyncio
from typing import Any

import pytest
from pytest_django import Settings

from gateway.contract.headers import fields_of
from gateway.contract.spool import new_spool
from gateway.endpoints.addresses import address_of
from gateway.errors import Unauthorized
from gateway.keys.clients import Client, client_address, identify, peer_of
from gateway.server.app import Exchange, _as_django_sees_it
from gateway.server.environ import wsgi_environ

PROXY = "10.0.0.1"


def client_of(asked: dict[str, Any], *, is_public: bool = False) -> Client:
    return asyncio.run(identify(peer_of(asked), fields_of(asked["headers"]), is_public=is_public))


def address_in(asked: dict[str, Any]) -> str:
    return client_address(peer_of(asked), fields_of(asked["headers"]))


def environ_of(asked: dict[str, Any]) -> dict[str, Any]:
    """What Django sees."""
    asked |= {"method": "GET", "raw_path": b"/imports", "query_string": b"", "http_version": "1"}
    exchange = Exchange("GET", address_of(asked), fields_of(asked["headers"]), 0.0, client=client_of(asked))
    with new_spool() as body:
        return wsgi_environ(_as_django_sees_it(asked, exchange), body, 0)


def scope(*forwarded: str, peer: str | None = PROXY, path: str = "/imports") -> dict[str, Any]:
    headers = [(b"host", b"localhost"), *((b"x-forwarded-for", value.encode("latin-1")) for value in forwarded)]
    return {"client": (peer, 4711) if peer is not None else None, "headers": headers, "path": path}


@pytest.fixture
def proxied(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize("forwarded", [(), ("203.0.113.9",), ("203.0.113.9", "198.51.100.7")])
def test_nobody_is_trusted_by_default(forwarded: tuple[str, ...]) -> None:
    assert address_in(scope(*forwarded)) == PROXY


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["1.2.3.4, 203.0.113.9"], "203.0.113.9"),  # the client wrote the left one
        (["1.2.3.4", "203.0.113.9 "], "203.0.113.9"),
        (["1.2.3.4, 203.0.113.9, 10.9.9.9, fd00::1"], "203.0.113.9"),
        (["10.7.7.7, 10.8.8.8"], "10.7.7.7"),  # a client inside the trusted network
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["2001:DB8:0::1%eth0"], "2001:db8::1"),
        ([], PROXY),
        # A port, and brackets around IPv6, as AWS, Azure and HAProxy write them.
        (["203.0.113.7:41234"], "203.0.113.7"),
        (["[2001:db8::1]:443"], "2001:db8::1"),
        (["[2001:db8::1]"], "2001:db8::1"),
        (['"[2001:db8::1]:443"'], "2001:db8::1"),
        (["203.0.113.7:41234, 10.9.9.9:80, [fd00::1]:80"], "203.0.113.7"),
        (["[::ffff:203.0.113.9]:1"], "203.0.113.9"),
        # A hop that says nothing ends the walk at the last one that is known.
        (["203.0.113.9, unknown, 10.9.9.9"], "10.9.9.9"),
        (["203.0.113.9, _hidden:80, 10.9.9.9:80, 10.8.8.8"], "10.9.9.9"),
        (["203.0.113.9, , 10.9.9.9"], "10.9.9.9"),
    ],
)
def test_address_is_the_right_most_that_is_no_proxy(forwarded: list[str], address: str) -> None:
    assert address_in(scope(*forwarded)) == address


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize(
    "garbage",
    [
        *("", ",", "unknown", "_hidden", "1.2.3.4, ", "\xff\xfe", "x" * 8_000, "1::" + "%" + "z" * 90),
        *(
            "1.2.3.4:http",
            "1.2.3.4:99999999",
            "[1.2.3.4]:80",
            "[2001:db8::1",
            "2001:db8::1]:443",
            '"1.2.3.4',
            "[]",
            "[:]:1",
        ),
        *("1.2.3.4:", ":80", "1.2.3.4:80:80", "unix:"),
    ],
)
def test_what_is_no_address_is_the_proxy_itself(garbage: str) -> None:
    assert address_in(scope(garbage)) == PROXY


@pytest.mark.usefixtures("proxied")
def test_stranger_cannot_choose_an_address() -> None:
    assert address_in(scope("203.0.113.9", peer="198.51.100.7")) == "198.51.100.7"


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize("peer", ["::ffff:10.0.0.1", "fd00::2%eth0"])
def test_proxy_is_known_in_any_spelling(peer: str) -> None:
    assert address_in(scope("203.0.113.9", peer=peer)) == "203.0.113.9"


@pytest.mark.usefixtures("proxied")
def test_connection_without_an_address_has_none() -> None:
    assert address_in(scope("203.0.113.9", peer=None)) == ""


@pytest.mark.parametrize(
    ("client", "name"),
    [
        (Client("203.0.113.9"), "203.0.113.9"),
        (Client("203.0.113.9", "shop"), "shop"),
        (Client("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64"),
        (Client("2001:db8:1:2::9%eth0"), "2001:db8:1:2::/64"),
        (Client("::ffff:203.0.113.9"), "203.0.113.9"),
        (Client(""), ""),
    ],
)
def test_clients_are_counted_by_account_or_address(client: Client, name: str) -> None:
    assert client.name == name


@pytest.mark.usefixtures("proxied")
def test_django_sees_the_same_address() -> None:
    asked = scope("203.0.113.9")
    assert environ_of(asked)["REMOTE_ADDR"] == client_of(asked).address == "203.0.113.9"


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize(
    ("said", "peer", "scheme"),
    [
        ([], PROXY, "http"),
        (["https"], PROXY, "https"),
        (["HTTPS "], PROXY, "https"),
        (["http, https"], PROXY, "https"),  # the nearest proxy wrote the last one
        (["http", "https"], PROXY, "https"),
        (["ftp"], PROXY, "http"),
        ([""], PROXY, "http"),
        (["https"], "198.51.100.7", "http"),
    ],
)
def test_django_sees_the_scheme_that_a_trusted_proxy_was_asked_with(said: list[str], peer: str, scheme: str) -> None:
    asked = scope(peer=peer)
    asked["headers"] += [(b"x-forwarded-proto", value.encode()) for value in said]
    assert environ_of(asked)["wsgi.url_scheme"] == scheme


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/static/gateway/console.js", "/admin", "/admin/login/"]
)
def test_pages_for_people_need_no_key(path: str) -> None:
    assert address_of({"method": "GET", **scope(path=path)}).is_public


@pytest.mark.parametrize(
    "path", ["/imports", "/administration", "/static", "//", "/docs/", "/promotions/../admin/", "/Admin/"]
)
def test_everything_else_needs_a_key_where_keys_are_required(path: str, settings: Settings) -> None:
    settings.API_KEYS_REQUIRED = True
    assert not address_of({"method": "GET", **scope(path=path)}).is_public
    assert client_of(scope(path=path), is_public=True) == Client(PROXY)
    with pytest.raises(Unauthorized):
        client_of(scope(path=path))
