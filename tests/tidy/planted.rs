//! Bugs are planted by replacing what stands in a file: a list of them is good for as long as it still stands there.

use std::collections::BTreeSet;

use hotline_tests::read;

const LIST: &str = "tests/planted/bugs.toml";
/// Fewer say little about the tests.
const BUGS_MIN: usize = 30;

/// A bug of the list, as far as planting it goes.
struct Bug<'t> {
    id: &'t str,
    file: &'t str,
    old: &'t str,
    new: &'t str,
}

impl<'t> Bug<'t> {
    /// Reads a table of the list: its members in their order, and no more of TOML than the list uses.
    fn read(table: &'t str) -> Self {
        let mut rest = table;
        let mut member = |name| take(&mut rest, name);
        let id = member("id");
        member("says");
        let file = member("file");
        member("package");
        member("test");
        Self { id, file, old: member("old"), new: member("new") }
    }
}

/// Takes a member off the front: `name = "…"` without escapes, or `name = '''…'''`. A new line right behind the quotes
/// is none of the text.
fn take<'t>(rest: &mut &'t str, name: &str) -> &'t str {
    let text: &'t str = rest;
    let line = text.lines().next().unwrap_or_default();
    let value = text.strip_prefix(name).and_then(|text| text.strip_prefix(" = "));
    let value = value.unwrap_or_else(|| panic!("{LIST}: {name} is expected in place of: {line}"));
    let quotes = if value.starts_with("'''") { "'''" } else { "\"" };
    let inside = value.strip_prefix(quotes).and_then(|value| value.split_once(quotes));
    let (value, after) = inside.unwrap_or_else(|| panic!("{LIST}: no text: {line}"));
    *rest = after.strip_prefix('\n').unwrap_or_else(|| panic!("{LIST}: more than a text: {line}"));
    value.strip_prefix('\n').unwrap_or(value)
}

#[test]
fn every_planted_bug_can_still_be_planted() {
    let list = read(LIST);
    let bugs: Vec<Bug<'_>> = list.split("[[bug]]\n").skip(1).map(Bug::read).collect();
    assert!(bugs.len() >= BUGS_MIN, "{LIST} has {} bugs, at least {BUGS_MIN} are expected", bugs.len());
    let ids: BTreeSet<&str> = bugs.iter().map(|bug| bug.id).collect();
    assert_eq!(ids.len(), bugs.len(), "an id stands twice in {LIST}");
    for Bug { id, file, old, new } in bugs {
        let found = read(file).matches(old).count();
        assert_eq!(found, 1, "{id}: what it breaks stands {found} times in {file}");
        assert_ne!(old, new, "{id} breaks nothing");
    }
}
