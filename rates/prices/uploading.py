"""Prices as people send them: codes become ports, any currency becomes USD, then they are added."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby

from django.db import transaction

from common.errors import FieldError, FloodgateError
from rates.errors import PlaceNotFound
from rates.models import Port
from rates.prices.currencies import BASE, convert
from rates.prices.services import add_prices
from rates.types import Converted, Money, PriceRange, PricesAdded, Upload, Uploaded

Outcome = Uploaded | FloodgateError


def upload_prices(uploads: list[Upload]) -> list[Outcome]:
    """Add the price of each upload on each day of its range, converted with the rate of that day.

    One call per transaction, as for add_prices.

    Args:    uploads: N, valid as ``read_upload`` says.
    Returns: N outcomes in the order of ``uploads``; an error names the fields, and nothing of that upload was added.
    Raises:  DatabaseError: nothing was added, or all of it when the connection broke in the commit.
    Source:  docs/rates.md.
    """
    with transaction.atomic():
        ports = dict(Port.objects.filter(code__in=_codes(uploads)).values_list("code", "pk"))
        outcomes = [_placed(upload, ports, priced) for upload, priced in zip(uploads, _priced(uploads), strict=True)]
        added = iter(add_prices([wanted for each in outcomes if isinstance(each, Uploaded) for wanted in each.ranges]))
        return [_kept(outcome, added) for outcome in outcomes]


def _codes(uploads: Sequence[Upload]) -> set[str]:
    return {code for upload in uploads for code in (upload.origin_code, upload.destination_code)}


Priced = list[tuple[int, Converted]] | FloodgateError  # number of days and their price, in order


def _priced(uploads: Sequence[Upload]) -> Iterator[Priced]:
    converted = iter(convert([money for upload in uploads for money in _money(upload)]))
    for upload in uploads:
        yield _folded([next(converted) for _ in range(_conversions(upload))], _days(upload))


def _days(upload: Upload) -> int:
    return (upload.date_to - upload.date_from).days + 1


def _conversions(upload: Upload) -> int:
    return 1 if upload.currency == BASE else _days(upload)


def _money(upload: Upload) -> Iterator[Money]:
    for number in range(_conversions(upload)):
        yield Money(upload.price, upload.currency, upload.date_from + timedelta(days=number))


def _folded(converted: Sequence[Converted | FloodgateError], days: int) -> Priced:
    """Neighbouring days of one price together; the first error, if there is any."""
    if len(converted) == 1:
        return converted[0] if isinstance(converted[0], FloodgateError) else [(days, converted[0])]
    if error := next((each for each in converted if isinstance(each, FloodgateError)), None):
        return error
    prices = [each for each in converted if isinstance(each, Converted)]
    return [(len(list(same)), price) for price, same in groupby(prices)]


def _placed(upload: Upload, ports: dict[str, int], priced: Priced) -> Outcome:
    errors = [
        FieldError(field, f"There is no port {code}.")
        for field, code in (("origin_code", upload.origin_code), ("destination_code", upload.destination_code))
        if code not in ports
    ]
    if errors:
        return PlaceNotFound(*errors)
    return priced if isinstance(priced, FloodgateError) else Uploaded(list(_ranges(upload, ports, priced)))


def _ranges(upload: Upload, ports: dict[str, int], priced: Iterable[tuple[int, Converted]]) -> Iterator[PriceRange]:
    origin_id, destination_id = ports[upload.origin_code], ports[upload.destination_code]
    done = 0  # days; no day is counted from the one after the last, which the calendar may not have
    for days, price in priced:
        first = upload.date_from + timedelta(days=done)
        last = first + timedelta(days=days - 1)
        yield PriceRange(origin_id, destination_id, first, last, *price, upload.batch_id, upload.batch_row)
        done += days


def _kept(outcome: Outcome, added: Iterator[PricesAdded | FloodgateError]) -> Outcome:
    """The outcome after writing. Ports are the same for all ranges of an upload, so all were added or none."""
    if not isinstance(outcome, Uploaded):
        return outcome
    written = [next(added) for _ in outcome.ranges]
    return next((each for each in written if isinstance(each, FloodgateError)), outcome)
