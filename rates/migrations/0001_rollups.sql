-- Rollups follow prices and ports, in the same transaction, whoever writes.

-- Adds to the rollups of a statement's prices, each once, in the order of their key: two writers of the same lanes wait
-- for each other and never in a circle. A port that does not exist has no region, which no rollup takes.
CREATE FUNCTION rates_prices_added() RETURNS trigger LANGUAGE plpgsql
    -- The plan is kept for the session and may have been made when tables were small: it must stay with the index.
    SET enable_seqscan TO off AS $$
BEGIN
    INSERT INTO rates_rollup AS kept (level, origin, destination, day, sum, count)
    WITH lane AS MATERIALIZED (
        SELECT added.*, origin.region_id AS origin_region, destination.region_id AS destination_region
        FROM (
            SELECT origin_id, destination_id, day, sum(price_usd) AS sum, count(*) AS count FROM added GROUP BY 1, 2, 3
        ) added
        LEFT JOIN rates_port origin ON origin.id = added.origin_id
        LEFT JOIN rates_port destination ON destination.id = added.destination_id
    )
    SELECT 1, origin_id, destination_id, day, sum, count FROM lane
    UNION ALL
    SELECT 2, origin_id, destination_region, day, sum(sum), sum(count) FROM lane GROUP BY 2, 3, 4
    UNION ALL
    SELECT 3, origin_region, destination_id, day, sum(sum), sum(count) FROM lane GROUP BY 2, 3, 4
    UNION ALL
    SELECT 4, origin_region, destination_region, day, sum(sum), sum(count) FROM lane GROUP BY 2, 3, 4
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (level, origin, destination, day)
    DO UPDATE SET sum = kept.sum + excluded.sum, count = kept.count + excluded.count;
    RETURN NULL;
END
$$;

-- Subtracts in the same order; a rollup without prices goes.
CREATE FUNCTION rates_prices_removed() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan TO off AS $$
DECLARE
    gone rates_rollup[];
BEGIN
    SELECT array_agg((level, origin, destination, day, sum, count)::rates_rollup) INTO gone FROM (
        SELECT place.level, place.origin, place.destination, removed.day, sum(price_usd) AS sum, count(*) AS count
        FROM removed
        JOIN rates_port origin ON origin.id = removed.origin_id
        JOIN rates_port destination ON destination.id = removed.destination_id
        CROSS JOIN LATERAL (VALUES
            (1, removed.origin_id, removed.destination_id),
            (2, removed.origin_id, destination.region_id),
            (3, origin.region_id, removed.destination_id),
            (4, origin.region_id, destination.region_id)
        ) AS place (level, origin, destination)
        GROUP BY 1, 2, 3, 4
    ) places;
    -- Its own statement: what subtracts must see what the last holder committed.
    PERFORM FROM unnest(gone) less JOIN rates_rollup kept USING (level, origin, destination, day)
    ORDER BY level, origin, destination, day FOR UPDATE OF kept;
    MERGE INTO rates_rollup kept USING unnest(gone) less
    ON (kept.level, kept.origin, kept.destination, kept.day) = (less.level, less.origin, less.destination, less.day)
    WHEN MATCHED AND kept.count = less.count THEN DELETE
    WHEN MATCHED THEN UPDATE SET sum = kept.sum - less.sum, count = kept.count - less.count
    WHEN NOT MATCHED THEN INSERT VALUES (less.level, less.origin, less.destination, less.day, -less.sum, -less.count);
    RETURN NULL;
END
$$;

