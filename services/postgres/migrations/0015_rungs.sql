-- A rung is known by what it says (b+0h: breach, 0 hours after), no longer by its place in the ladder: another rung before it
-- leaves its name as it is. Null: told by its place, as older programs do.

ALTER TABLE alarms
    ADD COLUMN rung_name text COLLATE "C",
    ALTER COLUMN rung SET DEFAULT 0;
