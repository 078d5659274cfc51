-- Who may do what: each role of the program has a login of its own (`hotline migrate --roles`), and none of them owns a table.
-- What a login may not do with a table, and must do, are functions of the owner. What is only added to is not changed by
-- anybody, the owner included.

-- Makes the partition of the ledger for a month (its first day, UTC). False where it is there, or where the default partition
-- holds rows of that month. Whoever reads the default partition reads the new one, as a backup does.
CREATE FUNCTION make_ledger_partition(month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name  text := 'ledger_' || to_char(month, 'YYYY_MM');
    first timestamptz := month::timestamp AT TIME ZONE 'UTC';
    next  timestamptz := (month + interval '1 month')::timestamp AT TIME ZONE 'UTC';
    reader oid;
BEGIN
    IF extract(day FROM month) <> 1 THEN
        RAISE EXCEPTION 'a month is named by its first day' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF to_regclass(name) IS NOT NULL
        OR EXISTS (SELECT FROM ledger_default WHERE received_at >= first AND received_at < next) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF ledger FOR VALUES FROM (%L) TO (%L)', name, first, next);
    EXECUTE format('CREATE TRIGGER is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
                   'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
    FOR reader IN
        SELECT grantee FROM pg_class, aclexplode(relacl)
         WHERE pg_class.oid = 'ledger_default'::regclass AND privilege_type = 'SELECT' AND grantee NOT IN (0, relowner)
    LOOP
        EXECUTE format('GRANT SELECT ON %I TO %s', name, reader::regrole);
    END LOOP;
    RETURN true;
END $$;

-- Writes something and changes nothing: whether the database keeps what is written.
CREATE FUNCTION touch_installation() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS 'UPDATE installation SET id = id';

REVOKE ALL ON FUNCTION make_ledger_partition(date), touch_installation() FROM PUBLIC;

-- One event a statement, and none for what is added. Rows of turns are locked and never changed.
DO $$
DECLARE
    kept regclass;
BEGIN
    FOR kept IN
        SELECT oid::regclass FROM pg_class
         WHERE oid = ANY (ARRAY['access_log', 'alarms', 'closure_records', 'closure_seals', 'dead_letter_steps',
                                'interventions', 'log_checkpoints', 'log_cosignatures', 'restatements', 'turns']::regclass[])
            OR oid IN (SELECT relid FROM pg_partition_tree('ledger'))
    LOOP
        EXECUTE format('CREATE TRIGGER is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', kept);
    END LOOP;
    FOR kept IN SELECT unnest(ARRAY['bulletins', 'bulletin_figures']::regclass[]) LOOP
        EXECUTE format('CREATE TRIGGER is_not_emptied BEFORE TRUNCATE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', kept);
    END LOOP;
    -- A row of these is revoked or ended, and stays: without a token the machine itself is an auditor again.
    FOR kept IN SELECT unnest(ARRAY['exports', 'tokens']::regclass[]) LOOP
        EXECUTE format('CREATE TRIGGER keeps_its_rows BEFORE DELETE OR TRUNCATE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', kept);
    END LOOP;
END $$;

-- A bulletin gets its figures in the transaction that publishes it, and none later.
CREATE FUNCTION refuse_late_figure() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    -- A row knows the lower half of the number of its transaction.
    IF NOT EXISTS (
        SELECT FROM bulletins
         WHERE id = NEW.bulletin_id AND xmin::text::bigint = pg_current_xact_id()::text::bigint % 4294967296) THEN
        RAISE EXCEPTION 'bulletin % is not being published: its figures are append-only', NEW.bulletin_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER comes_with_its_bulletin BEFORE INSERT ON bulletin_figures
    FOR EACH ROW EXECUTE FUNCTION refuse_late_figure();
