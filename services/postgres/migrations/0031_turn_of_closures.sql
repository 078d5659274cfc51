-- Who keeps the rows by which closed cases are found has the turn, as whoever merges tallies has.
INSERT INTO turns VALUES ('closures');
