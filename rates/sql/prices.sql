-- name: add
INSERT INTO rates_price (origin_id, destination_id, day, price_usd, original_amount, original_currency, exchange_rate,
    rate_on, provider, batch_id, batch_row)
SELECT added.origin_id, added.destination_id, day.day::date, added.price_usd, added.original_amount,
    added.original_currency, added.exchange_rate, added.rate_on, added.provider, added.batch_id, added.batch_row
FROM unnest(%(origins)s::integer[], %(destinations)s::integer[], %(first_days)s::date[], %(last_days)s::date[],
        %(prices)s::numeric[], %(amounts)s::numeric[], %(currencies)s::text[], %(rates)s::numeric[],
        %(rate_days)s::date[], %(providers)s::text[], %(batches)s::bigint[], %(rows)s::integer[])
    AS added (origin_id, destination_id, first_day, last_day, price_usd, original_amount, original_currency,
        exchange_rate, rate_on, provider, batch_id, batch_row)
CROSS JOIN LATERAL generate_series(added.first_day::timestamp, added.last_day, '1 day') AS day (day)
