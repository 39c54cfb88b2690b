-- name: differences
-- Rollups as the prices say against those that are there: examples, and how many.
SELECT level, origin, destination, day, expected.sum, expected.count, kept.sum, kept.count, count(*) OVER ()
FROM rates_expected_rollups() expected FULL JOIN rates_rollup kept USING (level, origin, destination, day)
WHERE (expected.sum, expected.count) IS DISTINCT FROM (kept.sum, kept.count)
ORDER BY level, origin, destination, day LIMIT %(examples)s

-- name: repair
MERGE INTO rates_rollup kept USING (
    SELECT level, origin, destination, day, expected.sum, expected.count
    FROM rates_expected_rollups() expected FULL JOIN rates_rollup there USING (level, origin, destination, day)
    WHERE (expected.sum, expected.count) IS DISTINCT FROM (there.sum, there.count)
) wrong
ON (kept.level, kept.origin, kept.destination, kept.day) = (wrong.level, wrong.origin, wrong.destination, wrong.day)
WHEN MATCHED AND wrong.count IS NULL THEN DELETE
WHEN MATCHED THEN UPDATE SET sum = wrong.sum, count = wrong.count
WHEN NOT MATCHED THEN INSERT (level, origin, destination, day, sum, count)
    VALUES (wrong.level, wrong.origin, wrong.destination, wrong.day, wrong.sum, wrong.count)

-- name: closure_differences
WITH RECURSIVE up (ancestor_id, descendant_id, depth) AS (
    SELECT id, id, 0 FROM rates_region
    UNION ALL
    SELECT region.parent_id, up.descendant_id, up.depth + 1
    FROM up JOIN rates_region region ON region.id = up.ancestor_id WHERE region.parent_id IS NOT NULL
) CYCLE ancestor_id, descendant_id SET is_circle USING path
SELECT count(*) FROM up FULL JOIN rates_regionclosure kept USING (ancestor_id, descendant_id)
WHERE up.depth IS DISTINCT FROM kept.depth

-- name: repair_closure
DELETE FROM rates_regionclosure WHERE descendant_id NOT IN (SELECT id FROM rates_region);
SELECT rates_place_regions(array(SELECT id FROM rates_region))

-- name: advance_version
INSERT INTO rates_dataversion AS kept (stripe, version)
VALUES (pg_backend_pid() %% 64, extract(epoch FROM clock_timestamp()) * 1000000)
ON CONFLICT (stripe) DO UPDATE SET version = greatest(kept.version + 1, excluded.version)
