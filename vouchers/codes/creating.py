"""Creating vouchers, one or many."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from common.stores.sqlfiles import load_sql
from vouchers.admission.shared import clear_flags
from vouchers.errors import VoucherExists
from vouchers.types import VoucherState, VoucherTerms

_SQL = load_sql(Path(__file__).parents[1] / "sql" / "vouchers.sql")
FIRST_REVISION = 1


def create_vouchers(wanted: list[VoucherTerms]) -> list[VoucherState | VoucherExists]:
    """Create vouchers; of several with one code the first counts.

    Args:    wanted: N, valid; codes may repeat.
    Returns: N outcomes in the order of ``wanted``; VoucherExists: what there is was not changed.
    Source:  docs/vouchers.md.
    """
    first = {terms.code: index for index, terms in reversed(list(enumerate(wanted)))}
    made = {state.code: state for state in insert_vouchers([wanted[index] for index in first.values()])}
    return [
        made[terms.code] if terms.code in made and first[terms.code] == index else VoucherExists(terms.code)
        for index, terms in enumerate(wanted)
    ]


def insert_vouchers(wanted: Collection[VoucherTerms], generation_id: int | None = None) -> list[VoucherState]:
    """Those of ``wanted`` whose code was free, as they are now; no code may repeat."""
    with transaction.atomic(savepoint=False):
        made = _insert(list(wanted), generation_id)
        transaction.on_commit(partial(clear_flags, {state.code: FIRST_REVISION for state in made}))
    return made


def _insert(wanted: Sequence[VoucherTerms], generation_id: int | None) -> list[VoucherState]:
    parameters: dict[str, Any] = {
        "codes": [terms.code for terms in wanted],
        "amounts": [str(terms.amount) for terms in wanted],
        "limits": [terms.limit for terms in wanted],
        "starts": [terms.starts_at for terms in wanted],
        "expiries": [terms.expires_at for terms in wanted],
        "generation_id": generation_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL["insert"], parameters)
        return [VoucherState(*row) for row in cursor.fetchall()]
