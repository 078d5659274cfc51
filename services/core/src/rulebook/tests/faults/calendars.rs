//! Faults of calendars, alone and extending each other.

use super::{check, said};
use crate::rulebook::tests::{broken, good};

#[test]
fn faults_of_calendars() {
    const FILE: &str = "calendars/cn.toml";
    for (old, new, expect) in [
        ("known_until = 2026-12-25", "known_until = 2024-12-25", "6 known_until empty_range"),
        ("known_until = 2026-12-25", "known_until = 9999-12-25", "6 known_until invalid_value"),
        ("known_until = 2026-12-25\n", "", "1 known_until missing_field"),
        ("\"Asia/Shanghai\"", "\"Asia/Sanmenxia\"", "2 timezone invalid_value"),
        ("\"saturday\", \"sunday\"", "\"saturday\", \"sonntag\"", "3 rest_days[1] unknown_value"),
        (
            "\"sunday\"]",
            "\"sunday\", \"monday\", \"tuesday\", \"wednesday\", \"thursday\", \"friday\"]",
            "3 rest_days invalid_value",
        ),
        ("[\"14:30\", \"17:30\"]", "[\"11:30\", \"17:30\"]", "4 office_hours overlapping_hours"),
        ("[\"14:30\", \"17:30\"]", "[\"17:30\", \"14:30\"]", "4 office_hours[1] invalid_value"),
        ("[\"14:30\", \"17:30\"]", "[\"14:30\"]", "4 office_hours[1] invalid_value"),
        ("[\"14:30\", \"17:30\"]", "[\"14:30\", \"24:30\"]", "4 office_hours[1] invalid_value"),
        ("from = \"06-01\"", "from = \"06-31\"", "9 hours[0].from invalid_value"),
        (
            "[[day]]",
            "[[hours]]\nfrom = \"12-01\"\nuntil = \"06-01\"\noffice_hours = []\n\n[[day]]",
            "13 hours[1] overlapping_hours",
        ),
        ("kind = \"festival\"", "kind = \"holiday\"", "15 kind unknown_value"),
        ("kind = \"festival\"\n", "", "13 kind missing_field"),
        ("date = 2026-01-01", "date = 2026-01-04", "19 date duplicate_day"),
        ("date = 2026-01-01", "date = 2027-01-01", "14 date outside_known?"),
        ("date = 2026-01-04", "date = 2026-01-05", "20 kind without_effect?"),
        ("id = \"cn\"", "id = \"cn\"\nregions = [\"41\"]", "2 regions not_allowed"),
        ("id = \"cn\"", "id = \"cn\"\ncolour = 1", "2 colour unknown_field"),
    ] {
        check(FILE, old, new, &[&format!("{FILE}:{expect}")]);
    }
    check(
        FILE,
        "kind = \"work\"\nname = \"元旦\"\n",
        "kind = \"work\"\n[[day]]\ndate = 2026-01-04\nkind = \"work\"\n",
        &["calendars/cn.toml:22 date duplicate_day?"],
    );
}

#[test]
fn calendars_that_extend_nothing_or_themselves() {
    let lakeside = "calendars/lakeside.toml";
    check(lakeside, "\"cn\"", "\"china\"", &["calendars/lakeside.toml:2 extends dangling_id"]);
    let mut files = good();
    let town = "id = \"town\"\nextends = \"lakeside\"\nregions = [\"4112\"]\n";
    files.insert("calendars/town.toml".into(), town.into());
    assert_eq!(said(&files), ["calendars/town.toml:3 regions duplicate_id"]);
    files = broken(lakeside, "\"cn\"", "\"town\"");
    files.insert("calendars/town.toml".into(), town.into());
    assert_eq!(
        said(&files),
        ["calendars/lakeside.toml:2 extends cycle", "calendars/town.toml:2 extends cycle"]
    );
    check(
        "rulebook.toml",
        "calendar = \"cn\"",
        "calendar = \"us\"",
        &["rulebook.toml:3 calendar dangling_id"],
    );
}
