-- What operators did with the closure log is listed: two or three records among millions.
CREATE INDEX closure_records_steps ON closure_records (id) WHERE kind IN ('relog', 'adopt');
