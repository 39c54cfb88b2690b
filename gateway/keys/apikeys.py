"""API keys: made once, shown once, kept as a digest.

A process keeps the digests of all keys that are not revoked in a dictionary, so a key costs one SHA-256 and one look-up
on the event loop. A thread reads them anew every two seconds, also while no request comes: the first one after a pause
must not be let in with a key that was revoked meanwhile. The look-up needs no constant time: what an attacker could
learn from it is the digest of a guess, and a key has 192 random bits.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic, time
from typing import NamedTuple

from django.db import Error, IntegrityError, connections, transaction
from django.db.models import F, Q
from django.utils import timezone

from common.errors import StoreUnavailable
from gateway.errors import KeyRefused, TooManyKeys, Unauthorized
from gateway.keys.scopes import KeyScope
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
WAIT_SECONDS = 0.4  # a request that waits for a store afterwards is refused within 2 s all the same
NOTED_SECONDS = 60.0  # between two notes of a key's last use
NOT_CHECKED = "API keys cannot be checked now; nothing was done."


class NewKey(NamedTuple):
    """Attributes: key: nobody can show it again; row: what is kept of it."""

    key: str
    row: ApiKey


def create_api_key(account: str, scopes: Collection[KeyScope], expires_at: datetime | None = None) -> NewKey:
    """Make a key for an account. One that has expired makes room for it.

    Raises: TooManyKeys: the account has two; ValidationError: the account's name is none.
    """
    key = MARK + secrets.token_urlsafe(KEY_BYTES)
    made = ApiKey(
        name=account,
        digest=_digest(key.encode()),
        prefix=key[:VISIBLE_CHARACTERS],
        scopes=[scope.value for scope in KeyScope if scope in scopes],
        expires_at=expires_at,
    )
    made.clean_fields()
    now = timezone.now()
    ApiKey.objects.filter(name=account, revoked_at=None, expires_at__lte=now).update(revoked_at=F("expires_at"))
    for slot in ApiKey.SLOTS:
        made.slot = slot
        try:
            with transaction.atomic():
                made.save(force_insert=True)
        except IntegrityError:
            continue
        return NewKey(key, made)
    raise TooManyKeys(account)


def revoke_api_keys(ids: Collection[int]) -> int:
    """Refuse these keys from now on, everywhere within 5 s. Returns how many were not revoked yet."""
    return ApiKey.objects.filter(pk__in=ids, revoked_at=None).update(revoked_at=timezone.now())


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()


def _digest_in(authorization: bytes) -> bytes:
    """Raises Unauthorized: it holds no key."""
    if authorization[: len(SCHEME)].lower() != SCHEME:
        raise Unauthorized
    return _digest(authorization[len(SCHEME) :].strip())


class Grant(NamedTuple):
    """What a key gives. Attributes: expires_at: seconds since the epoch."""

    key_id: int
    account: str
    scopes: frozenset[str]
    expires_at: float


class Keys:
    """What this process knows of the keys; used on the event loop, read on a thread of its own."""

    def __init__(self) -> None:
        self._grants: dict[bytes, Grant] | None = None
        self._read_at = self._asked_at = float("-inf")
        self._has_failed = False
        self._reading: Future[None] | None = None
        self._noted_at: dict[int, float] = {}
        self._to_note: deque[int] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="api-keys")

    async def grant_of(self, authorization: bytes) -> Grant:
        """What an Authorization header gives.

        Raises: Unauthorized: it holds no key that is valid; StoreUnavailable: that cannot be known now.
        """
        grant = self.known_grant(authorization)
        return grant or self._used(await self._find_fresh(_digest_in(authorization)))

    def known_grant(self, authorization: bytes) -> Grant | None:
        """The same without waiting; None when the keys must be read first. Raises Unauthorized."""
        digest = _digest_in(authorization)
        age = monotonic() - self._read_at
        if age > REFRESH_SECONDS:
            self._start_reading()
        grant = self._find(digest) if age <= TRUSTED_SECONDS else None
        return self._used(grant) if grant else None

    async def refresh(self) -> None:
        """For ever, every REFRESH_SECONDS."""
        while True:
            self._start_reading()
            await asyncio.sleep(REFRESH_SECONDS)

    async def _find_fresh(self, digest: bytes) -> Grant:
        """For a key that may have been made a moment ago."""
        await self._read()
        is_current = not self._has_failed  # before the look-up: a reading may end in between
        grant = self._find(digest)
        if grant is None:
            raise KeyRefused if is_current else StoreUnavailable(NOT_CHECKED)
        return grant

    def _find(self, digest: bytes) -> Grant | None:
        return self._grants.get(digest) if self._grants else None

    def _used(self, grant: Grant) -> Grant:
        """Raises KeyRefused: it has expired."""
        if grant.expires_at <= time():
            raise KeyRefused
        self._note(grant.key_id)
        return grant

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
            known = ApiKey.objects.filter(revoked_at=None).values_list("digest", "id", "name", "scopes", "expires_at")
            self._grants = {
                bytes(digest): Grant(key_id, account, frozenset(scopes), _seconds(expires_at))
                for digest, key_id, account, scopes, expires_at in known
            }
            self._read_at = started
            self._has_failed = False
        except Error as error:
            self._has_failed = True
            logger.warning("api_keys_not_read", extra={"error": str(error)})
        finally:
            connections.close_all()

    def _note(self, key_id: int) -> None:
        """That a key was used; written behind the request, once in NOTED_SECONDS."""
        now = monotonic()
        if now - self._noted_at.get(key_id, float("-inf")) > NOTED_SECONDS:
            self._noted_at[key_id] = now
            self._to_note.append(key_id)
            self._thread.submit(self._write_uses)

    def _write_uses(self) -> None:
        """Of all keys that wait, in one statement that waits for nobody. A note that is lost comes again."""
        used = [self._to_note.popleft() for _ in range(len(self._to_note))]
        now = timezone.now()
        is_old = Q(last_used_at=None) | Q(last_used_at__lt=now - timedelta(seconds=NOTED_SECONDS))
        try:
            with transaction.atomic():
                free = ApiKey.objects.filter(is_old, pk__in=used).select_for_update(skip_locked=True)
                ApiKey.objects.filter(pk__in=[key.pk for key in free.only("pk")]).update(last_used_at=now)
        except Error as error:
            logger.warning("api_key_uses_not_noted", extra={"error": str(error)})
        finally:
            connections.close_all()


def _seconds(expires_at: datetime | None) -> float:
    return expires_at.timestamp() if expires_at else float("inf")


KEYS = Keys()
