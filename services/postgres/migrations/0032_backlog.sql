-- Open cases by age, with what is the same for all of them asked once: the instant by which they are judged, its day, and the
-- limits, of which each case has passed some.

CREATE OR REPLACE VIEW board.backlog_by_age AS
    WITH clock AS MATERIALIZED (
        SELECT as_of, today,
               ARRAY(SELECT as_of - days * interval '24 hours' FROM unnest(ARRAY[60, 30, 15, 7, 5, 3, 1]) AS days) AS limits
          FROM board.today)
    SELECT counted.department, coalesce(who.name_zh, counted.department) AS department_zh, who.department_group,
           counted.hotline, counted.bucket,
           (ARRAY['≤1 d', '≤3 d', '≤5 d', '≤7 d', '≤15 d', '≤30 d', '≤60 d', '>60 d'])[counted.bucket] AS age,
           counted.cases, counted.overdue, (SELECT as_of FROM clock) AS as_of
      FROM (SELECT coalesce(department, '-') AS department, hotline,
                   (8 - width_bucket(received_at, (SELECT limits FROM clock)))::smallint AS bucket,
                   count(*) AS cases,
                   count(*) FILTER (WHERE due_at <= (SELECT as_of FROM clock)
                       AND (due_at < (SELECT as_of FROM clock) OR due_on < (SELECT today FROM clock))
                       AND NOT coalesce(waits ? 'submitted_in_time', false)) AS overdue
              FROM cases WHERE closed_at IS NULL AND registered GROUP BY 1, 2, 3) AS counted
      LEFT JOIN board_departments AS who ON who.code = counted.department;
