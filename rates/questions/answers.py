"""Answers about rates as JSON and as CSV.

Written by hand: no value can need escaping, and ten years are 3,653 lines.
"""

from rates.types import CSV, JSON, DayRate, Place, RatesAnswer, RatesQuery

CONTENT_TYPES = {JSON: b"application/json", CSV: b"text/csv; charset=utf-8"}


def etag_of(version: int, form: str) -> str:
    """The data decide what an address answers, so their version does; each form has its own."""
    return f'"{version:x}-{form}"'


def json_body(query: RatesQuery, answer: RatesAnswer) -> bytes:
    """A list of days; for ``fallback`` an object that says what was asked and, of each day, what it is of."""
    days = ", ".join(_json_day(query, rate) for rate in answer.days or ())
    if not query.fallback:
        return f"[{days}]".encode()
    return f'{{"asked": {_json_lane(query.origin, query.destination)}, "days": [{days}]}}'.encode()


def _json_day(query: RatesQuery, rate: DayRate) -> str:
    members = [f'"day": "{rate.day}"', f'"average_price": {_json(rate.average)}']
    members += [f'"{name}": {_json(value)}' for name, value in zip(query.stats, rate.stats, strict=True)]
    if query.fallback:
        lane = rate.actual and _json_lane(rate.actual.origin.name, rate.actual.destination.name)
        members.append(f'"actual": {lane or "null"}')
    return "{" + ", ".join(members) + "}"


def _json_lane(origin: str, destination: str) -> str:
    return f'{{"origin": "{origin}", "destination": "{destination}"}}'


def _json(value: object) -> str:
    return "null" if value is None else str(value)


def csv_body(query: RatesQuery, answer: RatesAnswer) -> bytes:
    """A line per day under a header; what JSON says as null is empty."""
    header = ["day", "average_price", *query.stats]
    if query.fallback:
        header += ["asked_origin", "asked_destination", "actual_origin", "actual_destination"]
    lines = [header, *(_csv_day(query, rate) for rate in answer.days or ())]
    return "".join(",".join(line) + "\n" for line in lines).encode()


def _csv_day(query: RatesQuery, rate: DayRate) -> list[str]:
    values = ["" if value is None else str(value) for value in (rate.day, rate.average, *rate.stats)]
    if query.fallback:
        values += [query.origin, query.destination, *(_name(place) for place in rate.actual or (None, None))]
    return values


def _name(place: Place | None) -> str:
    return place.name if place else ""
