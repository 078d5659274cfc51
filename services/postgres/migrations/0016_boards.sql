-- What boards show: lists of open cases, and rates, scores and times to close that were computed by the code of bulletins.
-- All of it is read through the views of the schema `board`, whose readers can read nothing else.

ALTER TABLE cases
    ADD COLUMN waits        jsonb,        -- what it waits for and since when, as hotline-core says; null: nothing
    ADD COLUMN backdated_at timestamptz,  -- when a fact was last counted at its receipt, being entered too late
    ADD COLUMN reporter_tag text;         -- the source's keyed hash of the caller

-- The times to close of a month, from the index alone. A closing moves a row to another index as it is.
CREATE INDEX cases_closed ON cases (closed_at) INCLUDE (received_at, hotline, department)
    WHERE closed_at IS NOT NULL AND registered;
CREATE INDEX cases_backdated ON cases (backdated_at) WHERE backdated_at IS NOT NULL;
-- Empty unless sources send the tag.
CREATE INDEX cases_repeat ON cases (received_at) INCLUDE (reporter_tag, hotline, department, closed_at)
    WHERE reporter_tag IS NOT NULL AND registered;

-- The rulebook of the boards: its names, which SQL cannot read out of its files.
CREATE TABLE board_rules (
    one             boolean     PRIMARY KEY DEFAULT true CHECK (one),  -- there is exactly one row
    rulebook_seq    bigint      NOT NULL,   -- the activation
    rulebook_hash   text        NOT NULL,
    fold_version    integer     NOT NULL,   -- the program's fold
    timezone        text        NOT NULL    -- whose days are meant
);

CREATE TABLE board_departments (
    code            text        PRIMARY KEY COLLATE "C",
    name_zh         text        NOT NULL,
    name_en         text        NOT NULL,
    department_group text                   -- in which it is ranked
);

CREATE TABLE board_definitions (
    kind            text        NOT NULL CHECK (kind IN ('rate', 'score')),
    id              text        NOT NULL COLLATE "C",
    version         integer     NOT NULL,
    name_zh         text        NOT NULL,
    name_en         text        NOT NULL,
    basis           text,                   -- of a rate: whose day a thing counts on
    numerator       text        NOT NULL,   -- what is added up; of a score: its weighted rates
    denominator     text,
    filter          text,                   -- of a rate: which cases and roles; null: lead departments, all cases
    groups          text[],                 -- of a score: the groups of departments; empty: all
    rank_from       integer,                -- smaller denominators are not ranked; null: never ranked
    best            text,                   -- of a rate: highest or lowest
    PRIMARY KEY (kind, id)
);

-- The snapshot that a month's rows were read in.
CREATE TABLE board_months (
    month           date        PRIMARY KEY,  -- its first day
    until           date        NOT NULL,   -- the first day after it
    begins_at       timestamptz NOT NULL,   -- 00:00 of its first day in the rulebook's zone
    as_of           timestamptz NOT NULL,   -- what open clocks were doing is as of then
    rulebook_seq    bigint      NOT NULL,
    rulebook_hash   text        NOT NULL,
    fold_version    integer     NOT NULL,
    positions       jsonb       NOT NULL,   -- by origin, the next offset to read
    refold_pending  boolean     NOT NULL    -- some cases still counted as an older rulebook or program judged them
);

CREATE TABLE board_rates (
    rate            text        NOT NULL COLLATE "C",
    month           date        NOT NULL,
    hotline         text        NOT NULL COLLATE "C",  -- `*`: all
    department      text        NOT NULL COLLATE "C",  -- `*`: all; `-`: nobody
    version         integer     NOT NULL,
    numerator       bigint      NOT NULL,   -- in units of 1/scale
    denominator     bigint      NOT NULL,
    scale           bigint      NOT NULL,
    department_group text,
    rank            integer,
    PRIMARY KEY (rate, month, hotline, department)
);
CREATE INDEX board_rates_month ON board_rates (month);

