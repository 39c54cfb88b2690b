-- name: insert
-- Those whose code is free; a code of a transaction that still runs is waited for.
INSERT INTO vouchers_voucher (code, amount, "limit", redeemed, starts_at, expires_at, revision, generation_id, created_at)
SELECT code, amount, places, 0, starts_at, expires_at, 1, %(generation_id)s, statement_timestamp()
FROM unnest(%(codes)s::text[], %(amounts)s::numeric[], %(limits)s::integer[], %(starts)s::timestamptz[],
    %(expiries)s::timestamptz[]) AS wanted (code, amount, places, starts_at, expires_at)
ORDER BY code
ON CONFLICT (code) DO NOTHING
RETURNING id, code, amount, "limit", "limit" AS remaining, starts_at, expires_at, created_at

-- name: report
-- By the index redemption_report, which has them in this order.
COPY (
    SELECT id, %(code)s AS voucher_code, redeemer,
        to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at
    FROM vouchers_redemption WHERE voucher_id = %(voucher_id)s AND reversed_at IS NULL ORDER BY voucher_id, id
) TO STDOUT WITH (FORMAT csv, HEADER)
