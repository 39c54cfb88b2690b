-- name: find_rates
-- Of each pair the newest rate that is young enough; of two of one day, the provider that stands first.
-- exchange_rate_once_a_day is read backwards, for as many days as the oldest that is allowed.
SELECT wanted.number, trim_scale(found.usd_per_unit), found.rate_on, found.provider
FROM unnest(%(currencies)s::text[], %(days)s::date[]) WITH ORDINALITY AS wanted (currency, day, number)
CROSS JOIN LATERAL (
    SELECT rate.usd_per_unit, rate.rate_on, rate.provider
    FROM rates_exchangerate rate
    JOIN unnest(%(providers)s::text[], %(ages)s::integer[]) WITH ORDINALITY AS source (provider, max_age_days, place)
        USING (provider)
    WHERE rate.currency = wanted.currency
        AND rate.rate_on BETWEEN wanted.day - %(oldest)s::integer AND wanted.day
        AND rate.rate_on >= wanted.day - source.max_age_days
    ORDER BY rate.rate_on DESC, source.place
    LIMIT 1
) found

-- name: last_known
-- The newest rate of each currency on or before a day, however old and whoever said it.
SELECT wanted.number, trim_scale(found.usd_per_unit), found.rate_on
FROM unnest(%(currencies)s::text[], %(days)s::date[]) WITH ORDINALITY AS wanted (currency, day, number)
CROSS JOIN LATERAL (
    SELECT rate.usd_per_unit, rate.rate_on
    FROM rates_exchangerate rate
    WHERE rate.currency = wanted.currency AND rate.rate_on <= wanted.day
    ORDER BY rate.rate_on DESC
    LIMIT 1
) found

-- name: make_stage
-- COPY brings 220,000 rates in a third of the time that arrays as parameters take.
CREATE TEMPORARY TABLE IF NOT EXISTS rates_stage (
    currency text, rate_on date, provider text, usd_per_unit numeric, reason text
) ON COMMIT DELETE ROWS;
TRUNCATE rates_stage

-- name: fill_stage
COPY rates_stage (currency, rate_on, provider, usd_per_unit, reason) FROM STDIN

-- name: store_rates
INSERT INTO rates_exchangerate AS kept (currency, rate_on, provider, usd_per_unit)
SELECT currency, rate_on, provider, usd_per_unit FROM rates_stage
ON CONFLICT (currency, rate_on, provider) DO UPDATE
    SET usd_per_unit = EXCLUDED.usd_per_unit, stored_at = now()
    WHERE kept.usd_per_unit <> EXCLUDED.usd_per_unit

-- name: forget_outliers
DELETE FROM rates_doubtfulrate outlier
USING rates_stage stored
WHERE (outlier.currency, outlier.rate_on, outlier.provider) = (stored.currency, stored.rate_on, stored.provider)

-- name: keep_outliers
INSERT INTO rates_doubtfulrate AS kept (currency, rate_on, provider, usd_per_unit, reason)
SELECT currency, rate_on, provider, usd_per_unit, reason FROM rates_stage
ON CONFLICT (currency, rate_on, provider) DO UPDATE
    SET usd_per_unit = EXCLUDED.usd_per_unit, reason = EXCLUDED.reason, seen_at = now()
