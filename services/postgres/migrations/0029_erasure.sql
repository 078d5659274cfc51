-- What goes: persons, and what was kept long enough.
--
-- A person is erased by destroying the key of the case. Its row stays and says so: what comes in later is seen to come after.

ALTER TABLE personal_keys
    ADD COLUMN erased_at timestamptz,   -- when a key of this owner was destroyed last; null: never
    ADD CONSTRAINT a_key_is_there_or_was_destroyed CHECK (octet_length(wrapped) > 0 OR erased_at IS NOT NULL);
CREATE INDEX personal_keys_erased ON personal_keys (erased_at) WHERE erased_at IS NOT NULL;

-- A letter whose bytes are gone: `sealed` is empty, and with it the salt of its key.
ALTER TABLE dead_letters
    DROP CONSTRAINT dead_letters_state_check,
    ADD CONSTRAINT dead_letters_state_check CHECK (state IN ('open', 'redriven', 'discarded', 'fixed', 'erased')),
    ADD CONSTRAINT erased_letters_have_no_bytes CHECK ((state = 'erased') = (octet_length(sealed) = 0));
CREATE INDEX dead_letters_case ON dead_letters (case_id) WHERE case_id IS NOT NULL;
ALTER TABLE dead_letter_steps
    DROP CONSTRAINT dead_letter_steps_step_check,
    ADD CONSTRAINT dead_letter_steps_step_check CHECK (step IN ('opened', 'redriven', 'fixed', 'discarded', 'erased'));

-- A new key for owners whose key was destroyed, and for no others; how many there were.
CREATE FUNCTION renew_personal_keys(owners text[], keys bytea[]) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH renewed AS (
        UPDATE personal_keys SET wrapped = new.wrapped FROM unnest(owners, keys) AS new (owner, wrapped)
         WHERE personal_keys.owner = new.owner AND octet_length(personal_keys.wrapped) = 0 AND octet_length(new.wrapped) > 0
        RETURNING 1)
    SELECT count(*) FROM renewed
$$;

-- Writes the tables that hold keys anew, without what was destroyed: a deleted row stays in its file until then. Everybody who
-- writes waits for it.
CREATE FUNCTION rewrite_keys() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    CLUSTER personal_keys USING personal_keys_pkey;
    CLUSTER dead_letters USING dead_letters_pkey;
END $$;

-- Drops the partition of the ledger of a month (its first day, UTC). False where there is none. It waits for whoever uses the
-- ledger, and they for it.
CREATE FUNCTION drop_ledger_month(month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found regclass := to_regclass('ledger_' || to_char(month, 'YYYY_MM'));
BEGIN
    IF found IS NULL OR NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = found AND inhparent = 'ledger'::regclass) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %s', found);
    RETURN true;
END $$;

-- Deletes letters about which something was done before an instant, and what was noted of them stays; how many.
CREATE FUNCTION forget_dead_letters(before timestamptz, limited_to bigint) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM dead_letters WHERE id IN (
            SELECT id FROM dead_letters WHERE state <> 'open' AND state_at < before ORDER BY id LIMIT limited_to)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

REVOKE ALL ON FUNCTION renew_personal_keys(text[], bytea[]), rewrite_keys(), drop_ledger_month(date),
    forget_dead_letters(timestamptz, bigint) FROM PUBLIC;
