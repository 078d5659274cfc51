-- Bulletins that were published: their figures as they were, and what it takes to make the same figures again.

CREATE TABLE bulletins (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- how people name it
    published_at    timestamptz NOT NULL,
    operator        text        NOT NULL,   -- who published it, as they call themselves
    why             text        NOT NULL,   -- the reason that they gave
    form            text        NOT NULL COLLATE "C",  -- the form's id
    form_version    integer     NOT NULL,   -- … and version
    form_hash       text        NOT NULL,   -- SHA-256 of the form's bytes, in hexadecimal
    form_text       text        NOT NULL,   -- the form as it was written
    period          text        NOT NULL,   -- as it was asked for: 2026-09, 2026-W40, FROM..TO
    spans           jsonb       NOT NULL,   -- {"period": [from, to], "before": …, "year_before": …}, `to` not included
    rulebook_seq    bigint      NOT NULL REFERENCES rulebooks,  -- the rulebook by which every case was folded
    rulebook_hash   text        NOT NULL,   -- … by name
    fold_version    integer     NOT NULL,   -- the program's fold
    definitions     jsonb       NOT NULL,   -- the version of every rate and score, by id
    positions       jsonb       NOT NULL,   -- by origin, the next offset to read: what came later is not in it
    ledger_below    bigint      NOT NULL,   -- ledger entries below this number were known, others not: our own decisions have no offset
    as_of           timestamptz NOT NULL,   -- what open clocks were doing is as of this instant
    annexes         jsonb       NOT NULL    -- lists of cases, without personal data: [{"annex", "rows"}]
);

CREATE TABLE bulletin_figures (
    bulletin_id     bigint      NOT NULL REFERENCES bulletins,
    span            text        NOT NULL CHECK (span IN ('period', 'before', 'year_before')),
    sort            text        NOT NULL CHECK (sort IN ('rate', 'score', 'reported')),
    figure          text        NOT NULL COLLATE "C",  -- the id of the rate or score, or the measure reported
    department      text        NOT NULL COLLATE "C",  -- `-`: nobody; `*`: reported of none
    version         integer     NOT NULL,   -- of the definition; 0 for what is reported
    numerator       bigint,                 -- of a rate, in units of 1/scale
    denominator     bigint,
    scale           bigint,
    value           double precision,       -- the points of a score, the sum of what is reported
    rank_group      text,                   -- the group in which the department is ranked
    rank            integer,
    PRIMARY KEY (bulletin_id, span, sort, figure, department),
    CHECK ((sort = 'rate') = (numerator IS NOT NULL AND denominator IS NOT NULL AND scale IS NOT NULL)),
    CHECK ((sort = 'rate') = (value IS NULL))
);

-- What was published stays as it was.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER bulletins_are_frozen BEFORE UPDATE OR DELETE ON bulletins
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bulletin_figures_are_frozen BEFORE UPDATE OR DELETE ON bulletin_figures
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Annexes of a bulletin look for the few cases that were ruled on, extended or corrected. A snapshot may say so, too.
CREATE INDEX ledger_of_annexes ON ledger (type, received_at) INCLUDE (case_id)
    WHERE type IN ('hotline.case.ruled.v1', 'hotline.case.extended.v1', 'hotline.case.corrected.v1',
                   'hotline.case.snapshot.v1');
