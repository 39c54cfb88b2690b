"""API keys: made once, shown once, kept as a digest.

A process keeps the digests of all active keys in a dictionary, so a key costs one SHA-256 and one look-up on the event
loop. A thread reads them anew while requests with keys come, so an idle server asks nothing. The look-up needs no
constant time: what an attacker could learn from it is the digest of a guess, and a key has 192 random bits.
"""

import asyncio
import logging
import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from time import monotonic

from django.db import Error, IntegrityError, connections, transaction
from django.utils import timezone

from common.errors import StoreUnavailable
from gateway.errors import ApiKeyExists, Unauthorized
from gateway.models import ApiKey

logger = logging.getLogger(__name__)

MARK = "fg_"
KEY_BYTES = 24
VISIBLE_CHARACTERS = len(MARK) + 4
SCHEME = b"bearer "

REFRESH_SECONDS = 2.0
RETRY_SECONDS = 1.0  # between reads, whatever keys come
# A revoked key is refused after at most this and the wait: 5 s.
TRUSTED_SECONDS = 4.0
WAIT_SECONDS = 1.0
NOT_CHECKED = "API keys cannot be checked now; nothing was done."


def create_api_key(name: str) -> str:
    """Make a key for the account ``name`` and return it; nobody can show it again.

    Raises: ApiKeyExists; ValidationError: the name is not one.
    """
    key = MARK + secrets.token_urlsafe(KEY_BYTES)
    made = ApiKey(name=name, digest=_digest(key.encode()), prefix=key[:VISIBLE_CHARACTERS])
    made.clean_fields()
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError as exc:
        raise ApiKeyExists(name) from exc
    return key


def revoke_api_keys(names: list[str]) -> int:
    """Refuse these accounts' keys from now on, everywhere within 5 s. Returns how many were active."""
    return ApiKey.objects.filter(name__in=names, revoked_at=None).update(revoked_at=timezone.now())


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()


class Keys:
    """What this process knows of the active keys; used on the event loop, read on a thread of its own."""

    def __init__(self) -> None:
        self._accounts: dict[bytes, str] | None = None
        self._read_at = self._asked_at = float("-inf")
        self._has_failed = False
        self._reading: Future[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="api-keys")

    async def account_of(self, authorization: bytes) -> str:
        """The account of an Authorization header.

        Raises: Unauthorized: it holds no active key; StoreUnavailable: that cannot be known now.
        """
        if authorization[: len(SCHEME)].lower() != SCHEME:
            raise Unauthorized
        digest = _digest(authorization[len(SCHEME) :].strip())
        await self._keep_fresh()
        account = self._find(digest)
        return await self._find_fresh(digest) if account is None else account

    async def _find_fresh(self, digest: bytes) -> str:
        """For a key that may have been made a moment ago."""
        await self._read()
        is_current = not self._has_failed  # before the look-up: a reading may end in between
        account = self._find(digest)
        if account is None:
            raise Unauthorized if is_current else StoreUnavailable(NOT_CHECKED)
        return account

    def _find(self, digest: bytes) -> str | None:
        return self._accounts.get(digest) if self._accounts else None

    async def _keep_fresh(self) -> None:
        age = monotonic() - self._read_at
        if age > TRUSTED_SECONDS:
            await self._read()
        elif age > REFRESH_SECONDS:
            self._start_reading()

    async def _read(self) -> None:
        """Read now, at most once a second; wait for it unless PostgreSQL did not answer the last time."""
        self._start_reading()
        if self._reading is not None and not self._reading.done() and not self._has_failed:
            _, late = await asyncio.wait([asyncio.wrap_future(self._reading)], timeout=WAIT_SECONDS)
            self._has_failed = self._has_failed or bool(late)

    def _start_reading(self) -> None:
        if monotonic() - self._asked_at > RETRY_SECONDS and (self._reading is None or self._reading.done()):
            self._asked_at = monotonic()
            self._reading = self._thread.submit(self._read_all)

    def _read_all(self) -> None:
        """Never raises: without PostgreSQL the last known keys stay valid."""
        started = monotonic()
        try:
            active = ApiKey.objects.filter(revoked_at=None).values_list("digest", "name")
            self._accounts = {bytes(digest): name for digest, name in active}
            self._read_at = started
            self._has_failed = False
        except Error as error:
            self._has_failed = True
            logger.warning("api_keys_not_read", extra={"error": str(error)})
        finally:
            connections.close_all()


KEYS = Keys()
