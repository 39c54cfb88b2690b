-- Each block is a rule, and selects where it does not hold.

-- name: voucher_counts_its_live_redemptions
SELECT 'voucher ' || code || ': counts ' || redeemed || ', has ' || coalesce(live, 0)
FROM vouchers_voucher voucher
FULL JOIN (
    SELECT voucher_id, count(*) AS live FROM vouchers_redemption WHERE reversed_at IS NULL GROUP BY voucher_id
) redemptions ON redemptions.voucher_id = voucher.id
WHERE redeemed IS DISTINCT FROM coalesce(live, 0) LIMIT %(examples)s

-- name: redemptions_within_limit
SELECT 'voucher ' || code || ': ' || count(*) || ' redemptions, limit ' || "limit"
FROM vouchers_voucher voucher JOIN vouchers_redemption redemption ON redemption.voucher_id = voucher.id
WHERE reversed_at IS NULL GROUP BY voucher.id HAVING count(*) > "limit" LIMIT %(examples)s

-- name: one_live_redemption_per_user
SELECT 'voucher ' || voucher_id || ', ' || redeemer || ': ' || count(*) || ' redemptions'
FROM vouchers_redemption WHERE reversed_at IS NULL GROUP BY voucher_id, redeemer HAVING count(*) > 1
LIMIT %(examples)s

-- name: redemption_is_credited_once
SELECT 'redemption ' || redemption.id || ': ' || count(transfer.id) || ' credits'
FROM vouchers_redemption redemption
LEFT JOIN vouchers_transfer transfer ON transfer.redemption_id = redemption.id AND transfer.kind = 'redemption'
    AND transfer.debit = 'vouchers' AND transfer.credit = redemption.redeemer AND transfer.amount = redemption.amount
WHERE NOT EXISTS (SELECT FROM vouchers_walletorder WHERE redemption_id = redemption.id)
GROUP BY redemption.id HAVING count(transfer.id) <> 1 OR redemption.state <> 'credited' LIMIT %(examples)s

-- name: reversal_is_debited_once
SELECT 'redemption ' || redemption.id || ': ' || count(transfer.id) || ' reversals'
FROM vouchers_redemption redemption
LEFT JOIN vouchers_transfer transfer ON transfer.redemption_id = redemption.id AND transfer.kind = 'reversal'
    AND transfer.credit = 'vouchers' AND transfer.debit = redemption.redeemer AND transfer.amount = redemption.amount
WHERE NOT EXISTS (SELECT FROM vouchers_walletorder WHERE redemption_id = redemption.id) GROUP BY redemption.id
HAVING count(transfer.id) <> (redemption.reversed_at IS NOT NULL)::integer LIMIT %(examples)s

-- name: transfer_belongs_to_a_redemption
SELECT 'transfer ' || transfer.id || ': ' || transfer.kind || ' of no redemption'
FROM vouchers_transfer transfer
LEFT JOIN vouchers_redemption redemption ON redemption.id = transfer.redemption_id
LEFT JOIN vouchers_walletanswer answer
    ON answer.redemption_id = transfer.redemption_id AND answer.kind = transfer.kind AND answer.code = ''
WHERE transfer.kind IN ('redemption', 'reversal') AND redemption.id IS NULL AND answer.id IS NULL LIMIT %(examples)s

-- name: balance_is_the_sum_of_transfers
SELECT coalesce(phone_number, account) || ': balance ' || coalesce(balance::text, 'missing')
    || ', transfers ' || coalesce(total, 0)
FROM vouchers_profile profile
FULL JOIN (
    SELECT account, sum(amount) AS total FROM (
        SELECT credit AS account, amount FROM vouchers_transfer UNION ALL SELECT debit, -amount FROM vouchers_transfer
    ) sides WHERE account < 'a' GROUP BY account
) sums ON sums.account = profile.phone_number
WHERE balance IS DISTINCT FROM coalesce(total, 0) LIMIT %(examples)s

-- name: balance_is_not_negative
SELECT phone_number || ': ' || balance FROM vouchers_profile WHERE balance < 0 LIMIT %(examples)s

-- name: redemption_agrees_with_its_order
-- Ordered of another deployment's wallet: pending while that has not answered, credited when it has, else reversed.
SELECT 'redemption ' || redemption.id || ': ' || redemption.state || ', the credit is ' || credit.state
FROM vouchers_walletorder credit JOIN vouchers_redemption redemption ON redemption.id = credit.redemption_id
WHERE credit.kind = 'redemption' AND (
    (redemption.state = 'credited') <> (credit.state = 'applied')
    OR (redemption.state = 'pending') AND (redemption.reversed_at IS NOT NULL) <> (credit.state = 'refused')
) LIMIT %(examples)s

-- name: reversal_agrees_with_its_order
SELECT 'redemption ' || redemption.id || ': reversed ' || coalesce(reversed_at::text, 'never') || ', '
    || count(reversal.id) || ' reversals applied'
FROM vouchers_walletorder credit JOIN vouchers_redemption redemption ON redemption.id = credit.redemption_id
LEFT JOIN vouchers_walletorder reversal
    ON reversal.redemption_id = redemption.id AND reversal.kind = 'reversal' AND reversal.state = 'applied'
WHERE credit.kind = 'redemption' AND credit.state = 'applied' GROUP BY redemption.id
HAVING count(reversal.id) <> (reversed_at IS NOT NULL)::integer LIMIT %(examples)s

-- name: wallet_answer_agrees_with_transfers
SELECT 'order ' || answer.id || ': ' || coalesce(nullif(answer.code, ''), 'applied') || ', '
    || count(transfer.id) || ' transfers'
FROM vouchers_walletanswer answer
LEFT JOIN vouchers_transfer transfer
    ON transfer.redemption_id = answer.redemption_id AND transfer.kind = answer.kind
WHERE answer.code = '' GROUP BY answer.id HAVING count(transfer.id) <> 1 LIMIT %(examples)s

-- name: wallet_order_is_answered_within_an_hour
SELECT 'order ' || id || ': a ' || kind || ' waits since ' || created_at || ' after ' || attempts || ' attempts'
    || coalesce(', ' || nullif(last_error, ''), '')
FROM vouchers_walletorder WHERE state = 'waiting' AND created_at < now() - interval '1 hour' LIMIT %(examples)s
