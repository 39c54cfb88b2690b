"""What /openapi.json says of operations."""

import operator
import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from common.text.fields import Kind, Shape, whole
from rates import parsing as rates
from vouchers import parsing as vouchers


@pytest.fixture(scope="module")
def schema() -> Any:
    return Client().get("/openapi.json").json()


def operations(schema: Any) -> dict[str, Any]:
    return {operation["operationId"]: operation for path in schema["paths"].values() for operation in path.values()}


def named(operation: Any, place: str) -> set[str]:
    return {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == place}


def test_operations_are_grouped_by_app(schema: Any) -> None:
    tags = {tag for operation in operations(schema).values() for tag in operation["tags"]}
    assert {"promotions", "counters", "vouchers"} <= tags
    assert not tags & {"api", "imports", "gateway"}


def test_every_operation_is_described_by_itself(schema: Any) -> None:
    said = {name: operation.get("description") for name, operation in operations(schema).items()}
    assert not [name for name, description in said.items() if not description]
    assert said["create_voucher"] != said["read_voucher"]


def test_query_of_a_hot_endpoint_is_described(schema: Any) -> None:
    assert named(operations(schema)["read_voucher"], "query") == {"code"}


def test_a_part_of_an_address_has_one_name(schema: Any) -> None:
    parts = {part for path in schema["paths"] for part in re.findall(r"profiles/\{(\w+)\}", path)}
    assert parts == {"phone_number"}


def test_every_operation_says_how_it_refuses(schema: Any) -> None:
    found = operations(schema)
    for operation in found.values():
        assert {"400", "401", "403", "429", "503", "default"} <= set(operation["responses"])
    assert {"409", "422"} <= set(found["redeem_voucher"]["responses"])
    assert "404" in found["read_profile"]["responses"]
    assert "404" not in found["increment"]["responses"]
    refusal = schema["components"]["responses"]["Problem-400"]["content"]["application/problem+json"]
    assert refusal["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "errors" in schema["components"]["schemas"]["Problem"]["properties"]


def test_what_an_operation_says_of_a_refusal_is_a_problem_too(schema: Any) -> None:
    found = operations(schema)
    for name in ("read_rates", "upload_price"):
        assert "application/problem+json" in found[name]["responses"]["404"]["content"]


def test_answers_about_rates_are_described_in_each_form(schema: Any) -> None:
    for name in ("read_rates", "read_rates_null"):
        operation = operations(schema)[name]
        answer = operation["responses"]["200"]
        assert set(answer["content"]) == {"application/json", "text/csv"}
        assert set(answer["headers"]) == {"ETag", "X-Data-Version"} == set(operation["responses"]["304"]["headers"])
        assert "content" not in operation["responses"]["304"]
        assert "If-None-Match" in named(operation, "header")
    shapes = schema["components"]["schemas"]
    listed, by_fallback = shapes["Rates"]["oneOf"]
    assert listed["items"] == {"$ref": "#/components/schemas/DayRate"}
    assert by_fallback == {"$ref": "#/components/schemas/FallbackRates"}
    assert {"day", "average_price", "count", "median"} <= set(shapes["DayRate"]["properties"])
    assert set(shapes["DayRate"]["required"]) == {"day", "average_price"}
    assert "actual" in shapes["FallbackDayRate"]["required"]


def test_report_is_described_in_both_forms(schema: Any) -> None:
    assert set(operations(schema)["report_redemptions"]["responses"]["200"]["content"]) == {
        "application/json",
        "text/csv",
    }


def test_profile_may_come_without_a_balance(schema: Any) -> None:
    wanted = schema["components"]["schemas"]["WantedProfile"]
    assert (wanted["required"], wanted["properties"]["balance"]["default"]) == (["phone_number"], 0.0)
    assert "balance" in schema["components"]["schemas"]["Profile"]["required"]


def test_batch_is_accepted_in_one_way(schema: Any) -> None:
    assert {status for status in operations(schema)["submit_price_batch"]["responses"] if status < "300"} == {"202"}


def test_every_operation_names_the_scope_that_it_needs(schema: Any) -> None:
    needed = {name: operation["security"][0]["apiKey"] for name, operation in operations(schema).items()}
    assert all(len(scopes) == 1 for scopes in needed.values())
    assert (needed["redeem_voucher"], needed["create_voucher"]) == (["vouchers:redeem"], ["vouchers:admin"])
    assert (needed["move_money"], needed["read_voucher"], needed["cancel_import"]) == (
        *(["wallet:admin"], ["read"]),
        ["operate"],
    )
    assert "Scope: `operate`." in operations(schema)["cancel_import"]["description"]
    told = schema["components"]["securitySchemes"]["apiKey"]
    assert (told["type"], told["scheme"]) == ("http", "bearer")
    assert all(f"`{scopes[0]}`" in told["description"] for scopes in needed.values())


@pytest.mark.parametrize(("required", "more"), [(False, [{}]), (True, [])])
def test_operations_may_do_without_a_key_where_keys_are_optional(
    settings: Settings, required: bool, more: list[Any]
) -> None:
    settings.API_KEYS_REQUIRED = required
    for operation in operations(Client().get("/openapi.json").json()).values():
        assert operation["security"][1:] == more


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("WantedVoucher", vouchers.VOUCHER),
        ("WantedGeneration", vouchers.GENERATION),
        ("Redeem", vouchers.REDEEM),
        ("WantedProfile", vouchers.PROFILE),
        ("Movement", vouchers.MOVEMENT),
        ("Upload", rates.UPLOAD),
        ("BatchRow", rates.UPLOAD),
    ],
)
def test_a_body_is_described_as_it_is_read(schema: Any, name: str, shape: Shape) -> None:
    described = schema["components"]["schemas"][name]
    assert described["properties"].keys() == shape.keys()
    assert set(described.get("required", [])) == {name for name, field in shape.items() if field.is_required}
    for name, field in shape.items():
        expected = dict(field.kind.schema) | ({"description": field.says} if field.says else {})
        assert expected.items() <= described["properties"][name].items()


@pytest.mark.parametrize(("operation", "shape"), [("report_redemptions", vouchers.REPORT), ("read_rates", rates.RATES)])
def test_a_query_is_described_as_it_is_read(schema: Any, operation: str, shape: Shape) -> None:
    assert shape.keys() <= named(operations(schema)[operation], "query")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (vouchers.phone_number, "+491511234567 "),
        (vouchers.voucher_code, "a b"),
        (vouchers.money(vouchers.CENT), 0),
        (vouchers.money(vouchers.CENT), 10**14),
        (rates.usd, 0),
        (rates.port_code, "abcde"),
        (rates.currency_code, "eur"),
        (whole(1, 5), 6),
        (whole(1, 5), 0),
    ],
)
def test_what_a_schema_excludes_is_not_read(kind: Kind[Any], value: Any) -> None:
    assert not fits(kind.schema, value)
    with pytest.raises(ValueError, match="Must be"):
        kind(value)


def fits(schema: Any, value: Any) -> bool:
    """As far as these schemas go."""
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return False
    bounds = [
        ("minimum", operator.ge),
        ("maximum", operator.le),
        ("exclusiveMinimum", operator.gt),
        ("exclusiveMaximum", operator.lt),
    ]
    return all(holds(value, schema[name]) for name, holds in bounds if name in schema)