CREATE TABLE board_scores (
    score           text        NOT NULL COLLATE "C",
    month           date        NOT NULL,
    hotline         text        NOT NULL COLLATE "C",
    department      text        NOT NULL COLLATE "C",
    version         integer     NOT NULL,
    points          double precision NOT NULL,  -- 0 to 100
    department_group text,
    rank            integer,
    terms           jsonb       NOT NULL,   -- [{"rate", "weight", "value", "counted"}]
    PRIMARY KEY (score, month, hotline, department)
);

CREATE TABLE board_times (
    month           date        NOT NULL,
    hotline         text        NOT NULL COLLATE "C",
    department      text        NOT NULL COLLATE "C",
    cases           bigint      NOT NULL,   -- closed in the month
    p50             interval    NOT NULL,   -- half of them were closed within this time of their receipt
    p90             interval    NOT NULL,
    PRIMARY KEY (month, hotline, department)
);

CREATE SCHEMA board;
COMMENT ON SCHEMA board IS 'What boards read. Nothing personal; every number has its definition as a comment and its stamp as columns.';

-- The one clock of SQL, which a session may set: lists are judged by it, and tests look at other instants.
CREATE FUNCTION board.as_of() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(nullif(current_setting('hotline.as_of', true), '')::timestamptz, now());
COMMENT ON FUNCTION board.as_of() IS 'By which instant lists are judged: now, or what the session set as hotline.as_of.';

-- Of two times the hours from the second to the first.
CREATE FUNCTION board.hours(later timestamptz, earlier timestamptz) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN round(extract(epoch FROM later - earlier) / 3600, 2)::double precision;
COMMENT ON FUNCTION board.hours(timestamptz, timestamptz) IS 'Hours from the second instant to the first, to a hundredth.';

CREATE VIEW board.today AS
    SELECT as_of, timezone, (as_of AT TIME ZONE timezone)::date AS today,
           ((as_of AT TIME ZONE timezone)::date + 1)::timestamp AT TIME ZONE timezone AS ends_at
      FROM (SELECT board.as_of() AS as_of,
                   coalesce((SELECT timezone FROM board_rules), 'Asia/Shanghai') AS timezone) AS clock;
COMMENT ON VIEW board.today IS 'The day by which lists are judged, in the zone of the rulebook. A deadline that ends with its day is past as the next one begins.';

CREATE VIEW board.record_stamp AS
    SELECT today.as_of, today.today, today.timezone, active.seq AS rulebook_seq, active.hash AS rulebook_hash,
           newest.fold_version, refolds.done_at IS NULL AS fold_pending, read.positions, read.records,
           read.last_received_at, shown.as_of AS rates_as_of, shown.rulebook_hash AS rates_rulebook_hash,
           extract(epoch FROM today.as_of - shown.as_of)::double precision AS rates_age_seconds
      FROM board.today
      LEFT JOIN (SELECT seq, hash FROM rulebooks ORDER BY seq DESC LIMIT 1) AS active ON true
      LEFT JOIN (SELECT greatest((SELECT max(fold_version) FROM refolds),
                                 (SELECT fold_version FROM board_rules)) AS fold_version) AS newest ON true
      LEFT JOIN refolds ON refolds.rulebook_seq = active.seq AND refolds.fold_version = newest.fold_version
      LEFT JOIN (SELECT jsonb_object_agg(origin, next_offset) AS positions, sum(records)::bigint AS records,
                        max(last_received_at) AS last_received_at FROM positions) AS read ON true
      LEFT JOIN (SELECT as_of, rulebook_hash FROM board_months ORDER BY month DESC LIMIT 1) AS shown ON true;
COMMENT ON VIEW board.record_stamp IS 'Where the figures stand: rulebook in force, what was read so far, how old the rates are.';

CREATE VIEW board.departments AS
    SELECT code, name_zh, name_en, department_group FROM board_departments;
COMMENT ON VIEW board.departments IS 'Departments (承办单位) of the rulebook in force.';

CREATE VIEW board.rate_definitions AS
    SELECT id AS rate, version, name_zh, name_en, basis, numerator, denominator, filter, rank_from, best,
           rulebook_seq, rulebook_hash
      FROM board_definitions, board_rules WHERE kind = 'rate';
