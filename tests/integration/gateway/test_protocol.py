"""HTTP as real clients send it, and as nobody should, to the server as it is configured."""

import json
import re
import select
import socket
import time

import pytest

from tests.integration.gateway.conftest import Server, read_all


def answers(server: Server, sent: bytes, *, half_close: bool = False) -> list[bytes]:
    """All that comes back until the server closes the connection, an element for each answer."""
    with server.connect() as connection:
        connection.sendall(sent)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        found = read_all(connection)
    return re.split(rb"(?=HTTP/1\.1 \d\d\d )", found)[1:]


def next_body(connection: socket.socket) -> bytes:
    """Of the next answer on a connection that stays open."""
    head, end, body = b"", b"", b""
    while not end or len(body) < int(re.findall(rb"content-length: (\d+)", head)[0]):
        head, end, body = (head + end + body + connection.recv(10_000)).partition(b"\r\n\r\n")
    return body


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def assert_problem(answer: bytes, status: int, code: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert (int(head.split()[1]), problem["status"], problem["code"]) == (status, status, code)
    assert b"content-type: application/problem+json\r\n" in head + b"\r\n"
    assert problem["correlation_id"].encode() in head


@pytest.mark.parametrize("connection", [b"", b"Connection: Keep-Alive\r\n", b"Connection: close\r\n"])
def test_http_1_0_is_answered_and_the_connection_closed(server: Server, connection: bytes) -> None:
    started = time.monotonic()
    (answer,) = answers(server, b"GET /hello HTTP/1.0\r\n" + connection + b"\r\n")
    assert body_of(answer) == b"hello"
    assert b"connection: close" in answer
    assert time.monotonic() - started < 2  # and not only when it has been idle


@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        (b"http://other.example/seen?a=%2F", b"localhost", b"other.example /seen a=%2F"),
        (b"HTTP://other.example:8080/seen", b"localhost", b"other.example:8080 /seen "),
        (b"http://other.example", b"localhost", b"other.example / "),
        (b"http://other.example?a=1", b"localhost", b"other.example / a=1"),
        (b"http://[::1]/seen", b"localhost", b"[::1] /seen "),
        (b"http://[::1]:8080/seen", b"localhost", b"[::1]:8080 /seen "),
        (b"/seen?http://other.example/", b"localhost", b"localhost /seen http://other.example/"),
    ],
)
def test_absolute_form_says_the_host(server: Server, target: bytes, host: bytes, expected: bytes) -> None:
    (answer,) = answers(server, b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % (target, host))
    assert body_of(answer) == expected


def test_options_of_the_server_as_a_whole(server: Server) -> None:
    (answer,) = answers(server, b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert body_of(answer) == b"a / "


@pytest.mark.parametrize("path", [b"/hello", b"/soon"])
def test_a_client_that_closes_its_side_gets_its_answer(server: Server, path: bytes) -> None:
    (answer,) = answers(server, b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path, half_close=True)
    assert body_of(answer) == b"hello"


def test_requests_in_a_row_are_all_answered_in_order_also_when_the_client_closes_its_side(server: Server) -> None:
    requests = [b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in (b"/soon", b"/seen", b"/hello")]
    found = answers(server, b"".join(requests), half_close=True)
    assert list(map(body_of, found)) == [b"hello", b"a /seen ", b"hello"]


def test_an_upgrade_that_is_not_spoken_here_is_ignored(server: Server) -> None:
    """Java's client offers HTTP/2 with its first request."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
    head = b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" + upgrade + b"\r\n"
    with server.connect() as connection:
        connection.sendall(head)
        connection.sendall(b"12345")
        assert next_body(connection) == b"5 5"
        connection.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert body_of(read_all(connection)) == b"hello"


def test_expect_100_continue_is_answered_before_the_body_is_sent(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"12345")
        assert next_body(connection) == b"5 5"


BAD = [
    (b"hello\r\n\r\n", 400, "malformed-request"),
    (b"GET /hello HTTP/1.1\r\nHost: a\r\nbroken header\r\n\r\n", 400, "malformed-request"),
    (b"GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400, "malformed-request"),
    (b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12", 400, "malformed-request"),
    (
        b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        "malformed-request",
    ),
    (b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "malformed-request"),
    (b"CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed-request"),
    (b"GET ftp://a/hello HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed-request"),
    (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target-too-long"),
    (b"GET /hello HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431, "head-too-large"),
    (b"GET /hello HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", 431, "head-too-large"),
    (b"GET /hello HTTP/1.1\r\nA: " + b"x" * 1_000_000, 431, "head-too-large"),
    (b"GET /hello HTTP/1.1\r\nHost: a\r\n", 408, "head-stalled"),
    (b"\r\n\r\n", 408, "head-stalled"),
]


@pytest.mark.parametrize(("sent", "status", "code"), BAD)
def test_what_is_no_request_gets_a_problem_that_says_why(server: Server, sent: bytes, status: int, code: str) -> None:
    assert_problem(answers(server, sent)[-1], status, code)


def test_a_head_that_drips_is_given_up(server: Server) -> None:
    with server.connect() as connection:
        started = time.monotonic()
        connection.settimeout(0.2)
        for byte in b"GET /hello HTTP/1.1\r\nHost: example.org\r\n" * 10:
            connection.sendall(bytes([byte]))
            try:
                answer = connection.recv(10_000)
                break
            except TimeoutError:
                continue
    assert_problem(answer, 408, "head-stalled")
    assert time.monotonic() - started < 3


BODIES = [b"Content-Length: 10\r\n\r\n12345", b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"]


@pytest.mark.parametrize("body", [*BODIES, b"Content-Length: 10\r\n\r\n"])
@pytest.mark.parametrize("path", [b"/length", b"/hot-length"])
def test_a_body_that_stops_arriving_is_given_up(server: Server, path: bytes, body: bytes) -> None:
    (answer,) = answers(server, b"POST %b HTTP/1.1\r\nHost: a\r\n%b" % (path, body))
    assert_problem(answer, 408, "body-stalled")


@pytest.mark.parametrize("path", [b"/length", b"/hot-length"])
def test_a_body_that_comes_slowly_is_taken(server: Server, path: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n" % path)
        for byte in b"123456":
            assert not select.select([connection], [], [], 0.5)[0]
            connection.sendall(bytes([byte]))
        assert next_body(connection).startswith(b"6")


def test_a_request_behind_a_slow_one_may_send_its_body_meanwhile(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")  # longer than bodies may be silent
        connection.sendall(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")
        assert next_body(connection)
        connection.sendall(b"2")
        assert next_body(connection) == b"2 2"


def test_large_bodies_in_a_row_are_no_large_heads(server: Server) -> None:
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(
                b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n" + b"x" * 90_000 + b"GE"
            )
            assert next_body(connection) == b"90000 90000"
            connection.sendall(b"T /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            assert next_body(connection) == b"hello"


@pytest.mark.parametrize("first", [b"", b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_a_connection_that_asks_nothing_is_closed_after_a_while(server: Server, first: bytes) -> None:
    started = time.monotonic()
    assert len(answers(server, first)) == bool(first)
    assert 2.5 < time.monotonic() - started < 6
