-- Rollups as the prices say, counted from scratch; ``rebuild_rollup`` compares those that are kept with them.
CREATE FUNCTION rates_expected_rollups() RETURNS SETOF rates_rollup LANGUAGE sql STABLE AS $$
    SELECT place.level, place.origin, place.destination, price.day, sum(price.price_usd), count(*)::integer
    FROM rates_price price
    JOIN rates_port origin ON origin.id = price.origin_id
    JOIN rates_port destination ON destination.id = price.destination_id
    CROSS JOIN LATERAL (VALUES
        (1::smallint, price.origin_id, price.destination_id),
        (2::smallint, price.origin_id, destination.region_id),
        (3::smallint, origin.region_id, price.destination_id),
        (4::smallint, origin.region_id, destination.region_id)
    ) AS place (level, origin, destination)
    GROUP BY 1, 2, 3, 4
$$;

-- TRUNCATE fires no trigger for rows. One that empties both tables has nothing left to do here, and could not: the
-- second TRUNCATE would meet a table that is in use.
CREATE FUNCTION rates_prices_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM rates_rollup) THEN
        TRUNCATE rates_rollup;
        DELETE FROM rates_price;  -- of no row: for its triggers, which advance the version
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER prices_truncated_lock_tree BEFORE TRUNCATE ON rates_price
    FOR EACH STATEMENT EXECUTE FUNCTION rates_lock_tree('shared');
CREATE TRIGGER prices_truncated AFTER TRUNCATE ON rates_price
    FOR EACH STATEMENT EXECUTE FUNCTION rates_prices_truncated();