COMMENT ON VIEW board.rate_definitions IS 'Definitions of rates (指标口径) of the rulebook in force: what is divided by what.';

CREATE VIEW board.score_definitions AS
    SELECT id AS score, version, name_zh, name_en, numerator AS terms, groups, rank_from, rulebook_seq, rulebook_hash
      FROM board_definitions, board_rules WHERE kind = 'score';
COMMENT ON VIEW board.score_definitions IS 'Definitions of scores (综合得分) of the rulebook in force: weighted rates with floors.';

CREATE VIEW board.rates_of_record AS
    SELECT month, months.begins_at AS time, rates.rate, rates.version, named.name_zh, named.name_en,
           rates.department, coalesce(who.name_zh, rates.department) AS department_zh, rates.department_group,
           rates.hotline, rates.numerator, rates.denominator, rates.scale,
           rates.numerator::double precision / nullif(rates.denominator, 0) AS value,
           CASE WHEN p IS NOT NULL
                THEN greatest(0, (p + 1.920729 / n - 1.959964 * sqrt(p * (1 - p) / n + 0.960365 / (n * n))) / (1 + 3.841459 / n)) END AS low,
           CASE WHEN p IS NOT NULL
                THEN least(1, (p + 1.920729 / n + 1.959964 * sqrt(p * (1 - p) / n + 0.960365 / (n * n))) / (1 + 3.841459 / n)) END AS high,
           rates.rank, month AS period_from, months.until AS period_to, months.rulebook_seq, months.rulebook_hash,
           months.fold_version, months.as_of, months.positions, months.refold_pending
      FROM board_rates AS rates
      JOIN board_months AS months USING (month)
      LEFT JOIN board_definitions AS named ON named.kind = 'rate' AND named.id = rates.rate
      LEFT JOIN board_departments AS who ON who.code = rates.department
     CROSS JOIN LATERAL (SELECT nullif(rates.denominator, 0)::double precision / rates.scale AS n,
                                CASE WHEN rates.numerator BETWEEN 0 AND rates.denominator
                                     THEN rates.numerator::double precision / nullif(rates.denominator, 0) END AS p) AS share;
COMMENT ON VIEW board.rates_of_record IS
    'Rates by month, department and hotline, to the integer what `hotline bulletin` and `hotline replay` give; see rate_definitions.';

CREATE VIEW board.scores_of_record AS
    SELECT month, months.begins_at AS time, scores.score, scores.version, named.name_zh, named.name_en,
           scores.department, coalesce(who.name_zh, scores.department) AS department_zh, scores.department_group,
           scores.hotline, scores.points, scores.rank, scores.terms, months.rulebook_seq, months.rulebook_hash,
           months.fold_version, months.as_of, months.positions, months.refold_pending
      FROM board_scores AS scores
      JOIN board_months AS months USING (month)
      LEFT JOIN board_definitions AS named ON named.kind = 'score' AND named.id = scores.score
      LEFT JOIN board_departments AS who ON who.code = scores.department;
COMMENT ON VIEW board.scores_of_record IS 'Scores (综合得分) by month, department and hotline, as `hotline bulletin` gives them.';

CREATE VIEW board.time_to_close AS
    SELECT month, months.begins_at AS time, times.department, coalesce(who.name_zh, times.department) AS department_zh,
           who.department_group, times.hotline, times.cases,
           round(extract(epoch FROM times.p50) / 3600, 2)::double precision AS p50_hours,
           round(extract(epoch FROM times.p90) / 3600, 2)::double precision AS p90_hours,
           months.rulebook_seq, months.rulebook_hash, months.fold_version, months.as_of, months.positions,
           months.refold_pending
      FROM board_times AS times
      JOIN board_months AS months USING (month)
      LEFT JOIN board_departments AS who ON who.code = times.department;
COMMENT ON VIEW board.time_to_close IS
    'Time to close (办结时长) of the cases whose last closing, of whatever kind, is in the month: from the receipt of the case, in hours of the clock.';

