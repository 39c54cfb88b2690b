-- name: stage
SET LOCAL statement_timeout = 0;
DROP TABLE IF EXISTS pg_temp.rates_staged, pg_temp.rates_sorted;
CREATE TEMPORARY TABLE rates_staged (
    origin_id integer NOT NULL, destination_id integer NOT NULL, day date NOT NULL, price_usd numeric(12, 2) NOT NULL
)

-- name: copy
COPY pg_temp.rates_staged ({columns}) FROM STDIN

-- name: sort
-- Equal rows may change places, which makes no difference: each run adds the same rows in the same slices.
SET LOCAL statement_timeout = 0;
SET LOCAL work_mem = '64MB';
CREATE TEMPORARY TABLE rates_sorted AS
    SELECT *, row_number() OVER (ORDER BY origin_id, destination_id, day, price_usd) AS number FROM pg_temp.rates_staged;
DROP TABLE pg_temp.rates_staged;
CREATE INDEX rates_sorted_number ON pg_temp.rates_sorted USING brin (number) WITH (pages_per_range = 16);
ANALYZE pg_temp.rates_sorted

-- name: count
SELECT count(*) FROM pg_temp.rates_sorted

-- name: add
INSERT INTO rates_price (origin_id, destination_id, day, price_usd)
SELECT origin_id, destination_id, day, price_usd FROM pg_temp.rates_sorted
WHERE number > %(first)s AND number <= %(last)s

-- name: drop
DROP TABLE pg_temp.rates_sorted
