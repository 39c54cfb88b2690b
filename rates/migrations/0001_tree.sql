-- The tree's rules, which hold for every door and for whoever has psql.

-- One lock for the tree, kept until the transaction ends: alone for whatever changes which port counts where, shared
-- for prices, whose rollups follow the regions of their ports. Also the first statement of rates/locks.py.
-- A snapshot from before the lock would show the tree as it was: circles and rollups in the wrong region got through.
CREATE FUNCTION rates_lock_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE invalid_transaction_state USING MESSAGE = 'regions, ports and prices are written in READ COMMITTED only';
    END IF;
    IF TG_ARGV[0] = 'alone' THEN
        PERFORM pg_advisory_xact_lock(5001, 0);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(5001, 0);
    END IF;
    RETURN NULL;
END
$$;

-- A stripe per connection, so that writers do not wait for each other; the sum of the stripes grows with each commit.
-- Microseconds of the clock, so that a database from a backup does not give the same numbers to other data.
CREATE FUNCTION rates_advance_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rates_dataversion AS kept (stripe, version)
    VALUES (pg_backend_pid() % 64, extract(epoch FROM clock_timestamp()) * 1000000)
    ON CONFLICT (stripe) DO UPDATE SET version = greatest(kept.version + 1, excluded.version);
    RETURN NULL;
END
$$;

CREATE FUNCTION rates_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE restrict_violation USING MESSAGE = TG_ARGV[0];
END
$$;

-- Writes the closure of these regions and of all under them, as their parents say now.
CREATE FUNCTION rates_place_regions(moved integer[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    below integer[];
BEGIN
    IF EXISTS (
        WITH RECURSIVE up (start, id) AS (
            SELECT id, parent_id FROM rates_region WHERE id = ANY (moved) AND parent_id IS NOT NULL
            UNION
            SELECT up.start, region.parent_id FROM up JOIN rates_region region ON region.id = up.id
            WHERE region.parent_id IS NOT NULL
        )
        SELECT FROM up WHERE start = id
    ) THEN
        RAISE check_violation USING MESSAGE = 'a region cannot be under itself', CONSTRAINT = 'region_tree_has_no_cycle';
    END IF;
    WITH RECURSIVE down (id) AS (
        SELECT unnest(moved)
        UNION
        SELECT region.id FROM down JOIN rates_region region ON region.parent_id = down.id
    )
    SELECT array_agg(id) INTO below FROM down;
    DELETE FROM rates_regionclosure WHERE descendant_id = ANY (below);
    INSERT INTO rates_regionclosure (ancestor_id, descendant_id, depth)
    WITH RECURSIVE up (ancestor_id, descendant_id, depth) AS (
        SELECT id, id, 0 FROM unnest(below) AS placed (id)
        UNION ALL
        SELECT region.parent_id, up.descendant_id, up.depth + 1
        FROM up JOIN rates_region region ON region.id = up.ancestor_id WHERE region.parent_id IS NOT NULL
    )
    SELECT * FROM up;
END
$$;

CREATE FUNCTION rates_regions_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM rates_place_regions(array(SELECT id FROM added));
    RETURN NULL;
END
$$;

CREATE FUNCTION rates_regions_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM rates_place_regions(array(
        SELECT id FROM added JOIN removed USING (id) WHERE added.parent_id IS DISTINCT FROM removed.parent_id
    ));
    RETURN NULL;
END
$$;

CREATE FUNCTION rates_regions_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM rates_regionclosure WHERE descendant_id IN (SELECT id FROM removed);
    RETURN NULL;
END
$$;

CREATE TRIGGER regions_lock_tree BEFORE INSERT OR UPDATE OR DELETE ON rates_region
    FOR EACH STATEMENT EXECUTE FUNCTION rates_lock_tree('alone');
CREATE TRIGGER regions_added AFTER INSERT ON rates_region
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION rates_regions_added();
CREATE TRIGGER regions_changed AFTER UPDATE ON rates_region
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION rates_regions_changed();
CREATE TRIGGER regions_removed AFTER DELETE ON rates_region
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION rates_regions_removed();
CREATE TRIGGER regions_versioned AFTER INSERT OR UPDATE OR DELETE ON rates_region
    FOR EACH STATEMENT EXECUTE FUNCTION rates_advance_version();
