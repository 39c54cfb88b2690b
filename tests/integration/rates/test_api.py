"""The HTTP contract of rates: questions on both roads, and uploads."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from rates.models import ExchangeRate, Port, Price, Region, Rollup
from tests.rates import add, day, port, region
from tests.roads import Answer, django, hot_path

pytestmark = pytest.mark.django_db(transaction=True)

Ask = Callable[..., Answer]


@pytest.fixture(params=[hot_path, django], ids=["hot path", "twin"])
def ask(request: pytest.FixtureRequest) -> Ask:
    road: Ask = request.param
    return road


@pytest.fixture
def ports() -> dict[str, Port]:
    """CNSGH in china_main in china; FRLEH and NLRTM in north_sea in europe."""
    china, europe = region("china"), region("europe")
    china_main, north_sea = region("china_main", china), region("north_sea", europe)
    return {
        code: port(code, where) for code, where in (("CNSGH", china_main), ("FRLEH", north_sea), ("NLRTM", north_sea))
    }


def where(origin: str = "CNSGH", destination: str = "north_sea", days: int = 1, **more: object) -> str:
    rest = "".join(f"&{name}={value}" for name, value in more.items())
    return f"?date_from={day(0)}&date_to={day(days - 1)}&origin={origin}&destination={destination}{rest}"


def test_average_of_a_port_and_a_region_per_day(ask: Ask, ports: dict[str, Port]) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, 11)
    add(ports["CNSGH"], ports["NLRTM"], 0, "10.50")
    add(ports["CNSGH"], ports["NLRTM"], 2, 10, 11)
    answer = ask("GET", "/rates" + where(days=3))
    assert answer.status == 200
    assert answer.json == [
        {"day": str(day(0)), "average_price": 11},  # of 10.50, half-up
        {"day": str(day(1)), "average_price": None},
        {"day": str(day(2)), "average_price": None},  # two are too few
    ]


def averages(answer: Answer) -> list[int | None]:
    assert answer.status == 200, answer
    return [each["average_price"] for each in answer.json]


def problem(answer: Answer) -> tuple[int, str, list[str]]:
    assert answer.headers["content-type"] == "application/problem+json", answer
    assert answer.json["detail"]
    return answer.status, answer.json["code"], [error["field"] for error in answer.json.get("errors", [])]


def test_rates_null_answers_the_same(ask: Ask, ports: dict[str, Port]) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, 11, 12)
    add(ports["CNSGH"], ports["FRLEH"], 1, 10, 11)
    assert averages(ask("GET", "/rates_null" + where(days=2))) == [11, None]
    assert averages(ask("GET", "/rates_null" + where(days=2, min_prices=2))) == [11, 11]


def test_equal_prices_count_each(ask: Ask, ports: dict[str, Port]) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, 10, 40)
    assert averages(ask("GET", "/rates" + where())) == [20]


def test_code_of_a_port_wins_over_the_slug_of_a_region(ask: Ask, ports: dict[str, Port]) -> None:
    inside = port("INSID", region("FRLEH"))
    add(ports["CNSGH"], inside, 0, 90)
    add(ports["CNSGH"], ports["FRLEH"], 0, 10)
    assert averages(ask("GET", "/rates" + where(destination="FRLEH", min_prices=1))) == [10]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"date_from": "2026-02-30"}, "date_from"),
        ({"date_to": "2026-02-30"}, "date_to"),
        ({"date_from": "2026-1-1"}, "date_from"),
        ({"date_from": "20260101"}, "date_from"),
        ({"date_from": "0000-01-01"}, "date_from"),
        ({"date_from": "2026-01-01T00:00:00Z"}, "date_from"),
        ({"date_from": "%D9%A2026-01-01"}, "date_from"),
        ({"date_from": ""}, "date_from"),
        ({"date_from": None}, "date_from"),
        ({"date_from": "2026-01-02", "date_to": "2026-01-01"}, "date_to"),
        ({"date_from": "2016-01-01", "date_to": "2026-01-01"}, "date_to"),
        ({"date_from": "0001-01-01", "date_to": "9999-12-31"}, "date_to"),
        ({"origin": ""}, "origin"),
        ({"origin": None}, "origin"),
        ({"origin": "a" * 101}, "origin"),
        ({"destination": "north%20sea"}, "destination"),
        ({"destination": "north%00sea"}, "destination"),
        ({"min_prices": "0"}, "min_prices"),
        ({"min_prices": "-3"}, "min_prices"),
        ({"min_prices": "three"}, "min_prices"),
        ({"min_prices": "3.0"}, "min_prices"),
        ({"min_prices": "99999999999999999999"}, "min_prices"),
        ({"stats": "mode"}, "stats"),
        ({"stats": "min,min"}, "stats"),
        ({"stats": ""}, "stats"),
        ({"stats": "min", "date_from": "2025-01-01", "date_to": "2026-01-02"}, "stats"),
        ({"fallback": "child"}, "fallback"),
        ({"page": "1"}, "page"),
        ({"origin": "%FF"}, "query"),
    ],
)
@pytest.mark.parametrize("path", ["/rates", "/rates_null"])
def test_bad_question_is_400_and_names_the_field(path: str, change: dict[str, str | None], wrong: str) -> None:
    query = {"date_from": "2026-01-01", "date_to": "2026-01-01", "origin": "CNSGH", "destination": "europe"} | change
    address = path + "?" + "&".join(f"{name}={value}" for name, value in query.items() if value is not None)
    assert problem(django("GET", address)) == (400, "invalid-input", [wrong])


INJECTION = "x'%20OR%201=1;%20DROP%20TABLE%20rates_price;--"


@pytest.mark.parametrize("name", ["date_from", "date_to", "origin", "destination", "min_prices", "stats", "fallback"])
def test_sql_in_a_parameter_is_400(ask: Ask, ports: dict[str, Port], name: str) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 1)
    query = {"date_from": "2026-01-01", "date_to": "2026-01-01", "origin": "CNSGH", "destination": "europe"}
    address = "/rates?" + "&".join(f"{key}={value}" for key, value in (query | {name: INJECTION}).items())
    assert problem(ask("GET", address)) == (400, "invalid-input", [name])
    assert Price.objects.count() == 1


@pytest.mark.parametrize(
    ("origin", "destination", "wrong"),
    [("XXXXX", "europe", ["origin"]), ("cnsgh", "europe", ["origin"]), ("XXXXX", "yyy", ["origin", "destination"])],
)
@pytest.mark.usefixtures("ports")
def test_unknown_place_is_404_and_names_the_field(ask: Ask, origin: str, destination: str, wrong: list[str]) -> None:
    assert problem(ask("GET", "/rates" + where(origin, destination))) == (404, "place-not-found", wrong)


@pytest.mark.usefixtures("ports")
def test_ten_years_are_answered_day_by_day(ask: Ask) -> None:
    answer = ask("GET", "/rates?date_from=2016-01-01&date_to=2025-12-31&origin=china&destination=europe")
    assert len(averages(answer)) == 3653


# Statistics, fallback, forms


def test_statistics_stand_beside_the_average(ask: Ask, ports: dict[str, Port]) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, "10.01", 20, 40)
    add(ports["CNSGH"], ports["FRLEH"], 1, 10)
    answer = ask("GET", "/rates" + where(days=2, stats="median,count,min,max,p25,p75"))
    assert answer.json == [
        {"day": str(day(0)), "average_price": 20, "median": 15.01, "count": 4, "min": 10.0, "max": 40.0}
        | {"p25": 10.01, "p75": 25.0},
        {"day": str(day(1)), "average_price": None, "median": None, "count": 1, "min": None, "max": None}
        | {"p25": None, "p75": None},
    ]


def test_statistics_of_too_many_prices_are_422(
    ask: Ask, ports: dict[str, Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rates.questions.searches.PRICES_MAX", 3)
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, 11, 12, 13)
    assert problem(ask("GET", "/rates" + where(stats="median"))) == (422, "too-many-prices", ["stats"])
    assert averages(ask("GET", "/rates" + where())) == [12]


@pytest.mark.usefixtures("ports")
def test_question_over_too_many_pairs_and_days_is_422(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rates.questions.searches.CELLS_MAX", 12)
    assert problem(ask("GET", "/rates" + where("china", "europe", days=4))) == (422, "query-too-large", ["date_to"])
    assert averages(ask("GET", "/rates" + where("china", "europe", days=3))) == [None] * 3


def test_thin_days_fall_back_to_the_regions_above(ask: Ask, ports: dict[str, Port]) -> None:
    """Day 0 is of the ports, day 1 of their regions, day 2 of the regions above, day 3 of nothing."""
    qingdao = port("CNQIN", Region.objects.get(slug="china"))
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, 10, 10)
    add(ports["CNSGH"], ports["NLRTM"], 0, 90, 90, 90)
    add(ports["CNSGH"], ports["FRLEH"], 1, 10)
    add(ports["CNSGH"], ports["NLRTM"], 1, 40, 40)
    add(ports["CNSGH"], ports["NLRTM"], 2, 40)
    add(qingdao, ports["NLRTM"], 2, 10, 10)
    answer = ask("GET", "/rates" + where("CNSGH", "FRLEH", days=4, fallback="parent")).json
    assert answer["asked"] == {"origin": "CNSGH", "destination": "FRLEH"}
    assert [(each["average_price"], each["actual"]) for each in answer["days"]] == [
        (10, {"origin": "CNSGH", "destination": "FRLEH"}),
        (30, {"origin": "china_main", "destination": "north_sea"}),
        (20, {"origin": "china", "destination": "europe"}),
        (None, None),
    ]


def test_statistics_of_a_day_that_fell_back_are_of_where_it_fell(ask: Ask, ports: dict[str, Port]) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10)
    add(ports["CNSGH"], ports["NLRTM"], 0, 40, 40)
    answer = ask("GET", "/rates" + where("CNSGH", "FRLEH", fallback="parent", stats="count,min,median")).json
    assert answer["days"] == [
        {"day": str(day(0)), "average_price": 30, "count": 3, "min": 10.0, "median": 40.0}
        | {"actual": {"origin": "china_main", "destination": "north_sea"}}
    ]


def test_count_of_a_thin_day_is_of_what_was_asked_also_where_that_has_no_price_at_all(
    ask: Ask, ports: dict[str, Port]
) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, 11)
    (rate,) = ask("GET", "/rates" + where("CNSGH", "NLRTM", stats="count", fallback="parent")).json["days"]
    assert (rate["count"], rate["actual"]) == (0, None)


def test_side_at_the_top_waits_for_the_other(ask: Ask, ports: dict[str, Port]) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, 20, 30)
    answer = ask("GET", "/rates" + where("china", "NLRTM", fallback="parent")).json
    assert answer["days"][0]["actual"] == {"origin": "china", "destination": "north_sea"}


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/csv;q=0.9, application/json;q=0.1", "text/csv; charset=utf-8"),
        ("application/json, text/csv;q=0.5", "application/json"),
        ("application/json;q=0.1, text/csv;q=0.9", "text/csv; charset=utf-8"),
        ("text/csv;q=0.1, application/json;q=0.9", "application/json"),
        ("text/html, TEXT/CSV; charset=UTF-8", "text/csv; charset=utf-8"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=0.2, */*;q=0.1", "text/csv; charset=utf-8"),
        ("text/csv;a*=xx''%41", "application/json"),
        ("text/csv," * 100, "application/json"),
        ("text/html, */*", "application/json"),
        ("", "application/json"),
    ],
)
def test_accept_chooses_the_form(ask: Ask, ports: dict[str, Port], accept: str, form: str) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, 10, 10)
    answer = ask("GET", "/rates" + where(days=2), Accept=accept)
    assert answer.headers["content-type"] == form
    assert "accept" in answer.headers["vary"].lower()
    if form != "application/json":
        assert answer.body == b"day,average_price\n2026-01-01,10\n2026-01-02,\n"


def test_csv_of_everything_has_a_column_for_each(ask: Ask, ports: dict[str, Port]) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, 10, 10)
    answer = ask(
        "GET", "/rates" + where("CNSGH", "FRLEH", days=2, fallback="parent", stats="count,max"), Accept="text/csv"
    )
    assert answer.body.decode().splitlines() == [
        "day,average_price,count,max,asked_origin,asked_destination,actual_origin,actual_destination",
        "2026-01-01,10,3,10.00,CNSGH,FRLEH,CNSGH,FRLEH",
        "2026-01-02,,0,,CNSGH,FRLEH,,",
    ]


# ETag


def test_known_answer_is_304_until_the_data_change(ask: Ask, ports: dict[str, Port]) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10, 10, 10)
    first = ask("GET", "/rates" + where())
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = ask("GET", "/rates" + where(), If_None_Match=known)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert ask("GET", "/rates" + where(), If_None_Match=first.headers["etag"], Accept="text/csv").status == 200
    add(ports["CNSGH"], ports["FRLEH"], 0, 40)
    changed = ask("GET", "/rates" + where(), If_None_Match=first.headers["etag"])
    assert (averages(changed), changed.headers["etag"] != first.headers["etag"]) == ([18], True)


def test_every_change_of_data_changes_the_version(ports: dict[str, Port]) -> None:
    add(ports["CNSGH"], ports["FRLEH"], 0, 10)
    seen = [version()]

    def changed() -> bool:
        seen.append(version())
        return seen[-1] > seen[-2]

    Price.objects.all().delete()
    assert changed()
    Port.objects.filter(code="CNSGH").update(region=ports["FRLEH"].region)
    assert changed()
    region("other")
    assert changed()
    Port.objects.filter(code="NLRTM").delete()
    assert changed()
    assert not changed()


def version() -> int:
    return int(django("GET", "/rates" + where("china", "europe")).headers["x-data-version"])


# Uploads


UPLOAD: dict[str, Any] = {
    "date_from": "2026-01-01",
    "date_to": "2026-01-03",
    "origin_code": "CNSGH",
    "destination_code": "FRLEH",
    "price": 12.5,
}


@pytest.mark.usefixtures("ports")
def test_upload_adds_a_price_on_each_day() -> None:
    answer = django("POST", "/rates", UPLOAD)
    assert answer.status == 201
    assert answer.json == UPLOAD | {
        "currency": "USD",
        "observations": 3,
        "added": [
            {"date_from": "2026-01-01", "date_to": "2026-01-03", "price_usd": 12.5}
            | {"exchange_rate": None, "rate_on": None, "provider": None}
        ],
    }
    assert list(Price.objects.values_list("price_usd", flat=True)) == [Decimal("12.50")] * 3
    assert averages(django("GET", "/rates" + where("china", "europe", days=4, min_prices=1))) == [13, 13, 13, None]


@pytest.mark.usefixtures("ports")
def test_last_day_of_the_calendar_is_a_day_as_any_other() -> None:
    answer = django("POST", "/rates", UPLOAD | {"date_from": "9999-12-30", "date_to": "9999-12-31"})
    assert answer.status == 201
    question = "/rates?date_from=9999-12-31&date_to=9999-12-31&origin=CNSGH&destination=FRLEH&min_prices=1"
    assert averages(django("GET", question)) == [13]


@pytest.mark.usefixtures("ports")
def test_repeat_of_an_upload_with_its_key_adds_nothing() -> None:
    first = django("POST", "/rates", UPLOAD, Idempotency_Key="k")
    again = django("POST", "/rates", UPLOAD, Idempotency_Key="k")
    assert (again.status, again.body, again.headers["idempotency-replayed"]) == (201, first.body, "true")
    assert Price.objects.count() == 3
    other = django("POST", "/rates", UPLOAD | {"price": 13}, Idempotency_Key="k")
    assert problem(other) == (422, "idempotency-key-reused", [])


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"date_from": "2026-02-30"}, ["date_from"]),
        ({"date_from": 20260101}, ["date_from"]),
        ({"date_to": "2025-12-31"}, ["date_to"]),
        ({"date_from": "2016-01-01", "date_to": "2026-01-01"}, ["date_to"]),
        ({"origin_code": "cnsgh"}, ["origin_code"]),
        ({"origin_code": "china"}, ["origin_code"]),
        ({"origin_code": "'; --"}, ["origin_code"]),
        ({"destination_code": 5}, ["destination_code"]),
        ({"price": 0}, ["price"]),
        ({"price": -1}, ["price"]),
        ({"price": "12.5"}, ["price"]),
        ({"price": "1; DROP TABLE rates_price"}, ["price"]),
        ({"price": True}, ["price"]),
        ({"price": None}, ["price"]),
        ({"price": 12.505}, ["price"]),
        ({"price": 10**10}, ["price"]),
        ({"price": 10**40}, ["price"]),
        ({"price": [1]}, ["price"]),
        ({"currency": "usd"}, ["currency"]),
        ({"currency": "US\u0000"}, ["currency"]),
        ({"currency": 1}, ["currency"]),
        ({"currency": "QQQ"}, ["currency"]),
        ({"region": "x"}, ["region"]),
        ({"price": 0, "date_from": "x"}, ["date_from", "price"]),
    ],
)
@pytest.mark.usefixtures("ports")
def test_bad_upload_is_400_and_names_the_fields(change: dict[str, Any], wrong: list[str]) -> None:
    assert problem(django("POST", "/rates", UPLOAD | change)) == (400, "invalid-input", wrong)
    assert not Price.objects.exists()


@pytest.mark.parametrize("number", [b"1e400", b"1e10", b"NaN", b"-0", b"1e-3", b"0.000000000000000000001"])
@pytest.mark.usefixtures("ports")
def test_strange_price_is_400(number: bytes) -> None:
    body = b'{"date_from": "2026-01-01", "date_to": "2026-01-01", "origin_code": "CNSGH", "destination_code": "FRLEH", '
    assert django("POST", "/rates", body + b'"price": ' + number + b"}").status == 400


@pytest.mark.usefixtures("ports")
def test_upload_for_an_unknown_port_is_404_and_names_both_fields() -> None:
    answer = django("POST", "/rates", UPLOAD | {"origin_code": "XXXXX", "destination_code": "YYYYY"})
    assert problem(answer) == (404, "place-not-found", ["origin_code", "destination_code"])
    assert (Price.objects.count(), Rollup.objects.count()) == (0, 0)


@pytest.mark.usefixtures("ports")
def test_upload_in_a_currency_is_converted_day_by_day_with_its_provenance() -> None:
    for on, rate in (("2026-01-01", "1.10"), ("2026-01-03", "1.20")):
        ExchangeRate.objects.create(provider="ecb", currency="EUR", rate_on=on, usd_per_unit=Decimal(rate))
    answer = django("POST", "/rates", UPLOAD | {"price": 100.005, "currency": "EUR"})
    assert answer.status == 201, answer
    assert [(each["date_from"], each["date_to"], each["price_usd"]) for each in answer.json["added"]] == [
        ("2026-01-01", "2026-01-02", 110.01),
        ("2026-01-03", "2026-01-03", 120.01),
    ]
    provenance = ["original_amount", "original_currency", "exchange_rate", "provider"]
    assert list(Price.objects.order_by("day").values_list("price_usd", *provenance)) == [
        (Decimal("110.01"), Decimal("100.005"), "EUR", Decimal("1.10"), "ecb"),
        (Decimal("110.01"), Decimal("100.005"), "EUR", Decimal("1.10"), "ecb"),
        (Decimal("120.01"), Decimal("100.005"), "EUR", Decimal("1.20"), "ecb"),
    ]


@pytest.mark.usefixtures("ports")
def test_upload_with_a_day_without_a_rate_is_422_and_adds_no_day() -> None:
    ExchangeRate.objects.create(provider="ecb", currency="EUR", rate_on="2026-01-02", usd_per_unit=Decimal("1.1"))
    answer = django("POST", "/rates", UPLOAD | {"currency": "EUR"})
    assert problem(answer) == (422, "no-exchange-rate", ["currency"])
    assert not Price.objects.exists()