CREATE VIEW board.open_cases AS
    SELECT cases.case_id, cases.hotline, cases.case_type, array_to_string(cases.category, ' / ') AS category,
           cases.region, cases.channel, cases.class, coalesce(cases.department, '-') AS department,
           coalesce(who.name_zh, cases.department, '-') AS department_zh, who.department_group, cases.received_at,
           cases.rounds, cases.due_at, cases.due_on, board.hours(cases.due_at, board.as_of()) AS hours_left,
           cases.rulebook_seq, rulebooks.hash AS rulebook_hash, board.as_of() AS as_of,
           coalesce(cases.waits ? 'submitted_in_time', false) AS submitted_in_time, cases.waits
      FROM cases
      LEFT JOIN rulebooks ON rulebooks.seq = cases.rulebook_seq
      LEFT JOIN board_departments AS who ON who.code = cases.department
     WHERE cases.closed_at IS NULL AND cases.registered;
COMMENT ON VIEW board.open_cases IS 'Registered cases whose last round is open (在办).';

CREATE VIEW board.due_today AS
    SELECT case_id, hotline, case_type, category, region, channel, class, department, department_zh,
           department_group, received_at, rounds, due_at, due_on, hours_left, rulebook_seq, rulebook_hash, as_of
      FROM board.open_cases
     WHERE due_at >= as_of AND due_at <= (SELECT ends_at FROM board.today)
       AND due_on = (SELECT today FROM board.today) AND NOT submitted_in_time;
COMMENT ON VIEW board.due_today IS
    'Due today (今日到期): the closure clock runs, today is its last day in time and the deadline is not past; not submitted in time.';

CREATE VIEW board.overdue AS
    SELECT case_id, hotline, case_type, category, region, channel, class, department, department_zh,
           department_group, received_at, rounds, due_at, due_on, hours_left, rulebook_seq, rulebook_hash, as_of,
           -hours_left AS hours_late
      FROM board.open_cases
     WHERE due_at <= as_of AND (due_at < as_of OR due_on < (SELECT today FROM board.today)) AND NOT submitted_in_time;
COMMENT ON VIEW board.overdue IS
    'Overdue (超期未办结): the deadline of the running closure clock is past; a case submitted in time waits for its review and is not.';

CREATE VIEW board.near_due AS
    SELECT case_id, hotline, case_type, category, region, channel, class, department, department_zh,
           department_group, received_at, rounds, due_at, due_on, hours_left, rulebook_seq, rulebook_hash, as_of
      FROM board.open_cases
     WHERE due_at >= as_of AND due_at <= as_of + interval '24 hours' AND due_on >= (SELECT today FROM board.today)
       AND NOT submitted_in_time;
COMMENT ON VIEW board.near_due IS
    'Near due (临期): the running closure clock ends within 24 hours of the clock, whatever the office hours.';

CREATE VIEW board.unsigned AS
    SELECT case_id, hotline, case_type, category, region, channel, class, department, department_zh,
           department_group, received_at, rounds, due_at, due_on, hours_left, rulebook_seq, rulebook_hash, as_of,
           waits->>'signature_of' AS waiting_for, (waits->>'signature_since')::timestamptz AS since, board.hours(as_of, (waits->>'signature_since')::timestamptz) AS hours_waiting,
           (waits->>'signature_due_at')::timestamptz AS sign_due_at,
           board.hours((waits->>'signature_due_at')::timestamptz, as_of) AS sign_hours_left
      FROM board.open_cases
     WHERE waits ? 'signature_since';
COMMENT ON VIEW board.unsigned IS
    'Unsigned (未签收): a clock of a policy of the family sign is open; of several departments the one that must sign first.';

CREATE VIEW board.waiting_for_review AS
    SELECT case_id, hotline, case_type, category, region, channel, class, department, department_zh,
           department_group, received_at, rounds, due_at, due_on, hours_left, rulebook_seq, rulebook_hash, as_of,
           (waits->>'review_since')::timestamptz AS since, board.hours(as_of, (waits->>'review_since')::timestamptz) AS hours_waiting,
           submitted_in_time AS in_time
      FROM board.open_cases
     WHERE waits ? 'review_since';
