-- Who takes an origin again after a commit of unknown outcome may lose the answer to that, too.

ALTER TABLE positions ADD COLUMN reclaim bigint;  -- a number of the one that did it, who finds it again by that
