-- name: open
INSERT INTO vouchers_profile (phone_number, balance, created_at)
SELECT phone_number, 0, %(now)s FROM unnest(%(phone_numbers)s::text[]) AS phone_number ORDER BY phone_number
ON CONFLICT (phone_number) DO NOTHING
RETURNING phone_number, id