COMMENT ON VIEW board.waiting_for_review IS
    'Waiting for review (待审核): submitted by a department that still holds it, neither closed nor refused; since the first such submission.';

CREATE VIEW board.returned AS
    SELECT case_id, hotline, case_type, category, region, channel, class, department, department_zh,
           department_group, received_at, rounds, due_at, due_on, hours_left, rulebook_seq, rulebook_hash, as_of,
           CASE WHEN waits ? 'return_asked_since' THEN 'asked' ELSE 'to_dispatch' END AS state,
           coalesce((waits->>'return_asked_since')::timestamptz, (waits->>'dispatch_since')::timestamptz) AS since,
           board.hours(as_of, coalesce((waits->>'return_asked_since')::timestamptz,
                                       (waits->>'dispatch_since')::timestamptz)) AS hours_waiting
      FROM board.open_cases
     WHERE waits ? 'return_asked_since' OR waits ? 'is_returned';
COMMENT ON VIEW board.returned IS
    'Returned (退单): a department asked to give the case back and has no answer (asked), or gave it back and nobody leads yet (to_dispatch).';

CREATE VIEW board.undispatched AS
    SELECT case_id, hotline, case_type, category, region, channel, class, department, department_zh,
           department_group, received_at, rounds, due_at, due_on, hours_left, rulebook_seq, rulebook_hash, as_of,
           (waits->>'dispatch_since')::timestamptz AS since, board.hours(as_of, (waits->>'dispatch_since')::timestamptz) AS hours_waiting,
           waits ? 'is_returned' AS is_returned
      FROM board.open_cases
     WHERE waits ? 'dispatch_since';
COMMENT ON VIEW board.undispatched IS
    'Undispatched (待派单): open and no department leads, since the receipt, the reopening or the return.';

CREATE VIEW board.extension_waiting AS
    SELECT case_id, hotline, case_type, category, region, channel, class, department, department_zh,
           department_group, received_at, rounds, due_at, due_on, hours_left, rulebook_seq, rulebook_hash, as_of,
           (waits->>'extension_since')::timestamptz AS since, board.hours(as_of, (waits->>'extension_since')::timestamptz) AS hours_waiting,
           waits->>'extension_of' AS stage
      FROM board.open_cases
     WHERE waits ? 'extension_since';
COMMENT ON VIEW board.extension_waiting IS
    'Extension waiting (延期待批): asked for by the lead of today and neither granted nor refused; since the first time of asking.';

CREATE VIEW board.parked AS
    SELECT case_id, hotline, case_type, category, region, channel, class, department, department_zh,
           department_group, received_at, rounds, due_at, due_on, hours_left, rulebook_seq, rulebook_hash, as_of,
           (waits->>'hold_since')::timestamptz AS since, board.hours(as_of, (waits->>'hold_since')::timestamptz) AS hours_waiting,
           (waits->>'hold_until')::timestamptz AS until, waits->>'hold_reason' AS reason
      FROM board.open_cases
     WHERE waits ? 'hold_since' AND coalesce((waits->>'hold_until')::timestamptz > as_of, true);
COMMENT ON VIEW board.parked IS
    'Parked (暂停计时): a hold stands; of several the one that ends last. Whether it stops a clock is for the policy of the clock.';

CREATE VIEW board.backdated AS
    SELECT cases.case_id, cases.hotline, cases.case_type, array_to_string(cases.category, ' / ') AS category,
           cases.region, cases.channel, cases.class, coalesce(cases.department, '-') AS department,
           coalesce(who.name_zh, cases.department, '-') AS department_zh, who.department_group, cases.received_at,
           cases.rounds, cases.due_at, cases.due_on, board.hours(cases.due_at, board.as_of()) AS hours_left,
           cases.rulebook_seq, rulebooks.hash AS rulebook_hash, board.as_of() AS as_of,
           cases.backdated_at AS since, cases.closed_at IS NULL AS is_open, cases.closed_at
      FROM cases
      LEFT JOIN rulebooks ON rulebooks.seq = cases.rulebook_seq
      LEFT JOIN board_departments AS who ON who.code = cases.department
     WHERE cases.backdated_at > board.as_of() - interval '90 days' AND cases.registered;
