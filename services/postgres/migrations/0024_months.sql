-- A bulletin of a month reads what it needs and no more: of open cases those with a clock past its deadline, of tallies the sums
-- of months that are over.

-- A large table takes longer than a session may otherwise.
SET LOCAL statement_timeout = 0;

-- An open clock may be past its deadline. If it is not marked, none is before `wake_at`: who folds the case marks it or sees to it
-- that it is woken by the first deadline. What is marked wrongly costs time and nothing else. It changes as seldom as cases are late.
ALTER TABLE cases ADD COLUMN overdue boolean NOT NULL DEFAULT false;

-- Nobody has looked: all of them may be, and are looked at next.
UPDATE cases SET overdue = true, wake_at = least(wake_at, received_at) WHERE clocks_run;
CREATE INDEX cases_overdue ON cases (case_id) WHERE overdue;

-- The sums of tallies over the days of calendar months that are over, of those months that `summed_months` lists: what a merge
-- adds to such a day it adds here in the same statement. A month that is not listed has no rows.
CREATE TABLE tally_months (
    measure_id      integer     NOT NULL,   -- of `tally_measures`
    month           date        NOT NULL,   -- its first day
    cell_id         integer     NOT NULL,   -- of `tally_cells`
    value           bigint      NOT NULL,   -- the sum over its days in `tallies`; 0 where they came to nothing
    PRIMARY KEY (measure_id, month, cell_id)
) WITH (fillfactor = 80);

CREATE TABLE summed_months (
    month           date        PRIMARY KEY  -- its first day
);