-- Moves what the port-port rollups of moved ports count for, from the region before to the region after. The tree is
-- locked, so nothing else writes rollups meanwhile.
CREATE FUNCTION rates_ports_changed() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan TO off AS $$
BEGIN
    MERGE INTO rates_rollup kept USING (
        WITH moved AS (
            SELECT id, removed.region_id AS region_before
            FROM added JOIN removed USING (id) WHERE added.region_id <> removed.region_id
        ),
        lane AS (
            SELECT rollup.* FROM moved JOIN rates_rollup rollup ON rollup.level = 1 AND rollup.origin = moved.id
            UNION
            SELECT rollup.* FROM moved CROSS JOIN rates_port other
            JOIN rates_rollup rollup ON rollup.level = 1 AND rollup.origin = other.id AND rollup.destination = moved.id
        ),
        placed AS (
            SELECT lane.*, origin.region_id AS origin_after, destination.region_id AS destination_after,
                coalesce(moved_origin.region_before, origin.region_id) AS origin_before,
                coalesce(moved_destination.region_before, destination.region_id) AS destination_before
            FROM lane
            JOIN rates_port origin ON origin.id = lane.origin
            JOIN rates_port destination ON destination.id = lane.destination
            LEFT JOIN moved moved_origin ON moved_origin.id = lane.origin
            LEFT JOIN moved moved_destination ON moved_destination.id = lane.destination
        )
        SELECT place.level, place.origin, place.destination, placed.day,
            sum(place.sign * placed.sum) AS sum, sum(place.sign * placed.count) AS count
        FROM placed CROSS JOIN LATERAL (VALUES
            (2, placed.origin, placed.destination_before, -1),
            (3, placed.origin_before, placed.destination, -1),
            (4, placed.origin_before, placed.destination_before, -1),
            (2, placed.origin, placed.destination_after, 1),
            (3, placed.origin_after, placed.destination, 1),
            (4, placed.origin_after, placed.destination_after, 1)
        ) AS place (level, origin, destination, sign)
        GROUP BY 1, 2, 3, 4 HAVING sum(place.sign * placed.sum) <> 0 OR sum(place.sign * placed.count) <> 0
    ) more
    ON (kept.level, kept.origin, kept.destination, kept.day) = (more.level, more.origin, more.destination, more.day)
    WHEN MATCHED AND kept.count + more.count = 0 THEN DELETE
    WHEN MATCHED THEN UPDATE SET sum = kept.sum + more.sum, count = kept.count + more.count
    WHEN NOT MATCHED THEN INSERT (level, origin, destination, day, sum, count)
        VALUES (more.level, more.origin, more.destination, more.day, more.sum, more.count);
    RETURN NULL;
END
$$;

-- Without a foreign key (see Price) this keeps the ports of prices.
CREATE FUNCTION rates_ports_removed() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan TO off AS $$
BEGIN
    IF EXISTS (
        SELECT FROM removed JOIN rates_rollup rollup ON rollup.level = 1 AND rollup.origin = removed.id
    ) OR EXISTS (
        SELECT FROM removed CROSS JOIN rates_region region
        JOIN rates_rollup rollup ON rollup.level = 3 AND rollup.origin = region.id AND rollup.destination = removed.id
    ) THEN
        RAISE foreign_key_violation USING MESSAGE = 'a port with prices stays', CONSTRAINT = 'port_has_prices';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER ports_lock_tree BEFORE INSERT OR UPDATE OR DELETE ON rates_port
    FOR EACH STATEMENT EXECUTE FUNCTION rates_lock_tree('alone');
CREATE TRIGGER ports_changed AFTER UPDATE ON rates_port
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION rates_ports_changed();
CREATE TRIGGER ports_removed AFTER DELETE ON rates_port
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION rates_ports_removed();
CREATE TRIGGER ports_versioned AFTER INSERT OR UPDATE OR DELETE ON rates_port
    FOR EACH STATEMENT EXECUTE FUNCTION rates_advance_version();

CREATE TRIGGER prices_lock_tree BEFORE INSERT OR DELETE ON rates_price
    FOR EACH STATEMENT EXECUTE FUNCTION rates_lock_tree('shared');
CREATE TRIGGER prices_added AFTER INSERT ON rates_price
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION rates_prices_added();
CREATE TRIGGER prices_removed AFTER DELETE ON rates_price
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION rates_prices_removed();
CREATE TRIGGER prices_stay BEFORE UPDATE ON rates_price
    FOR EACH STATEMENT EXECUTE FUNCTION rates_refuse('prices are never changed: delete one and add another');
CREATE TRIGGER prices_versioned AFTER INSERT OR DELETE ON rates_price
    FOR EACH STATEMENT EXECUTE FUNCTION rates_advance_version();

-- Room on each page for a row's next value, so that an update touches no index.
ALTER TABLE rates_rollup SET (fillfactor = 80);
