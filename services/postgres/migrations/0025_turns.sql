-- Turns: what only one does at a time. Rows and a table that only our own roles can reach: an advisory lock could be taken by
-- anybody who may connect, and would hold up all others.

CREATE TABLE turns (
    what            text        PRIMARY KEY COLLATE "C"  -- whose turn it is, is who has locked the row
);

INSERT INTO turns VALUES ('boards'), ('ledger_partitions'), ('notices'), ('tallies');

-- Without rows. Batches lock it in SHARE MODE and go on beside each other; what changes the rules that all of them go by locks it
-- so that it waits for those under way, and those that follow wait for it.
CREATE TABLE activation_turn ();
