-- name: lock_keys
-- One row per number: whether this transaction has it now. A taken one belongs to a request that is still running.
SELECT number, pg_try_advisory_xact_lock(number) FROM unnest(%(numbers)s::bigint[]) AS number

-- name: lock_vouchers
-- A statement of its own: the next one must see what the last holder of each lock committed.
SELECT 1 FROM vouchers_voucher WHERE code = ANY(%(codes)s::text[]) ORDER BY code FOR NO KEY UPDATE

-- name: find_records
SELECT digest, fingerprint, body FROM gateway_idempotencyrecord
WHERE digest = ANY(%(digests)s::bytea[]) AND created_at > %(records_since)s

-- name: redeem
-- Gives places in order of arrival with all that belongs to them, and answers every item.
-- Now is after the wait for the locks; a statement's own timestamp is that of the message, from before it.
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS now),
item AS MATERIALIZED (
    SELECT item.*, moment.now, voucher.id AS voucher_id, voucher.amount, voucher.revision, voucher."limit", voucher.redeemed, kept.fingerprint AS kept_fingerprint, kept.body AS kept_body,
        earlier.id AS earlier_id, earlier.amount AS earlier_amount, earlier.state AS earlier_state,
        earlier.created_at AS earlier_created_at,
        coalesce(voucher.starts_at <= now, true) AND coalesce(voucher.expires_at > now, true) AS is_open,
        voucher.id IS NOT NULL AND earlier.id IS NULL AND kept.body IS NULL AS is_fresh
    FROM moment CROSS JOIN unnest(%(codes)s::text[], %(redeemers)s::text[], %(digests)s::bytea[], %(fingerprints)s::bytea[])
        WITH ORDINALITY AS item (code, redeemer, digest, fingerprint, item_index)
    -- Looked up one by one in unique indexes, whatever the planner believes of tables that grow by thousands a second.
    LEFT JOIN LATERAL (SELECT * FROM vouchers_voucher WHERE code = item.code LIMIT 1) voucher ON true
    LEFT JOIN LATERAL (
        SELECT * FROM vouchers_redemption
        WHERE voucher_id = voucher.id AND redeemer = item.redeemer AND reversed_at IS NULL LIMIT 1
    ) earlier ON true
    LEFT JOIN LATERAL (
        SELECT * FROM gateway_idempotencyrecord
        WHERE digest = item.digest AND created_at > %(records_since)s::timestamptz LIMIT 1
    ) kept ON true
),
wanting AS (
    SELECT *, is_fresh AND is_open
        AND row_number() OVER (PARTITION BY voucher_id, redeemer, is_fresh ORDER BY item_index) = 1 AS is_wanting
    FROM item
),
answered AS MATERIALIZED (
    SELECT *, CASE WHEN is_wanting AND count(*) FILTER (WHERE is_wanting) OVER (PARTITION BY voucher_id ORDER BY item_index)
        <= "limit" - redeemed THEN uuidv7() END AS id
    FROM wanting
),
given AS MATERIALIZED (SELECT * FROM answered WHERE id IS NOT NULL),
taken AS (
    INSERT INTO vouchers_redemption (id, voucher_id, redeemer, amount, state, created_at)
    SELECT id, voucher_id, redeemer, amount, %(state)s::text, now FROM given
),
counted AS (
    UPDATE vouchers_voucher voucher SET redeemed = voucher.redeemed + more.places
    FROM (SELECT voucher_id, count(*) AS places FROM given GROUP BY voucher_id) more
    WHERE voucher.id = more.voucher_id
),
kept_record AS (
    INSERT INTO gateway_idempotencyrecord (digest, fingerprint, status, headers, body, created_at)
    SELECT digest, fingerprint, 200, '[]', convert_to(json_build_object('id', id, 'voucher_code', code,
        'redeemer', redeemer, 'amount', amount::text, 'state', %(state)s::text,
        'created_at', now)::text, 'UTF8'), now
    FROM given WHERE digest IS NOT NULL
    ON CONFLICT (digest) DO UPDATE SET (fingerprint, status, headers, body, created_at)
        = ROW (excluded.fingerprint, excluded.status, excluded.headers, excluded.body, excluded.created_at)
),
credited AS (
    -- The trigger moves the balances, and opens the profiles that are missing.
    INSERT INTO vouchers_transfer (debit, credit, amount, kind, redemption_id, created_at)
    SELECT 'vouchers', redeemer, amount, 'redemption', id, now
    FROM given WHERE %(state)s::text = 'credited'
),
ordered AS (
    INSERT INTO vouchers_walletorder (id, redemption_id, kind, state, attempts, last_error, due_at, created_at)
    SELECT id, id, 'redemption', 'waiting', 0, '', now, now
    FROM given WHERE %(state)s::text = 'pending'
)
SELECT coalesce(revision, 0), coalesce(CASE WHEN is_open THEN "limit" ELSE redeemed END, 0), id IS NOT NULL,
    coalesce(id, earlier_id), coalesce(earlier_amount, amount),
    CASE WHEN id IS NULL THEN earlier_state ELSE %(state)s::text END,
    CASE WHEN id IS NULL THEN earlier_created_at ELSE now END, kept_fingerprint, kept_body
FROM answered ORDER BY item_index
