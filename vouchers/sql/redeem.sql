-- name: take_marks
-- One row per number: whether this transaction has it now. A taken one belongs to a request that is still running.
SELECT number, pg_try_advisory_xact_lock(number) FROM unnest(%(numbers)s::bigint[]) AS number

-- name: lock_vouchers
-- A statement of its own: the next one must see what the last holder of each lock committed.
SELECT 1 FROM vouchers_voucher WHERE code = ANY(%(codes)s::text[]) ORDER BY code FOR NO KEY UPDATE

-- name: find_marks
SELECT digest, fingerprint, body FROM gateway_idempotencyrecord
WHERE digest = ANY(%(digests)s::bytea[]) AND created_at > %(marks_since)s

-- name: redeem
-- Gives places in order of arrival, and answers every item.
WITH item AS MATERIALIZED (
    SELECT item.*, voucher.id AS voucher_id, voucher.amount, voucher.revision,
        voucher.redeemed AS redeemed_before, voucher."limit" - voucher.redeemed AS places, kept.fingerprint AS kept_fingerprint, kept.body AS kept_body,
        earlier.id AS earlier_id, earlier.amount AS earlier_amount, earlier.state AS earlier_state,
        earlier.created_at AS earlier_created_at,
        coalesce(voucher.starts_at <= statement_timestamp(), true)
            AND coalesce(voucher.expires_at > statement_timestamp(), true) AS is_open
    FROM unnest(%(codes)s::text[], %(redeemers)s::text[], %(digests)s::bytea[], %(fingerprints)s::bytea[])
        WITH ORDINALITY AS item (code, redeemer, digest, fingerprint, place)
    -- Looked up one by one in unique indexes, whatever the planner believes of tables that grow by thousands a second.
    LEFT JOIN LATERAL (SELECT * FROM vouchers_voucher WHERE code = item.code LIMIT 1) voucher ON true
    LEFT JOIN LATERAL (
        SELECT * FROM vouchers_redemption
        WHERE voucher_id = voucher.id AND redeemer = item.redeemer AND reversed_at IS NULL LIMIT 1
    ) earlier ON true
    LEFT JOIN LATERAL (
        SELECT * FROM gateway_idempotencyrecord
        WHERE digest = item.digest AND created_at > %(marks_since)s::timestamptz LIMIT 1
    ) kept ON true
),
wanting AS (
    SELECT DISTINCT ON (voucher_id, redeemer) * FROM item
    WHERE voucher_id IS NOT NULL AND is_open AND earlier_id IS NULL AND kept_body IS NULL
    ORDER BY voucher_id, redeemer, place
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY voucher_id ORDER BY place) AS rank FROM wanting
),
redeemed AS (
    INSERT INTO vouchers_redemption (id, voucher_id, redeemer, amount, state, created_at)
    SELECT uuidv7(), voucher_id, redeemer, amount, %(state)s::text, statement_timestamp()
    FROM ranked WHERE rank <= places ORDER BY place
    RETURNING id, voucher_id, redeemer, amount, state, created_at
),
counted AS (
    UPDATE vouchers_voucher voucher SET redeemed = voucher.redeemed + given.places
    FROM (SELECT voucher_id, count(*) AS places FROM redeemed GROUP BY voucher_id) given
    WHERE voucher.id = given.voucher_id
    RETURNING voucher.id AS voucher_id, voucher.redeemed
),
marked AS (
    INSERT INTO gateway_idempotencyrecord (digest, fingerprint, status, headers, body, created_at)
    SELECT ranked.digest, ranked.fingerprint, 200, '[]', convert_to(json_build_object('id', redeemed.id,
        'voucher_code', ranked.code, 'redeemer', redeemed.redeemer, 'amount', redeemed.amount::text,
        'state', redeemed.state, 'created_at', redeemed.created_at)::text, 'UTF8'), redeemed.created_at
    FROM redeemed JOIN ranked USING (voucher_id, redeemer) WHERE ranked.digest IS NOT NULL
    ON CONFLICT (digest) DO UPDATE SET (fingerprint, status, headers, body, created_at)
        = ROW (excluded.fingerprint, excluded.status, excluded.headers, excluded.body, excluded.created_at)
)
SELECT item.place, coalesce(item.revision, 0), coalesce(counted.redeemed, item.redeemed_before, 0), redeemed.id IS NOT NULL AND ranked.place = item.place AS is_redeemed,
    coalesce(redeemed.id, item.earlier_id) AS id, coalesce(redeemed.amount, item.earlier_amount) AS amount,
    coalesce(redeemed.state, item.earlier_state) AS state,
    coalesce(redeemed.created_at, item.earlier_created_at) AS created_at,
    item.kept_fingerprint, item.kept_body
FROM item
LEFT JOIN ranked USING (voucher_id, redeemer)
LEFT JOIN redeemed USING (voucher_id, redeemer)
LEFT JOIN counted USING (voucher_id)
ORDER BY item.place

-- name: credit
-- The trigger moves the balances, and opens the profiles that are missing.
INSERT INTO vouchers_transfer (debit, credit, amount, kind, redemption_id, created_at)
SELECT 'vouchers', redeemer, amount, 'redemption', id, %(created_at)s::timestamptz
FROM unnest(%(redeemers)s::text[], %(amounts)s::numeric[], %(ids)s::uuid[]) AS redeemed (redeemer, amount, id)