COMMENT ON VIEW board.backdated IS
    'Back-dated (补录): a fact was claimed earlier than its source may enter facts late, and was counted at its receipt, within the last 90 days.';

-- One pass over the open cases for all numbers at the top of a board.
CREATE VIEW board.worklist_counts AS
    SELECT counted.department, coalesce(who.name_zh, counted.department) AS department_zh, who.department_group,
           counted.hotline, counted.open, counted.overdue, counted.due_today, counted.near_due_4h,
           counted.near_due_24h, counted.unsigned, counted.unsigned_late, counted.waiting_for_review,
           counted.return_asked, counted.to_dispatch_again, counted.undispatched, counted.extension_waiting,
           counted.parked, counted.oldest_received_at, counted.oldest_due_at, board.as_of() AS as_of
      FROM (SELECT coalesce(department, '-') AS department, hotline, count(*) AS open,
                   count(*) FILTER (WHERE runs AND is_past) AS overdue,
                   count(*) FILTER (WHERE runs AND NOT is_past AND due_on = (SELECT today FROM board.today)) AS due_today,
                   count(*) FILTER (WHERE runs AND NOT is_past AND due_at <= board.as_of() + interval '4 hours') AS near_due_4h,
                   count(*) FILTER (WHERE runs AND NOT is_past AND due_at <= board.as_of() + interval '24 hours') AS near_due_24h,
                   count(*) FILTER (WHERE waits ? 'signature_since') AS unsigned,
                   count(*) FILTER (WHERE (waits->>'signature_due_at')::timestamptz < board.as_of()) AS unsigned_late,
                   count(*) FILTER (WHERE waits ? 'review_since') AS waiting_for_review,
                   count(*) FILTER (WHERE waits ? 'return_asked_since') AS return_asked,
                   count(*) FILTER (WHERE waits ? 'is_returned') AS to_dispatch_again,
                   count(*) FILTER (WHERE waits ? 'dispatch_since') AS undispatched,
                   count(*) FILTER (WHERE waits ? 'extension_since') AS extension_waiting,
                   count(*) FILTER (WHERE waits ? 'hold_since'
                       AND coalesce((waits->>'hold_until')::timestamptz > board.as_of(), true)) AS parked,
                   min(received_at) AS oldest_received_at, min(due_at) FILTER (WHERE runs) AS oldest_due_at
              FROM (SELECT department, hotline, received_at, due_at, due_on, waits,
                           NOT coalesce(waits ? 'submitted_in_time', false) AS runs,
                           due_at < board.as_of() OR due_at = board.as_of() AND due_on < (SELECT today FROM board.today) AS is_past
                      FROM cases WHERE closed_at IS NULL AND registered) AS open_cases
             GROUP BY 1, 2) AS counted
      LEFT JOIN board_departments AS who ON who.code = counted.department;
COMMENT ON VIEW board.worklist_counts IS 'How many cases stand on each list, by department and hotline.';

CREATE VIEW board.backlog_by_age AS
    SELECT counted.department, coalesce(who.name_zh, counted.department) AS department_zh, who.department_group,
           counted.hotline, counted.bucket,
           (ARRAY['≤1 d', '≤3 d', '≤5 d', '≤7 d', '≤15 d', '≤30 d', '≤60 d', '>60 d'])[counted.bucket] AS age,
           counted.cases, counted.overdue, board.as_of() AS as_of
      FROM (SELECT coalesce(department, '-') AS department, hotline,
                   (1 + (received_at < board.as_of() - interval '24 hours')::integer
                      + (received_at < board.as_of() - interval '72 hours')::integer
                      + (received_at < board.as_of() - interval '120 hours')::integer
                      + (received_at < board.as_of() - interval '168 hours')::integer
                      + (received_at < board.as_of() - interval '360 hours')::integer
                      + (received_at < board.as_of() - interval '720 hours')::integer
                      + (received_at < board.as_of() - interval '1440 hours')::integer)::smallint AS bucket,
                   count(*) AS cases,
                   count(*) FILTER (WHERE due_at <= board.as_of()
                       AND (due_at < board.as_of() OR due_on < (SELECT today FROM board.today))
                       AND NOT coalesce(waits ? 'submitted_in_time', false)) AS overdue
              FROM cases WHERE closed_at IS NULL AND registered GROUP BY 1, 2, 3) AS counted
      LEFT JOIN board_departments AS who ON who.code = counted.department;
