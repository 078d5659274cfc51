-- What fell due before a database was told alarms from is no news: an upgrade is quiet.

ALTER TABLE installation ADD COLUMN alarms_from timestamptz;  -- null: from the beginning on

UPDATE installation SET alarms_from = now() WHERE EXISTS (SELECT FROM cases);
