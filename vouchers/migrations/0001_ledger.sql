-- The ledger's rules, which hold for every door and for whoever has psql.

-- Moves the balances of all transfers of a statement at once, and opens the profiles of users who are credited and have
-- none. Rows are written in the order of phone numbers. A debit without a profile, or below zero, fails.
CREATE FUNCTION vouchers_move_balances() RETURNS trigger LANGUAGE plpgsql
    -- The plan is kept for the session and was made when tables were small: it must stay with the index.
    SET enable_seqscan TO off SET enable_hashjoin TO off SET enable_mergejoin TO off AS $$
DECLARE
    debited integer;
    updated integer;
BEGIN
    WITH moved AS (
        UPDATE vouchers_profile profile SET balance = profile.balance - sums.amount
        FROM (SELECT debit, sum(amount) AS amount FROM added WHERE debit < 'a' GROUP BY debit ORDER BY debit) sums
        WHERE profile.phone_number = sums.debit
        RETURNING 1
    )
    SELECT (SELECT count(DISTINCT debit) FROM added WHERE debit < 'a'), (SELECT count(*) FROM moved) INTO debited, updated;
    IF debited <> updated THEN
        RAISE foreign_key_violation USING MESSAGE = 'a transfer debits a phone number without a profile';
    END IF;
    INSERT INTO vouchers_profile AS profile (phone_number, balance, created_at)
    SELECT credit, sum(amount), min(created_at) FROM added WHERE credit < 'a' GROUP BY credit ORDER BY credit
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
