-- A rung is known by what it says (b+0h: breach, 0 hours after), no longer by its place in the ladder: another rung before it
-- leaves its name as it is.

ALTER TABLE alarms ALTER COLUMN rung TYPE text COLLATE "C" USING '#' || rung;  -- #: of the old way; shown, and not looked at again

-- What fell due by now was told under the old names, and is not told again.
UPDATE installation SET alarms_from = now() WHERE EXISTS (SELECT FROM alarms);
