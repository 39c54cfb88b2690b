"""The WSGI bridge under a real gunicorn, with two threads."""

import select
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.integration.gateway.conftest import Server, eventually, read_all, running_server

UPLOAD_BYTES = 3_000_000


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"


def pieces_of(size: int) -> Iterator[bytes]:
    yield from (b"x" * 1000 for _ in range(size // 1000))


@pytest.mark.parametrize("size", [0, 1, 99_999])
def test_a_body_arrives_whole(server: Server, size: int) -> None:
    assert httpx.post(f"{server.url}/length", content=b"x" * size).text == f"{size} {size}"


def test_a_large_upload_and_one_in_chunks_arrive_whole(server: Server) -> None:
    body = b"x" * UPLOAD_BYTES
    assert httpx.post(f"{server.url}/upload", content=body).text == f"{UPLOAD_BYTES} {UPLOAD_BYTES}"
    assert httpx.post(f"{server.url}/upload", content=pieces_of(UPLOAD_BYTES)).text == f"{UPLOAD_BYTES} {UPLOAD_BYTES}"
    eventually(lambda: not server.spooled_files())


def test_a_large_response_arrives_whole_with_its_length(server: Server) -> None:
    response = httpx.get(f"{server.url}/large")
    assert len(response.content) == int(response.headers["content-length"]) == 30_000_000
    eventually(lambda: not server.spooled_files())


def test_slow_clients_stop_nobody(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            upload = stack.enter_context(server.connect())
            upload.sendall(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 2_000_000)
            download = stack.enter_context(server.connect(receive_buffer=4096))
            download.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            download.recv(100)
        for _ in range(200):
            stack.enter_context(server.connect())
        started = time.monotonic()
        with httpx.Client() as client:
            assert [client.get(f"{server.url}/hello").text for _ in range(20)] == ["hello"] * 20
        assert time.monotonic() - started < 1
    eventually(lambda: not server.spooled_files())


def test_a_stalled_download_is_dropped(server: Server) -> None:
    with server.connect(receive_buffer=4096) as download:
        download.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: len(server.spooled_files()) == 1)
        eventually(lambda: not server.spooled_files())
        assert 0 < len(read_all(download)) < 30_000_000


def test_a_body_that_ends_early_is_never_taken_for_whole(server: Server) -> None:
    with server.connect() as upload:
        upload.sendall(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
        upload.shutdown(socket.SHUT_WR)
        assert not read_all(upload).startswith(b"HTTP/1.1 200 ")


def test_too_large_a_body_is_refused_before_it_is_read(server: Server) -> None:
    with server.connect() as upload:
        upload.sendall(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        assert upload.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_too_large_a_body_is_413_even_to_a_client_that_sends_it_all(server: Server) -> None:
    assert_problem(httpx.post(f"{server.url}/length", content=b"x" * 5_000_000), 413, "body-too-large")
    assert_problem(httpx.post(f"{server.url}/length", content=pieces_of(5_000_000)), 413, "body-too-large")


def test_a_client_that_is_still_sending_sees_the_refusal(server: Server) -> None:
    with server.connect() as upload:
        upload.sendall(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 1_000)
        assert select.select([upload], [], [], 5)[0]  # the refusal is here, unread
        upload.sendall(b"x" * 4_999_000)
        assert upload.recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", ["/failing-late", "/short"])
def test_an_application_that_fails_half_way_is_a_clean_500(server: Server, path: str) -> None:
    assert_problem(httpx.get(server.url + path), 500, "internal-error")


def test_head_has_the_headers_and_no_body(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert b"content-length: 5" in head
    assert body == b""


def test_requests_beyond_the_threads_wait_a_second_and_are_refused(server: Server) -> None:
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda _: httpx.get(f"{server.url}/slow"), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503]
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert_problem(refused, 503, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert httpx.get(f"{server.url}/hello").text == "hello"


def test_clients_that_hang_up_cost_no_threads(server: Server) -> None:
    for _ in range(2):
        with server.connect() as connection:
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: httpx.get(f"{server.url}/hello").status_code == 200)
    eventually(lambda: not server.spooled_files())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_507_and_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    with running_server(tmp_path, small_disk) as server:
        assert_problem(httpx.post(f"{server.url}/upload", content=b"x" * UPLOAD_BYTES), 507, "storage-full")
        assert_problem(httpx.get(f"{server.url}/large"), 507, "storage-full")
        eventually(lambda: not server.spooled_files())
        assert httpx.post(f"{server.url}/upload", content=b"x" * 1_500_000).text == "1500000 1500000"
