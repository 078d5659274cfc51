//! Paths of static resources, as C2SP tlog-tiles has them: `tile/<level>/<index>[.p/<width>]` and `tile/entries/…`.
//!
//! An index is written three digits at a time, `x001/x234/067`, so that no directory grows large.

use hotline_postgres::closure_log::Place;

use super::tree::WIDTH;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Hashes of the tree.
    Hashes { place: Place, width: u64 },
    /// The leaves of a tile of level 0, each with its length before it.
    Entries { index: u64, width: u64 },
}

/// The path of a tile, beginning with `tile/`.
pub fn of_hashes(place: Place, width: u64) -> String {
    format!("tile/{}/{}", place.level, of_index(place.index, width))
}

/// The path of a bundle of leaves.
pub fn of_entries(index: u64, width: u64) -> String {
    format!("tile/entries/{}", of_index(index, width))
}

fn of_index(index: u64, width: u64) -> String {
    let mut path = format!("{:03}", index % 1_000);
    let mut rest = index / 1_000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1_000);
        rest /= 1_000;
    }
    if width < WIDTH { format!("{path}.p/{width}") } else { path }
}

/// What a path asks for; None: it is not one that [`of_hashes`] or [`of_entries`] write.
pub fn parse(path: &str) -> Option<Asked> {
    let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok().filter(|width| (1..WIDTH).contains(width))?),
        None => (rest, WIDTH),
    };
    // Seven elements are more than any number of leaves.
    if index.split('/').count() > 7 {
        return None;
    }
    let index = index.split('/').try_fold(0_u64, |index, element| {
        let digits = element.strip_prefix('x').unwrap_or(element);
        let digits = (digits.len() == 3).then(|| digits.parse::<u64>().ok())??;
        index.checked_mul(1_000)?.checked_add(digits)
    })?;
    let asked = if kind == "entries" {
        Asked::Entries { index, width }
    } else {
        Asked::Hashes { place: Place { level: kind.parse().ok().filter(|level| *level < 64)?, index }, width }
    };
    // One way to write it, so that caches hold it once.
    (written(asked) == path).then_some(asked)
}

fn written(asked: Asked) -> String {
    match asked {
        Asked::Hashes { place, width } => of_hashes(place, width),
        Asked::Entries { index, width } => of_entries(index, width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let place = |level, index| Place { level, index };
        for (path, asked) in [
            ("tile/0/000", Asked::Hashes { place: place(0, 0), width: 256 }),
            ("tile/0/273.p/112", Asked::Hashes { place: place(0, 273), width: 112 }),
            ("tile/2/000.p/1", Asked::Hashes { place: place(2, 0), width: 1 }),
            ("tile/1/x001/x234/067", Asked::Hashes { place: place(1, 1_234_067), width: 256 }),
            ("tile/entries/x001/x234/067.p/8", Asked::Entries { index: 1_234_067, width: 8 }),
        ] {
            assert_eq!(parse(path), Some(asked));
            assert_eq!(written(asked), path);
        }
    }

    #[test]
    fn another_way_to_write_a_path_is_none() {
        for path in [
            "tile/8/0/000",
            "tile/00/000",
            "tile/0/0",
            "tile/0/1000",
            "tile/0/001/067",
            "tile/0/x000/067",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/08",
            "tile/64/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
            "tile/-1/000",
            "tile/entries/",
            "tile/0/+01",
            "checkpoint",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn the_library_writes_another_prefix() {
        // Go's form has the height in it, C2SP's has not: why the paths are ours.
        assert_eq!(tlog_tiles::Tile::new(8, 1, 1_234_067, 8, false).path(), "tile/8/1/x001/x234/067.p/8");
    }
}
