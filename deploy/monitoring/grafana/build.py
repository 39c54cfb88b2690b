"""Writes the dashboards that Grafana reads: python deploy/monitoring/grafana/build.py."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

FOLDER = Path(__file__).parent / "dashboards"
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
ACTIVE = "queued|planning|loading|indexing|checking"


@dataclass(frozen=True)
class Panel:
    """``lines`` are expressions, each with what its legend says; ``unit`` is one that Grafana knows.

    ``[_]`` stands for the interval that suits the resolution of the panel.
    """

    title: str
    lines: dict[str, str]
    unit: str = "short"
    is_number: bool = False  # of now, in large digits, not over time


def burn_rates(app: str) -> Panel:
    return Panel(
        "Burn rate of the error budget (1 lasts 30 days)",
        {
            f'floodgate:burn_rate:1h{{app="{app}"}}': "{{slo}}, 1 h",
            f'floodgate:burn_rate:6h{{app="{app}"}}': "{{slo}}, 6 h",
        },
    )


def requests(app: str) -> list[Panel]:
    """Of its hot endpoints."""
    buckets = f'sum by (le, route) (rate(floodgate_request_duration_seconds_bucket{{app="{app}"}}[_]))'
    return [
        Panel(
            "Requests",
            {f'sum by (route, status) (rate(floodgate_requests_total{{app="{app}"}}[_]))': "{{route}} {{status}}"},
            "reqps",
        ),
        Panel("Latency, 99 of 100", {f"histogram_quantile(0.99, {buckets})": "{{route}}"}, "s"),
        Panel(
            "Items per batch",
            {
                f'sum by (route) (rate(floodgate_batch_items_sum{{app="{app}"}}[_]))'
                f' / sum by (route) (rate(floodgate_batch_items_count{{app="{app}"}}[_]))': "{{route}}"
            },
        ),
        burn_rates(app),
    ]


def tasks(names: str) -> list[Panel]:
    """``names`` is a pattern of registered names."""
    chosen = f'{{task=~"{names}"}}'
    return [
        Panel(
            "Tasks",
            {f"sum by (task, outcome) (rate(floodgate_tasks_total{chosen}[_]))": "{{task}} {{outcome}}"},
            "ops",
        ),
        Panel(
            "Mean duration of tasks",
            {
                f"sum by (task) (rate(floodgate_task_duration_seconds_sum{chosen}[_]))"
                f" / sum by (task) (rate(floodgate_task_duration_seconds_count{chosen}[_]))": "{{task}}"
            },
            "s",
        ),
    ]


OVERVIEW = [
    Panel("Alerts that fire", {'sum(ALERTS{alertstate="firing"}) or vector(0)': "alerts"}, is_number=True),
    Panel("Containers of web", {'sum(up{job="web"})': "web"}, is_number=True),
    Panel("Certificate ends in", {"floodgate:certificate_remaining:seconds": "left"}, "s", is_number=True),
    Panel(
        "Disk that is free",
        {"min(floodgate_disk_free_bytes / floodgate_disk_size_bytes)": "free"},
        "percentunit",
        is_number=True,
    ),
    Panel("Requests", {'sum by (app) (rate(floodgate_requests_total{app!=""}[_]))': "{{app}}"}, "reqps"),
    Panel(
        "Share of requests that failed",
        {
            'sum by (app) (rate(floodgate_requests_total{app!="",status=~"5.."}[_]))'
            ' / sum by (app) (rate(floodgate_requests_total{app!=""}[_]))'
            ' or sum by (app) (rate(floodgate_requests_total{app!=""}[_])) * 0': "{{app}}"
        },
        "percentunit",
    ),
    Panel("Burn rates of an hour", {"floodgate:burn_rate:1h": "{{app}} {{slo}}"}),
    Panel("Writes", {"floodgate:writes:rate15m": "{{app}}"}, "wps"),
    Panel(
        "Since the last sign of life",
        {"time() - max by (role) (floodgate_heartbeat_timestamp_seconds)": "{{role}}"},
        "s",
    ),
    Panel(
        "Oldest that waits",
        {
            "max(floodgate_counters_staleness_seconds)": "increment",
            "max(floodgate_timestamps_lag_seconds)": "timestamp",
            "max(floodgate_promotions_undelivered_seconds)": "publication",
            "max(floodgate_import_age_seconds)": "import",
            "max(floodgate_vouchers_generation_age_seconds)": "generation",
            "max(floodgate_price_batch_age_seconds)": "batch of prices",
        },
        "s",
    ),
    Panel(
        "Processor",
        {'sum by (job, role) (rate(process_cpu_seconds_total{job=~"web|workers"}[_]))': "{{job}} {{role}}"},
    ),
    Panel(
        "Memory",
        {'sum by (job, role) (process_resident_memory_bytes{job=~"web|workers"})': "{{job}} {{role}}"},
        "bytes",
    ),
    Panel("Versions that run", {"count by (version, job) (floodgate_build_info)": "{{job}} {{version}}"}),
    Panel("Requests at caddy", {"sum(rate(caddy_http_requests_total[_]))": "requests"}, "reqps"),
    Panel(
        "Django's views: requests and busy threads",
        {
            "sum by (view) (rate(django_http_requests_total_by_view_transport_method_total[_]))": "{{view}}",
            "sum(floodgate_wsgi_in_flight)": "threads",
        },
    ),
    Panel(
        "Over a rate limit",
        {"sum by (route, mode) (rate(floodgate_rate_limited_total[_]))": "{{route}} {{mode}}"},
        "reqps",
    ),
]

PROMOTIONS = [
    *requests("promotions"),
    Panel(
        "Imports that have not ended",
        {f'max by (status) (floodgate_imports{{status=~"{ACTIVE}"}})': "{{status}}"},
    ),
    Panel(
        "Imports that ended",
        {f'max by (status) (floodgate_imports{{status!~"{ACTIVE}"}})': "{{status}}"},
    ),
    Panel("Rows", {"max by (outcome) (rate(floodgate_import_rows_total[_]))": "{{outcome}}"}, "rowsps"),
    Panel(
        "Oldest import",
        {"max(floodgate_import_age_seconds)": "not ended", "max(floodgate_import_queued_seconds)": "not begun"},
        "s",
    ),
    Panel(
        "Publishing",
        {
            "max(floodgate_promotions_publish_seconds)": "took",
            "max(floodgate_promotions_undelivered_seconds)": "is due since",
        },
        "s",
    ),
    Panel(
        "Live version",
        {"max(floodgate_promotions_live_version)": "version", "max(floodgate_promotions_epoch)": "epoch"},
    ),
    *tasks("promotions[.].*"),
]

COUNTERS = [
    *requests("counters"),
    Panel(
        "Increments",
        {
            "sum(rate(floodgate_increments_accepted_total[_]))": "added",
            "sum by (reason) (rate(floodgate_increments_refused_total[_]))": "refused: {{reason}}",
        },
        "ops",
    ),
    Panel("Staleness", {"max(floodgate_counters_staleness_seconds)": "oldest"}, "s"),
    Panel(
        "Backlog",
        {"max(floodgate_counters_pending_keys)": "keys that wait", "max(floodgate_counters_marks)": "Idempotency-Keys"},
    ),
    Panel("Flushed", {"max(rate(floodgate_counters_flushed_rows_total[_]))": "rows"}, "rowsps"),
    Panel(
        "Mean duration of a flush",
        {
            "max(rate(floodgate_counters_flush_seconds_sum[_]))"
            " / max(rate(floodgate_counters_flush_seconds_count[_]))": "flush"
        },
        "s",
    ),
    *tasks("counters[.].*"),
]

VOUCHERS = [
    *requests("vouchers"),
    Panel(
        "Redemptions",
        {
            "sum(rate(floodgate_vouchers_redeemed_total[_]))": "redeemed",
            "sum by (reason) (rate(floodgate_vouchers_refused_total[_]))": "refused: {{reason}}",
        },
        "ops",
    ),
    Panel(
        "Refused without the database",
        {"sum by (level) (rate(floodgate_vouchers_gate_hits_total[_]))": "{{level}}"},
        "ops",
    ),
    Panel(
        "Wallet of another deployment",
        {
            "max(floodgate_vouchers_pending)": "redemptions not confirmed",
            "max(floodgate_vouchers_wallet_orders_waiting)": "orders without an answer",
        },
    ),
    Panel("Oldest redemption that is not confirmed", {"max(floodgate_vouchers_ledger_lag_seconds)": "lag"}, "s"),
    Panel("Generations", {"max(floodgate_vouchers_generations_waiting)": "not done"}),
    Panel("Oldest generation", {"max(floodgate_vouchers_generation_age_seconds)": "age"}, "s"),
    *tasks("vouchers[.].*"),
]

TIMESTAMPS = [
    *requests("timestamps"),
    Panel(
        "Entries",
        {
            "sum(rate(floodgate_timestamps_appended_total[_]))": "appended",
            "sum by (reason) (rate(floodgate_timestamps_refused_total[_]))": "refused: {{reason}}",
        },
        "ops",
    ),
    Panel(
        "Lag",
        {
            "max(floodgate_timestamps_lag_seconds)": "oldest not in the database",
            "max(floodgate_timestamps_unarchived_seconds)": "oldest not in the archive",
        },
        "s",
    ),
    Panel(
        "Entries that wait",
        {
            "max(floodgate_timestamps_lag_entries)": "for the database",
            "max(floodgate_timestamps_stream_entries)": "in the stream",
        },
    ),
    Panel(
        "Dead letters, rebuilding",
        {
            "max(floodgate_timestamps_dead_letters)": "dead letters",
            "max(floodgate_timestamps_buried_total)": "ever buried",
            "max(floodgate_timestamps_rebuilding)": "rebuilding",
        },
    ),
    Panel(
        "Records",
        {"max(floodgate_timestamps_persisted)": "live table", "max(floodgate_timestamps_archived_entries)": "archive"},
    ),
    Panel("Archive", {"max(floodgate_timestamps_segment_bytes)": "size"}, "bytes"),
    Panel("Segments", {"max(floodgate_timestamps_segments)": "segments"}),
    *tasks("timestamps[.].*"),
]

RATES = [
    *requests("rates"),
    Panel(
        "Questions",
        {"sum by (outcome) (rate(floodgate_rates_questions_total[_]))": "{{outcome}}"},
        "ops",
    ),
    Panel(
        "Prices",
        {
            "sum(rate(floodgate_rates_prices_added_total[_]))": "added",
            "sum(rate(floodgate_rates_prices_deleted_total[_]))": "deleted",
        },
        "rowsps",
    ),
    Panel(
        "Rows of batches",
        {"max by (outcome) (rate(floodgate_price_batch_rows_total[_]))": "{{outcome}}"},
        "rowsps",
    ),
    Panel("Batches", {"max(floodgate_price_batches_waiting)": "not done"}),
    Panel("Oldest batch", {"max(floodgate_price_batch_age_seconds)": "age"}, "s"),
    Panel("Tables", {"max(floodgate_rates_prices)": "prices", "max(floodgate_rates_rollups)": "rollups"}),
    Panel("Age of exchange rates", {"max by (provider) (floodgate_exchange_rates_age_seconds)": "{{provider}}"}, "s"),
    Panel("Rates in doubt", {"max(floodgate_exchange_rates_in_doubt)": "rates"}),
    *tasks("rates[.].*"),
]

STORES = [
    Panel("Answers its exporter", {"pg_up": "{{store}}", "redis_up": "{{store}}"}, is_number=True),
    Panel(
        "Processes of web that go without it", {"max by (store) (floodgate_circuit_open)": "{{store}}"}, is_number=True
    ),
    Panel(
        "PostgreSQL: connections",
        {
            "sum by (store, state) (pg_stat_activity_count)": "{{store}} {{state}}",
            "max by (store) (pg_settings_max_connections)": "{{store}} allowed",
        },
    ),
    Panel(
        "PostgreSQL: transactions",
        {
            'sum by (store) (rate(pg_stat_database_xact_commit{datname="floodgate"}[_]))': "{{store}} committed",
            'sum by (store) (rate(pg_stat_database_xact_rollback{datname="floodgate"}[_]))': "{{store}} rolled back",
        },
        "ops",
    ),
    Panel("PostgreSQL: size", {'max by (store) (pg_database_size_bytes{datname="floodgate"})': "{{store}}"}, "bytes"),
    Panel("PostgreSQL: longest transaction", {"max by (store) (pg_stat_activity_max_tx_duration)": "{{store}}"}, "s"),
    Panel(
        "PostgreSQL: deadlocks",
        {'sum by (store) (rate(pg_stat_database_deadlocks{datname="floodgate"}[_]))': "{{store}}"},
        "ops",
    ),
    Panel(
        "Valkey: memory",
        {"redis_memory_used_bytes": "{{store}} used", "redis_memory_max_bytes": "{{store}} allowed"},
        "bytes",
    ),
    Panel("Valkey: commands", {"rate(redis_commands_processed_total[_])": "{{store}}"}, "ops"),
    Panel("Valkey: keys that were evicted", {"rate(redis_evicted_keys_total[_])": "{{store}}"}, "ops"),
    Panel("Valkey: connections", {"redis_connected_clients": "{{store}}"}),
    Panel("Valkey: size of the log of writes", {"redis_aof_current_size_bytes": "{{store}}"}, "bytes"),
]

DASHBOARDS = {
    "overview": ("Floodgate", OVERVIEW),
    "promotions": ("Floodgate: promotions", PROMOTIONS),
    "counters": ("Floodgate: counters", COUNTERS),
    "vouchers": ("Floodgate: vouchers", VOUCHERS),
    "timestamps": ("Floodgate: timestamps", TIMESTAMPS),
    "rates": ("Floodgate: rates", RATES),
    "stores": ("Floodgate: stores", STORES),
}


def files() -> Iterator[tuple[Path, str]]:
    """Each dashboard's file and what is to stand in it."""
    for name, (title, panels) in DASHBOARDS.items():
        yield FOLDER / f"{name}.json", _built(name, title, panels)


def _built(name: str, title: str, panels: list[Panel]) -> str:
    built = dashboard.Dashboard(title).uid(f"floodgate-{name}").tags(["floodgate"]).refresh("10s").time("now-1h", "now")
    for number, panel in enumerate(panels, 1):
        built.with_panel(_panel(panel).id(number))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    if panel.is_number:
        newest = common.ReduceDataOptions().calcs(["lastNotNull"])
        built: stat.Panel | timeseries.Panel = stat.Panel().span(6).height(4).reduce_options(newest)
    else:
        built = timeseries.Panel().min(0).span(12).height(8)
    built.title(panel.title).datasource(PROMETHEUS).unit(panel.unit)
    for letter, (expression, legend) in zip(ascii_uppercase, panel.lines.items(), strict=False):
        query = prometheus.Dataquery().ref_id(letter).legend_format(legend)
        built.with_target(query.expr(expression.replace("[_]", "[$__rate_interval]")))
    return built


if __name__ == "__main__":
    for path, text in files():
        path.write_text(text, encoding="utf-8")
