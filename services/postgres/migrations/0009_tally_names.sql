-- What is counted, and whose it is, stood as eight texts in every row; now it is named once, and a tally is four numbers:
-- rows are a third as long, and merging compares integers.

CREATE TABLE tally_measures (
    id              integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    basis           text        NOT NULL COLLATE "C",  -- whose day: received, dispatched, closed, rated, due, event
    measure         text        NOT NULL COLLATE "C",  -- `each.close.met`, `received`, …
    UNIQUE (basis, measure)
);

CREATE TABLE tally_cells (
    id              integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    department      text        NOT NULL COLLATE "C",  -- who is charged; `-` where nobody is
    role            text        NOT NULL COLLATE "C",  -- lead, co, sub
    hotline         text        NOT NULL COLLATE "C",  -- the hotline's code
    case_type       text        NOT NULL COLLATE "C",  -- as at the round's closing, else the latest
    class           text        NOT NULL COLLATE "C",  -- the class of the case
    UNIQUE (department, role, hotline, case_type, class)
);

ALTER TABLE tallies RENAME TO tallies_by_text;
ALTER TABLE tallies_by_text RENAME CONSTRAINT tallies_pkey TO tallies_by_text_pkey;
ALTER TABLE tally_deltas RENAME TO tally_deltas_by_text;

-- A batch appends what it changed; one compactor merges it.
CREATE TABLE tally_deltas (
    measure_id      integer     NOT NULL,   -- of `tally_measures`
    day             date        NOT NULL,   -- in the rulebook's zone
    cell_id         integer     NOT NULL,   -- of `tally_cells`
    value           bigint      NOT NULL CHECK (value <> 0)  -- what a batch changed
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_insert_threshold = -1);

CREATE TABLE tallies (
    measure_id      integer     NOT NULL,
    day             date        NOT NULL,
    cell_id         integer     NOT NULL,
    value           bigint      NOT NULL,   -- the sum of all deltas merged so far; never 0
    -- A rate asks for a few measures over some days.
    PRIMARY KEY (measure_id, day, cell_id)
) WITH (fillfactor = 80);

INSERT INTO tally_measures (basis, measure)
SELECT basis, measure FROM tallies_by_text UNION SELECT basis, measure FROM tally_deltas_by_text ORDER BY 1, 2;

INSERT INTO tally_cells (department, role, hotline, case_type, class)
SELECT department, role, hotline, case_type, class FROM tallies_by_text
UNION SELECT department, role, hotline, case_type, class FROM tally_deltas_by_text ORDER BY 1, 2, 3, 4, 5;

INSERT INTO tallies (measure_id, day, cell_id, value)
SELECT tally_measures.id, day, tally_cells.id, value FROM tallies_by_text
  JOIN tally_measures USING (basis, measure)
  JOIN tally_cells USING (department, role, hotline, case_type, class);

INSERT INTO tally_deltas (measure_id, day, cell_id, value)
SELECT tally_measures.id, day, tally_cells.id, value FROM tally_deltas_by_text
  JOIN tally_measures USING (basis, measure)
  JOIN tally_cells USING (department, role, hotline, case_type, class);

DROP TABLE tallies_by_text, tally_deltas_by_text;

-- What is true: the sum of both tables, by name.
CREATE VIEW tally_sums AS
    SELECT basis, day, hotline, case_type, class, department, role, measure, parts.value
      FROM (SELECT measure_id, day, cell_id, sum(value)::bigint AS value
              FROM (SELECT * FROM tallies UNION ALL SELECT * FROM tally_deltas) AS unsummed
             GROUP BY measure_id, day, cell_id HAVING sum(value) <> 0) AS parts
      JOIN tally_measures ON tally_measures.id = measure_id
      JOIN tally_cells ON tally_cells.id = cell_id;
