//! What each role of the program needs: a line for each table, and nothing that no statement of it asks for.
//!
//! A new table is a line here, and a row of deploy/postgres/grants.md; a test fails until both are there.

use super::Role;

/// In the order of [`Role::ALL`].
pub(super) type Line = (&'static str, [&'static str; Role::ALL.len()]);

/// Tables, views and sequences. As in PostgreSQL's own lists: `r` select, `a` insert, `w` update, `d` delete, `U` draw
/// numbers; with columns where only those are meant. What is only added to has `r` and `a` for everybody.
#[rustfmt::skip]
pub(super) const RELATIONS: &[Line] = &[
    // relation              gateway  casework  timekeeper  relay  rates  audit  operator
    ("_sqlx_migrations",     ["r",    "r",      "r",        "r",   "r",   "r",   "r"]),
    ("access_log",            ["", "", "", "", "", "r a", "r a"]),
    ("activation_turn",      ["",     "d",      "d",        "",    "",    "",    "r d"]),
    ("alarms",               ["r",    "r",      "r a",      "",    "",    "r",   "r"]),
    ("board_definitions",    ["",     "",       "",         "",    "r a w d", "", "r"]),
    ("board_departments",    ["",     "",       "",         "",    "r a w d", "", "r"]),
    ("board_months",         ["r",    "",       "",         "",    "r a w d", "", "r"]),
    ("board_rates",          ["",     "",       "",         "",    "r a w d", "", "r"]),
    ("board_rules",          ["",     "",       "",         "",    "r a w",   "", "r"]),
    ("board_scores",         ["",     "",       "",         "",    "r a w d", "", "r"]),
    ("board_times",          ["",     "",       "",         "",    "r a w d", "", "r"]),
    ("bulletin_figures",     ["r",    "",       "",         "",    "r",   "r",   "r a"]),
    ("bulletins",            ["r",    "",       "",         "",    "r",   "r",   "r a"]),
    ("cases",                ["r",    "r a w",  "r w",      "",    "r",   "r",   "r a w"]),
    ("closure_changes",       ["", "a", "a", "", "", "r d", "r a"]),
    ("closure_days",          ["", "", "", "", "", "r a w(cases) d", "r"]),
    ("closure_findings",      ["", "", "", "", "", "r a d", "r"]),
    ("closure_records",      ["",     "a",      "a",        "",    "",    "r a", "r a"]),
    ("closure_seals",        ["",     "",       "",         "",    "",    "r a", "r a"]),
    ("closures",              ["", "", "", "", "", "r a d", "r"]),
    ("dead_letter_steps",    ["r a",  "",       "",         "",    "",    "",    "r a"]),
    ("dead_letters",         ["r w(state,state_at)", "a", "", "",  "r(reason,received_at,source,state)", "", "r w"]),
    ("deliveries",           ["r",    "",       "",         "r a w", "r", "",    "r"]),
    ("exports",               ["", "", "", "", "", "r a w(ended_at,rows_done,state)", "r"]),
    ("figures",              ["r",    "r a",    "",         "",    "r",   "r",   "r a"]),
    ("fold_progress",        ["",     "",       "",         "",    "",    "",    "r"]),
    ("installation",         ["r a",  "r a",    "r a",      "r",   "r",   "r",   "r a"]),
    ("interventions",        ["a",    "a",      "",         "",    "",    "r",   "r a"]),
    ("ledger",               ["r",    "r a",    "a",        "",    "r",   "r",   "r a"]),
    ("ledger_blocks",        ["",     "U",      "U",        "",    "",    "",    "r U"]),
    ("log_checkpoints",      ["",     "",       "",         "",    "",    "r a", "r a"]),
    ("log_cosignatures",     ["",     "",       "",         "",    "",    "r a", "r"]),
    ("log_state",            ["",     "",       "",         "",    "",    "r a w", "r a w"]),
    ("log_tiles",            ["",     "",       "",         "",    "",    "r a w(data,width)", "r a w(data,width)"]),
    ("notices",              ["r",    "r a",    "r a",      "r w(number) d", "r(number,written_at)", "r", "r a"]),
    ("personal",             ["",     "a",      "",         "",    "",    "r",   "r a d"]),
    ("personal_keys",        ["",     "r a",    "",         "",    "",    "r",   "r a w(erased_at,wrapped)"]),
    ("positions",            ["r",    "r a w",  "",         "",    "r",   "r",   "r a w"]),
    ("refolds",              ["r",    "r a w(after_case,cases,done_at,restated)", "r w(after_case,done_at)", "", "r", "r", "r w(after_case,done_at)"]),
    ("restatements",         ["r",    "a",      "a",        "",    "r",   "r",   "r a"]),
    ("rulebooks",            ["r",    "r a w(recorded)", "r", "",   "r",   "r",   "r a w(recorded)"]),
    ("stopped_sources",      ["r a d", "r a",   "",         "",    "r",   "",    "r a d"]),
    ("summed_months",        ["r",    "r a",    "",         "",    "r",   "",    "r d"]),
    ("tallies",              ["r",    "r a w(value) d", "", "",    "r",   "r",   "r"]),
    ("tally_cells",          ["r",    "r a",    "r a",      "",    "r",   "r",   "r a"]),
    ("tally_deltas",         ["r",    "r a d",  "a",        "",    "r",   "r",   "r a"]),
    ("tally_measures",       ["r",    "r a",    "r a",      "",    "r",   "r",   "r a"]),
    ("tally_months",         ["r",    "r a w(value)", "",   "",    "r",   "",    "r d"]),
    ("tally_sums",           ["",     "",       "",         "",    "",    "r",   "r"]),
    ("tokens",                ["", "", "", "", "", "r w(last_used_on)", "r a w(revoked_at,revoked_by)"]),
    ("turns",                ["",     "r w(what)", "",      "r w(what)", "r w(what)", "r w(what)", "r w(what)"]),
    ("undelivered",          ["r",    "",       "",         "r a w(again,given_up_at,why) d", "r", "", "r w(again) d"]),
];

/// Functions that act with the owner's rights: `X`, to call them.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Line] = &[
    // function                     gateway  casework  timekeeper  relay  rates  audit  operator
    ("drop_ledger_month(date,text,text)", ["", "", "", "", "", "", "X"]),
    ("forget_dead_letters(timestamp with time zone,bigint,text,text)", ["", "", "", "", "", "", "X"]),
    ("make_ledger_partition(date)", ["",     "X",      "",         "",    "",    "",    "X"]),
    ("renew_personal_keys(text[],bytea[])", ["", "X", "",     "",    "",    "",    "X"]),
    ("rewrite_keys()",              ["",     "",       "",         "",    "",    "",    "X"]),
    ("touch_installation()",        ["",     "X",      "X",        "X",   "",    "",    ""]),
];
