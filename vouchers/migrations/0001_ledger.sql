-- The ledger's rules, which hold for every door and for whoever has psql.

-- Moves the balances of all transfers of a statement at once, and opens the profiles of users who are credited and have
-- none. Each user's transfers are summed first, and rows are written in the order of phone numbers. What takes more than
-- there is, or from nobody, fails.
CREATE FUNCTION vouchers_move_balances() RETURNS trigger LANGUAGE plpgsql
    -- The plan is kept for the session and was made when tables were small: it must stay with the index.
    SET enable_seqscan TO off SET enable_hashjoin TO off SET enable_mergejoin TO off AS $$
DECLARE
    missing text;
BEGIN
    IF EXISTS (SELECT FROM added WHERE debit < 'a') THEN
        WITH net AS (
            SELECT account, sum(amount) AS amount FROM (
                SELECT credit AS account, amount FROM added UNION ALL SELECT debit, -amount FROM added
            ) sides WHERE account < 'a' GROUP BY account HAVING sum(amount) < 0 ORDER BY account
        ),
        moved AS (
            UPDATE vouchers_profile profile SET balance = profile.balance + net.amount
            FROM net WHERE profile.phone_number = net.account RETURNING profile.phone_number
        )
        SELECT min(account) INTO missing FROM net WHERE account NOT IN (SELECT phone_number FROM moved);
        IF missing IS NOT NULL THEN
            RAISE foreign_key_violation USING MESSAGE = 'a transfer takes from ' || missing || ', who has no profile';
        END IF;
    END IF;
    INSERT INTO vouchers_profile AS profile (phone_number, balance, created_at)
    SELECT account, sum(amount), min(created_at) FROM (
        SELECT credit AS account, amount, created_at FROM added
        UNION ALL SELECT debit, -amount, created_at FROM added
    ) sides WHERE account < 'a' GROUP BY account HAVING sum(amount) >= 0 ORDER BY account
    ON CONFLICT (phone_number) DO UPDATE SET balance = profile.balance + excluded.balance;
    RETURN NULL;
END
$$;

CREATE TRIGGER transfers_move_balances AFTER INSERT ON vouchers_transfer
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION vouchers_move_balances();

CREATE FUNCTION vouchers_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE restrict_violation USING MESSAGE = TG_ARGV[0];
END
$$;

CREATE TRIGGER transfers_stay BEFORE UPDATE OR DELETE ON vouchers_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION vouchers_refuse('transfers are never changed: add one that takes it back');

CREATE TRIGGER transfers_stay_all BEFORE TRUNCATE ON vouchers_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION vouchers_refuse('transfers are never changed: add one that takes it back');

-- pg_trigger_depth() is 0 here unless the ledger's own trigger writes the row.
CREATE TRIGGER balances_follow_transfers BEFORE UPDATE ON vouchers_profile FOR EACH ROW
    WHEN (pg_trigger_depth() < 1 AND (new.balance <> old.balance OR new.phone_number <> old.phone_number))
    EXECUTE FUNCTION vouchers_refuse('balances change with a transfer only');

CREATE TRIGGER profiles_open_empty BEFORE INSERT ON vouchers_profile FOR EACH ROW
    WHEN (pg_trigger_depth() < 1 AND new.balance <> 0)
    EXECUTE FUNCTION vouchers_refuse('balances change with a transfer only');

CREATE TRIGGER profiles_stay BEFORE DELETE ON vouchers_profile
    FOR EACH STATEMENT EXECUTE FUNCTION vouchers_refuse('profiles stay: the ledger names them');

CREATE TRIGGER profiles_stay_all BEFORE TRUNCATE ON vouchers_profile
    FOR EACH STATEMENT EXECUTE FUNCTION vouchers_refuse('profiles stay: the ledger names them');

-- Room on each page for a row's next value, so that an update touches no index.
ALTER TABLE vouchers_voucher SET (fillfactor = 50);
ALTER TABLE vouchers_profile SET (fillfactor = 80);