COMMENT ON VIEW board.backlog_by_age IS
    'Open cases by age since the receipt of the case, in days of 24 hours, cut at the legal limits.';

CREATE VIEW board.repeat_callers AS
    SELECT reporter_tag AS reporter, count(*) AS cases, count(*) FILTER (WHERE closed_at IS NULL) AS open,
           array_agg(DISTINCT coalesce(department, '-')) AS departments, array_agg(DISTINCT hotline) AS hotlines,
           min(received_at) AS first_received_at, max(received_at) AS last_received_at, board.as_of() AS as_of
      FROM cases
     WHERE reporter_tag IS NOT NULL AND registered AND received_at > board.as_of() - interval '30 days'
       AND received_at <= board.as_of()
     GROUP BY reporter_tag HAVING count(*) > 1;
COMMENT ON VIEW board.repeat_callers IS
    'Repeat callers (重复来电): keyed hashes, as the source sends them, with more than one case received in the last 30 days.';

-- A word means the same in every view.
DO $$
DECLARE
    said record;
BEGIN
    FOR said IN
        SELECT attrelid::regclass AS view, attname, meaning FROM (VALUES
        ('age', 'The bucket in words.'),
        ('as_of', 'The instant by which this was judged.'),
        ('basis', 'Whose day a thing counts on: received, dispatched, closed, rated, due, event.'),
        ('best', 'Which value ranks first: highest or lowest.'),
        ('bucket', '1 to 8, from young to old.'),
        ('case_id', 'The case, <hotline>:<number>.'),
        ('case_type', 'The latest type of the case.'),
        ('cases', 'How many cases.'),
        ('category', 'The latest category, from broad to narrow.'),
        ('channel', 'How it was reported.'),
        ('class', 'The class of the case in the rulebook.'),
        ('closed_at', 'When its last round was closed; null while open.'),
        ('code', 'The code of the department.'),
        ('denominator', 'What is divided by: of a definition the measures, of a row their sum in units of 1/scale.'),
        ('department', 'Who leads, or of a closed case who closed; * all, - nobody.'),
        ('department_group', 'The group in which it is ranked; null: none.'),
        ('department_zh', 'The name of the department in Chinese; its code where the rulebook does not know it.'),
        ('departments', 'Who leads or closed them.'),
        ('due_at', 'The deadline of the running closure clock; null: there is none, or it is held without an end.'),
        ('due_on', 'The last day in time, in the zone of the rulebook.'),
        ('due_today', 'Cases on the list due_today.'),
        ('ends_at', 'When the day ends.'),
        ('extension_waiting', 'Cases on the list extension_waiting.'),
        ('filter', 'Which cases and roles count; null: lead departments, all cases.'),
        ('first_received_at', 'The receipt of the first case in the span.'),
        ('fold_pending', 'Some cases are still judged by an older rulebook or program.'),
        ('fold_version', 'The version of the program that judged.'),
        ('groups', 'The groups of departments; empty: all.'),
        ('high', 'The upper end of the 95 % interval of Wilson; null where the rate is no share.'),
        ('hotline', 'The hotline; * all.'),
        ('hotlines', 'Of which hotlines.'),
        ('hours_late', 'Hours of the clock since the deadline.'),
        ('hours_left', 'Hours of the clock until the deadline; negative: past.'),
        ('hours_waiting', 'Hours of the clock since then.'),
        ('in_time', 'Submitted in time: the closure clock stands still until the review.'),
        ('is_open', 'Its last round is open.'),
        ('is_returned', 'A department gave it back.'),
        ('last_received_at', 'The receipt of the newest one.'),
        ('low', 'The lower end of the 95 % interval of Wilson; null where the rate is no share.'),
        ('month', 'The first day of the month.'),
        ('name_en', 'The name in English.'),
        ('name_zh', 'The name in Chinese.'),
        ('near_due_24h', 'Cases on the list near_due.'),
        ('near_due_4h', '… of which due within 4 hours of the clock.'),
        ('numerator', 'What is divided: of a definition the measures, of a row their sum in units of 1/scale.'),
        ('oldest_due_at', 'The earliest deadline of a running closure clock.'),
        ('oldest_received_at', 'The earliest receipt of an open case.'),
        ('open', 'Cases that are open.'),
        ('overdue', 'Cases on the list overdue.'),
        ('p50_hours', 'Half of them were closed within so many hours of the clock.'),
        ('p90_hours', 'Nine of ten were closed within so many hours of the clock.'),
        ('parked', 'Cases on the list parked.'),
        ('period_from', 'The first day that counts.'),
        ('period_to', 'The first day that no longer counts.'),
        ('points', '0 to 100.'),
        ('positions', 'By origin, the next offset to read: what was known.'),
        ('rank', 'Its place within its group and hotline, ties share it; null: not ranked.'),
        ('rank_from', 'Smaller denominators are shown, not ranked; null: never ranked.'),
        ('rate', 'The id of the definition.'),
        ('rates_age_seconds', 'How old the rates of the current month are.'),
        ('rates_as_of', 'The instant of the rates of the current month.'),
        ('rates_rulebook_hash', 'The rulebook of the rates of the current month.'),
        ('reason', 'The reason of the hold.'),
        ('received_at', 'When the case was received, as counted.'),
        ('records', 'Records read, of all origins.'),
        ('refold_pending', 'Some cases still counted as an older rulebook or program judged them.'),
        ('region', 'The latest region.'),
        ('reporter', 'A keyed hash of the caller, as the source sends it.'),
        ('return_asked', 'Cases on the list returned whose department has no answer.'),
        ('rounds', 'How often the case was opened.'),
        ('rulebook_hash', 'The rulebook that judged.'),
        ('rulebook_seq', 'The activation of the rulebook that judged.'),
        ('scale', '1, or what weights and money are counted in parts of.'),
        ('score', 'The id of the definition.'),
        ('sign_due_at', 'By when it must be signed for.'),
        ('sign_hours_left', 'Hours of the clock until then; negative: past.'),
        ('since', 'Since when.'),
        ('stage', 'The stage that is to be extended.'),
        ('state', 'asked: the department has no answer; to_dispatch: given back, and nobody leads.'),
        ('submitted_in_time', 'Submitted in time: the closure clock stands still until the review.'),
        ('terms', 'The rates, their weights and floors; of a row also their values and what counts of them.'),
        ('time', 'The beginning of the month in the zone of the rulebook.'),
        ('timezone', 'The zone of the rulebook.'),
        ('to_dispatch_again', 'Cases on the list returned that nobody leads.'),
        ('today', 'The day.'),
        ('undispatched', 'Cases on the list undispatched.'),
        ('unsigned', 'Cases on the list unsigned.'),
        ('unsigned_late', '… of which the time to sign is over.'),
        ('until', 'When the hold ends; null: when it is released.'),
        ('value', 'Numerator by denominator; null: no data.'),
        ('version', 'The version of the definition.'),
        ('waiting_for', 'The department that has not signed.'),
        ('waiting_for_review', 'Cases on the list waiting_for_review.'),
        ('waits', 'All that it waits for, as the fold has it.'))
            AS words (word, meaning)
          JOIN pg_attribute ON attname = word AND attnum > 0
          JOIN pg_class ON pg_class.oid = attrelid AND relnamespace = 'board'::regnamespace AND relkind = 'v'
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', said.view, said.attname, said.meaning);
    END LOOP;
END $$;
