-- name: redeemers
-- A slice for each voucher, from the index of one_live_redemption_per_user, which has them in this order.
SELECT wanted.code, wanted.after, revision, redeemed, ARRAY(
    SELECT redeemer FROM vouchers_redemption
    WHERE voucher_id = voucher.id AND reversed_at IS NULL AND redeemer > wanted.after
    ORDER BY redeemer LIMIT wanted.most
)
FROM unnest(%(codes)s::text[], %(afters)s::text[], %(mosts)s::bigint[]) AS wanted (code, after, most)
CROSS JOIN LATERAL (SELECT id, revision, redeemed FROM vouchers_voucher WHERE code = wanted.code LIMIT 1) voucher

-- name: stamps
SELECT code, revision, redeemed, redeemed < "limit"
    AND coalesce(starts_at <= statement_timestamp(), true) AND coalesce(expires_at > statement_timestamp(), true)
FROM vouchers_voucher WHERE code = ANY(%(codes)s)
