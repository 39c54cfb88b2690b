-- name: lock_wallets
-- Opens what is missing and locks the rest in one order. The condition keeps rows as they are; they are locked all the same.
INSERT INTO vouchers_profile AS profile (phone_number, balance, created_at)
SELECT phone_number, 0, %(now)s FROM unnest(%(phone_numbers)s::text[]) AS phone_number ORDER BY phone_number
ON CONFLICT (phone_number) DO UPDATE SET phone_number = excluded.phone_number WHERE false

-- name: postpone
-- Attempts of many orders that failed together come again spread over half of the pause.
UPDATE vouchers_walletorder SET attempts = attempts + 1, last_error = %(reason)s, due_at = clock_timestamp()
    + interval '1 second' * least(%(longest)s, %(first)s * 2 ^ least(attempts, 10)) * (0.5 + random() / 2)
WHERE id = ANY(%(ids)s::uuid[]) AND state = 'waiting'
