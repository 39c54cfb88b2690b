"""HTTP as real clients send it, and as nobody should, to the server as it is configured."""

import json
import re
import select
import socket
import threading
import time
from contextlib import suppress

import httpx
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
    (b"CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501, "unknown-method"),
    (b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "unknown-method"),
    (b"CONNECT http://a:80/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 501, "unknown-method"),
    (b"GET ftp://a/hello HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed-request"),
    (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target-too-long"),
    (b"GET /hello HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431, "head-too-large"),
    (b"GET /hello HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", 431, "head-too-large"),
    (b"GET /hello HTTP/1.1\r\nA: " + b"x" * 1_000_000, 431, "head-too-large"),
    (b"GET /hello HTTP/1.1\r\nHost: a\r\n", 408, "head-stalled"),
    (b"\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n", 408, "head-stalled"),
    (b"FOO /hello HTTP/1.1\r\nHost: a\r\n\r\n", 501, "unknown-method"),
    (b"GET /hello HTTP/1.1\r\n\r\n", 400, "malformed-request"),
    (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed-request"),
]


@pytest.mark.parametrize(("sent", "status", "code"), BAD)
def test_what_is_no_request_gets_a_problem_that_says_why(server: Server, sent: bytes, status: int, code: str) -> None:
    assert_problem(answers(server, sent)[-1], status, code)


BODIES = [b"Content-Length: 10\r\n\r\n12345", b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"]
HOT_REQUESTS = [b"/hot-length", b"/hot-length-at-once"]
GOOD = b"GET /soon HTTP/1.1\r\nHost: a\r\n\r\nPOST /hot-length HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n12"
BROKEN_BODY = b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
STALLED_BODY = b"POST /hot-length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n12"


@pytest.mark.parametrize(
    ("sent", "status", "code"), [*BAD, (BROKEN_BODY, 400, "malformed-request"), (STALLED_BODY, 408, "body-stalled")]
)
def test_what_came_before_is_answered_first(server: Server, sent: bytes, status: int, code: str) -> None:
    *good, refusal = answers(server, GOOD + sent)
    assert list(map(body_of, good)) == [b"hello", b"2"]
    assert_problem(refusal, status, code)


@pytest.mark.parametrize("path", HOT_REQUESTS)
@pytest.mark.parametrize(("sent", "status", "code"), [*BAD, (BROKEN_BODY, 400, "malformed-request")])
def test_a_hot_request_that_came_before_is_answered_first(
    server: Server, path: bytes, sent: bytes, status: int, code: str
) -> None:
    hot = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n12" % path
    *good, refusal = answers(server, hot + sent)
    assert list(map(body_of, good)) == [b"2"]
    assert_problem(refusal, status, code)


@pytest.mark.parametrize("half_close", [False, True])
def test_hot_and_other_requests_in_a_row_are_answered_in_order(server: Server, half_close: bool) -> None:
    paths = [*HOT_REQUESTS, b"/soon", *HOT_REQUESTS, b"/hello", HOT_REQUESTS[0]]
    heads = [
        b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (path, number, b"x" * number)
        for number, path in enumerate(paths)
    ]
    last = b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    found = answers(server, b"".join([*heads, last]), half_close=half_close)
    assert list(map(body_of, found)) == [b"0", b"1", b"hello", b"3", b"4", b"hello", b"6", b"hello"]


@pytest.mark.parametrize("path", HOT_REQUESTS)
@pytest.mark.parametrize("how", [b"HTTP/1.0\r\n", b"HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"])
def test_the_connection_closes_behind_the_answer_to_a_hot_request(server: Server, path: bytes, how: bytes) -> None:
    started = time.monotonic()
    (answer,) = answers(server, b"POST %b %bContent-Length: 2\r\n\r\n12" % (path, how))
    assert (body_of(answer), answer.count(b"connection: close")) == (b"2", 1)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("path", HOT_REQUESTS)
def test_a_hot_request_may_come_in_any_pieces(server: Server, path: bytes) -> None:
    whole = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345" % path
    with server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(1, len(whole)):
            connection.sendall(whole[:at])
            time.sleep(0.001)  # so that it is read before the rest comes; if not, nothing is wrong
            connection.sendall(whole[at:])
            assert next_body(connection) == b"5"


def test_a_refused_body_costs_the_next_request_nothing(server: Server) -> None:
    """Also where its last piece is larger than a head may be."""
    with server.connect() as connection:
        connection.sendall(b"POST /hot-length HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n")
        assert json.loads(next_body(connection))["status"] == 413
        connection.sendall(b"x" * 300_000)
        assert not select.select([connection], [], [], 0.2)[0]
        connection.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        assert next_body(connection) == b"hello"


@pytest.mark.parametrize("path", [b"/length", *HOT_REQUESTS])
@pytest.mark.parametrize("body", BODIES)
def test_a_body_whose_client_closes_its_side_too_early_is_told(server: Server, path: bytes, body: bytes) -> None:
    (answer,) = answers(server, b"POST %b HTTP/1.1\r\nHost: a\r\n%b" % (path, body), half_close=True)
    assert_problem(answer, 400, "incomplete-body")


@pytest.mark.parametrize("pause_seconds", [0.0, 0.2])
def test_trailers_are_no_headers(server: Server, pause_seconds: float) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /names HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n2\r\n0\r\n")
        time.sleep(pause_seconds)
        connection.sendall(b"Idempotency-Key: a\r\nHost: b\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n")
        assert next_body(connection) == b"HTTP_HOST"


def test_white_space_around_a_value_is_not_part_of_it(server: Server) -> None:
    (answer,) = answers(server, b"GET /seen HTTP/1.1\r\nHost: \t a \t \r\nConnection: close\r\n\r\n")
    assert body_of(answer) == b"a /seen "


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


@pytest.mark.parametrize("body", [*BODIES, b"Content-Length: 10\r\n\r\n"])
@pytest.mark.parametrize("path", [b"/length", *HOT_REQUESTS])
def test_a_body_that_stops_arriving_is_given_up(server: Server, path: bytes, body: bytes) -> None:
    (answer,) = answers(server, b"POST %b HTTP/1.1\r\nHost: a\r\n%b" % (path, body))
    assert_problem(answer, 408, "body-stalled")


@pytest.mark.parametrize("path", [b"/length", *HOT_REQUESTS])
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


def test_many_requests_at_once_are_answered_in_order(server: Server) -> None:
    with server.connect() as connection:
        requests = b"".join(b"GET /seen?%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(2_000))
        sending = threading.Thread(target=connection.sendall, args=(requests + STALLED_BODY,))
        sending.start()
        found = read_all(connection)
        sending.join()
    assert [int(number) for number in re.findall(rb"a /seen (\d+)", found)] == list(range(2_000))
    assert found.endswith(b"}")  # of the last one's refusal
    assert b"body-stalled" in found


def test_a_client_that_only_asks_fills_no_memory(server: Server) -> None:
    with server.connect(receive_buffer=4_096) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        connection.settimeout(1)
        taken = 0
        with suppress(TimeoutError):
            while taken < 40_000_000:
                taken += connection.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n" * 1_000)
    assert taken < 10_000_000


@pytest.mark.parametrize("requests", [GOOD * 2, GOOD + b"hello\r\n\r\n", STALLED_BODY])
def test_a_client_that_hangs_up_is_no_error_of_the_server(server: Server, requests: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(requests)
        time.sleep(0.1)
    with httpx.Client() as client:  # each answer comes after what the other one is due
        assert {client.get(f"{server.url}/soon").status_code for _ in range(5)} == {200}
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("kind", ["HTTP/1.1\r\nConnection: close", "HTTP/1.0"])
def test_a_client_that_still_sends_sees_its_refusal_on_a_connection_that_ends(server: Server, kind: str) -> None:
    with server.connect() as connection:
        connection.sendall(f"POST /hot-length {kind}\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n".encode())
        assert select.select([connection], [], [], 5)[0]  # the refusal is here, unread
        connection.sendall(b"x" * 20_000_000)
        assert_problem(read_all(connection), 413, "body-too-large")
