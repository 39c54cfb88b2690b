-- name: redeemers
SELECT code, revision, redeemed, ARRAY(
    SELECT redeemer FROM vouchers_redemption redemption
    WHERE redemption.voucher_id = voucher.id AND redemption.reversed_at IS NULL
)
FROM vouchers_voucher voucher WHERE code = ANY(%(codes)s) AND redeemed BETWEEN 1 AND %(most)s

-- name: stamps
SELECT code, revision, redeemed, redeemed < "limit"
    AND coalesce(starts_at <= statement_timestamp(), true) AND coalesce(expires_at > statement_timestamp(), true)
FROM vouchers_voucher WHERE code = ANY(%(codes)s)
