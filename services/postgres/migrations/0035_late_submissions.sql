-- An open case of which something was entered late is listed, too: those that there are wait for the keeper of the lists.
INSERT INTO closure_changes SELECT case_id FROM cases WHERE backdated_at IS NOT NULL AND closed_at IS NULL AND registered;
