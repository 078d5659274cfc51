-- An export that nobody reads on is ended, and noted as that: its place is for others.

ALTER TABLE exports DROP CONSTRAINT exports_state_check;
ALTER TABLE exports ADD CONSTRAINT exports_state_check
    CHECK (state IN ('running', 'done', 'broken', 'idle'));  -- idle: broken, since whoever asked for it took nothing for a while
