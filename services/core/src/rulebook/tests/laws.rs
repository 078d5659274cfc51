//! What holds of any files at all.

use proptest::prelude::*;

use super::super::load;
use super::{GOOD, good};

/// Pieces of rulebooks, so that random texts reach past the parser.
fn piece() -> impl Strategy<Value = String> {
    let words: Vec<String> = GOOD
        .iter()
        .flat_map(|(_, text)| text.split_inclusive(['\n', '=', ',', '"', '[', ']', '{', '}']))
        .map(str::to_owned)
        .collect();
    prop_oneof![8 => proptest::sample::select(words), 1 => ".{0,4}", 1 => "-?[0-9]{1,25}"]
}

fn path() -> impl Strategy<Value = String> {
    proptest::sample::select(GOOD.iter().map(|(path, _)| (*path).to_owned()).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_as_any_file_never_panic(path in path(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut files = good();
        files.insert(path, bytes);
        let _ = load(&files);
    }

    #[test]
    fn pieces_of_rulebooks_in_any_order_never_panic(path in path(), pieces in proptest::collection::vec(piece(), 0..40)) {
        let mut files = good();
        files.insert(path, pieces.concat().into_bytes());
        let _ = load(&files);
    }

    #[test]
    fn a_piece_pasted_anywhere_never_panics(path in path(), at in any::<prop::sample::Index>(), cut in 0_usize..30, piece in piece()) {
        let mut files = good();
        let text: Vec<char> = String::from_utf8(files[&path].clone()).unwrap().chars().collect();
        let at = at.index(text.len() + 1);
        let after = (at + cut).min(text.len());
        let pasted: String = text[..at].iter().chain(&piece.chars().collect::<Vec<_>>()).chain(&text[after..]).collect();
        files.insert(path, pasted.into_bytes());
        let _ = load(&files);
    }

    #[test]
    fn every_fault_names_a_line_that_exists(path in path(), line in 0_usize..30) {
        // One line left out.
        let mut files = good();
        let text = String::from_utf8(files[&path].clone()).unwrap();
        let kept: Vec<&str> =
            text.lines().enumerate().filter(|(n, _)| *n != line).map(|(_, line)| line).collect();
        files.insert(path, kept.join("\n").into_bytes());
        for fault in super::faults(&files) {
            if let (Some(line), Some(bytes)) = (fault.line, files.get(&fault.file)) {
                let lines = bytes.split(|byte| *byte == b'\n').count();
                prop_assert!((1..=lines).contains(&line), "{fault}");
            }
        }
    }
}
