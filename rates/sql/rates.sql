-- name: places
-- What these names are; a port and a region may share one. With the version of the data.
SELECT 'port', code, id, region_id, 1 FROM rates_port WHERE code = ANY (%(names)s::text[])
UNION ALL
SELECT 'region', slug, id, id, (SELECT count(*) FROM rates_regionclosure WHERE ancestor_id = rates_region.id)
FROM rates_region WHERE slug = ANY (%(names)s::text[])
UNION ALL
SELECT 'version', '', 0, 0, coalesce(sum(version), 0) FROM rates_dataversion

-- name: ancestors
-- Of these regions, each with itself, the nearest first.
SELECT closure.descendant_id, region.slug, region.id,
    (SELECT count(*) FROM rates_regionclosure WHERE ancestor_id = region.id)
FROM rates_regionclosure closure JOIN rates_region region ON region.id = closure.ancestor_id
WHERE closure.descendant_id = ANY (%(ids)s::integer[]) ORDER BY closure.descendant_id, closure.depth

-- name: averages
-- One look-up in the key of the rollups per pair of ports or regions, so the cost is of pairs and days, not of prices.
-- floor(sum / count + 1/2), without a quotient that is rounded before.
SELECT asked.search_index, rollup.day, div(2 * sum(rollup.sum) + sum(rollup.count), 2 * sum(rollup.count))::bigint,
    sum(rollup.count)::bigint
FROM unnest(%(indexes)s::integer[], %(origins)s::integer[], %(origin_ports)s::boolean[], %(destinations)s::integer[],
        %(destination_ports)s::boolean[], %(first_days)s::date[], %(last_days)s::date[])
    AS asked (search_index, origin, origin_is_port, destination, destination_is_port, first_day, last_day)
CROSS JOIN LATERAL (
    SELECT asked.origin AS id WHERE asked.origin_is_port
    UNION ALL
    SELECT descendant_id FROM rates_regionclosure WHERE ancestor_id = asked.origin AND NOT asked.origin_is_port
) origin
CROSS JOIN LATERAL (
    SELECT asked.destination AS id WHERE asked.destination_is_port
    UNION ALL
    SELECT descendant_id FROM rates_regionclosure
    WHERE ancestor_id = asked.destination AND NOT asked.destination_is_port
) destination
JOIN rates_rollup rollup
    ON rollup.level = 4 - 2 * asked.origin_is_port::integer - asked.destination_is_port::integer
    AND rollup.origin = origin.id AND rollup.destination = destination.id
    AND rollup.day BETWEEN asked.first_day AND asked.last_day
GROUP BY asked.search_index, rollup.day

-- name: statistics
-- From raw prices. A quantile between two prices is interpolated, exactly, and rounded half-up to a cent.
WITH sorted AS (
    SELECT asked.search_index, price.day, array_agg(price.price_usd ORDER BY price.price_usd) AS prices
    FROM unnest(%(indexes)s::integer[], %(origins)s::integer[], %(origin_ports)s::boolean[],
            %(destinations)s::integer[], %(destination_ports)s::boolean[], %(first_days)s::date[],
            %(last_days)s::date[])
        AS asked (search_index, origin, origin_is_port, destination, destination_is_port, first_day, last_day)
    CROSS JOIN LATERAL (
        SELECT asked.origin AS id WHERE asked.origin_is_port
        UNION ALL
        SELECT port.id FROM rates_regionclosure closure JOIN rates_port port ON port.region_id = closure.descendant_id
        WHERE closure.ancestor_id = asked.origin AND NOT asked.origin_is_port
    ) origin
    CROSS JOIN LATERAL (
        SELECT asked.destination AS id WHERE asked.destination_is_port
        UNION ALL
        SELECT port.id FROM rates_regionclosure closure JOIN rates_port port ON port.region_id = closure.descendant_id
        WHERE closure.ancestor_id = asked.destination AND NOT asked.destination_is_port
    ) destination
    JOIN rates_price price
        ON price.origin_id = origin.id AND price.destination_id = destination.id
        AND price.day BETWEEN asked.first_day AND asked.last_day
    GROUP BY asked.search_index, price.day
)
SELECT search_index, day, cardinality(prices), prices[1], prices[cardinality(prices)], quantile.median, quantile.p25,
    quantile.p75
FROM sorted CROSS JOIN LATERAL (
    SELECT max(value) FILTER (WHERE share = 0.5) AS median, max(value) FILTER (WHERE share = 0.25) AS p25,
        max(value) FILTER (WHERE share = 0.75) AS p75
    FROM (
        SELECT share, round(prices[below + 1]
            + (position - below) * (prices[least(below + 2, cardinality(prices))] - prices[below + 1]), 2) AS value
        FROM (
            SELECT share, share * (cardinality(prices) - 1) AS position,
                floor(share * (cardinality(prices) - 1))::integer AS below
            FROM (VALUES (0.5), (0.25), (0.75)) AS shares (share)
        ) positions
    ) quantiles
) quantile
