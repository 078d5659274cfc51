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

-- Drops the partition of the ledger of a month (its first day, UTC) and notes who did it, as they call themselves, and under which
-- login. False where there is none. A month that ended less than six months ago stays, whoever asks: its corrections still come.
-- It waits for whoever uses the ledger, and they for it.
CREATE FUNCTION drop_ledger_month(month date, who text, reason text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found regclass := to_regclass('ledger_' || to_char(month, 'YYYY_MM'));
    was   jsonb;
BEGIN
    IF extract(day FROM month) <> 1 THEN
        RAISE EXCEPTION 'a month is named by its first day' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF (month + interval '7 months') AT TIME ZONE 'UTC' > now() THEN
        RAISE EXCEPTION 'the ledger of % ended less than six months ago', to_char(month, 'YYYY-MM')
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF found IS NULL OR NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = found AND inhparent = 'ledger'::regclass) THEN
        RETURN false;
    END IF;
    -- Entries as the server reckons: counting them would read them.
    SELECT jsonb_build_object('month', month::text, 'entries', greatest(reltuples, 0)::bigint,
                              'bytes', pg_total_relation_size(oid), 'login', session_user)
      INTO was FROM pg_class WHERE oid = found;
    EXECUTE format('DROP TABLE %s', found);
    INSERT INTO interventions (at, subject, step, operator, why, before)
    VALUES (now(), 'ledger', 'month_dropped', who, reason, was);
    RETURN true;
END $$;

-- Deletes letters about which something was done before an instant, and what was noted of them stays; how many. It notes who
-- did it, as above.
CREATE FUNCTION forget_dead_letters(before timestamptz, limited_to bigint, who text, reason text) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM dead_letters WHERE id IN (
            SELECT id FROM dead_letters WHERE state <> 'open' AND state_at < $1 ORDER BY id LIMIT limited_to)
        RETURNING 1),
    counted AS (SELECT count(*) AS letters FROM gone),
    noted AS (
        INSERT INTO interventions (at, subject, step, operator, why, before)
        SELECT now(), 'dead_letters', 'forgotten', who, reason,
               jsonb_build_object('letters', letters, 'login', session_user)
          FROM counted WHERE letters > 0)
    SELECT letters FROM counted
$$;

REVOKE ALL ON FUNCTION renew_personal_keys(text[], bytea[]), rewrite_keys(), drop_ledger_month(date, text, text),
    forget_dead_letters(timestamptz, bigint, text, text) FROM PUBLIC;
