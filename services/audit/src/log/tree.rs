//! The tree: RFC 6962 over tiles of 256 hashes, as C2SP tlog-tiles lays them out.
//!
//! Everything here is computed from tiles that the caller has loaded; which ones a computation needs is asked first
//! ([`needed`]). A tile that is missing or too narrow is an error, never a guess.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use hotline_postgres::closure_log::{Digest, Place, Tile};
use tlog_tiles::{
    EMPTY_HASH, Error, HASH_SIZE, Hash, HashReader, RecordProof, TreeProof, check_tree, prove_record,
    prove_tree, record_hash, tree_hash,
};

/// Levels of the tree in a tile.
const HEIGHT: u8 = 8;
/// Hashes of a full tile.
pub const WIDTH: u64 = 1 << HEIGHT;
/// Levels of tiles: more than a tree of 2^64 leaves has.
const LEVELS: u8 = 8;
const FULL_BYTES: usize = HASH_SIZE << HEIGHT;

/// The root of a tree without leaves.
pub const EMPTY_ROOT: Digest = EMPTY_HASH.0;

/// The hash of a leaf with these bytes.
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    record_hash(bytes).0
}

/// Tiles in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tiles(BTreeMap<Place, Vec<u8>>);

impl Tiles {
    pub fn get(&self, place: Place) -> Option<&[u8]> {
        self.0.get(&place).map(Vec::as_slice)
    }

    /// Forgets the full ones: a tree goes on from those that end it.
    pub fn keep_edge(&mut self) {
        self.0.retain(|_, data| data.len() < FULL_BYTES);
    }

    /// Puts leaves after the first `size`, whose edge must be here; the tiles that changed.
    pub fn append(&mut self, size: u64, leaves: impl Iterator<Item = Digest>) -> Result<Vec<Tile>, Error> {
        let mut changed = BTreeSet::new();
        for (index, leaf) in (size..).zip(leaves) {
            self.push_leaf(index, leaf, &mut changed)?;
        }
        let tile = |place| Tile { place, data: self.0[&place].clone() };
        Ok(changed.into_iter().map(tile).collect())
    }

    /// Puts one leaf after the first `index`, and notes which tiles changed.
    pub fn push_leaf(
        &mut self,
        index: u64,
        leaf: Digest,
        changed: &mut BTreeSet<Place>,
    ) -> Result<(), Error> {
        self.push(0, index, leaf, changed)
    }

    fn push(
        &mut self,
        level: u8,
        index: u64,
        hash: Digest,
        changed: &mut BTreeSet<Place>,
    ) -> Result<(), Error> {
        let place = Place { level, index: index / WIDTH };
        let data = self.0.entry(place).or_default();
        if data.len() as u64 != (index % WIDTH) * HASH_SIZE as u64 {
            return Err(Error::InvalidTile);
        }
        data.extend_from_slice(&hash);
        changed.insert(place);
        if data.len() < FULL_BYTES {
            return Ok(());
        }
        let root = tlog_tiles::Tile::subtree_hash(data);
        self.push(level + 1, index / WIDTH, root.0, changed)
    }

    pub fn root(&self, size: u64) -> Result<Digest, Error> {
        tree_hash(size, self).map(|root| root.0)
    }

    /// Whether the tiles that end a tree of this size are here, each as wide as it must be.
    pub fn ends(&self, size: u64) -> bool {
        edge(size).into_iter().all(|(place, width)| {
            self.get(place).is_some_and(|data| data.len() as u64 == width * HASH_SIZE as u64)
        })
    }
}

impl FromIterator<Tile> for Tiles {
    fn from_iter<T: IntoIterator<Item = Tile>>(tiles: T) -> Self {
        Self(tiles.into_iter().map(|tile| (tile.place, tile.data)).collect())
    }
}

impl HashReader for Tiles {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let read = |&index: &u64| {
            let tile = tlog_tiles::Tile::from_index(HEIGHT, index);
            let data = self.get(place(&tile)).ok_or(Error::InvalidTile)?;
            tile.hash_at_index(data, index)
        };
        indexes.iter().map(read).collect()
    }
}

fn place(tile: &tlog_tiles::Tile) -> Place {
    Place { level: tile.level(), index: tile.level_index() }
}

/// The partial tiles that end a tree of this size, with their widths: enough to append to it and to compute its root.
pub fn edge(size: u64) -> Vec<(Place, u64)> {
    (0..LEVELS)
        .map(|level| (level, size >> (HEIGHT * level)))
        .take_while(|(_, hashes)| *hashes > 0)
        .filter(|(_, hashes)| hashes % WIDTH > 0)
        .map(|(level, hashes)| (Place { level, index: hashes / WIDTH }, hashes % WIDTH))
        .collect()
}

/// All tiles of a tree of this size, with their widths, level by level.
pub fn all(size: u64) -> impl Iterator<Item = (Place, u64)> {
    (0..LEVELS)
        .map(move |level| (level, size >> (HEIGHT * level)))
        .take_while(|(_, hashes)| *hashes > 0)
        .flat_map(|(level, hashes)| {
            (0..hashes.div_ceil(WIDTH))
                .map(move |index| (Place { level, index }, WIDTH.min(hashes - index * WIDTH)))
        })
}

/// What is computed from tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Root {
        size: u64,
    },
    /// The hashes beside the path from a leaf to the root of a tree.
    Inclusion {
        size: u64,
        leaf: u64,
    },
    /// That a tree begins with a smaller one.
    Consistency {
        size: u64,
        before: u64,
    },
}

/// Notes which tiles are read, and reads nothing.
#[derive(Default)]
struct Notes(RefCell<BTreeSet<Place>>);

impl HashReader for Notes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let places = indexes.iter().map(|index| place(&tlog_tiles::Tile::from_index(HEIGHT, *index)));
        self.0.borrow_mut().extend(places);
        Ok(vec![EMPTY_HASH; indexes.len()])
    }
}

/// The tiles that a computation reads.
pub fn needed(wanted: &[Wanted]) -> Vec<Place> {
    let notes = Notes::default();
    for wanted in wanted {
        // What is asked of a tree that cannot be is refused when it is computed.
        let _ = match *wanted {
            Wanted::Root { size } => tree_hash(size, &notes).map(drop),
            Wanted::Inclusion { size, leaf } => prove_record(size, leaf, &notes).map(drop),
            Wanted::Consistency { size, before } => prove_tree(size, before, &notes).map(drop),
        };
    }
    notes.0.into_inner().into_iter().collect()
}

/// The proof that a leaf is in a tree.
pub fn prove_inclusion(tiles: &Tiles, size: u64, leaf: u64) -> Result<RecordProof, Error> {
    prove_record(size, leaf, tiles)
}

/// The proof that a tree begins with a smaller one; nothing begins every tree.
pub fn prove_consistency(tiles: &Tiles, size: u64, before: u64) -> Result<TreeProof, Error> {
    if before == 0 { Ok(Vec::new()) } else { prove_tree(size, before, tiles) }
}

/// Whether the tree `root` of `size` begins with the tree `root_before` of `before`.
pub fn is_consistent(
    proof: &TreeProof,
    (size, root): (u64, &Digest),
    (before, root_before): (u64, &Digest),
) -> bool {
    if before == 0 {
        return proof.is_empty() && *root_before == EMPTY_ROOT;
    }
    check_tree(proof, size, Hash(*root), before, Hash(*root_before)).is_ok()
}

/// Whether a leaf with these bytes is in the tree `root` of `size`.
pub fn is_included(proof: &RecordProof, (size, root): (u64, &Digest), (index, leaf): (u64, &[u8])) -> bool {
    tlog_tiles::check_record(proof, size, Hash(*root), index, record_hash(leaf)).is_ok()
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;
    use hotline_postgres::seal::hex;

    fn leaf(n: u64) -> Vec<u8> {
        format!("leaf {n}").into_bytes()
    }

    fn grown(sizes: &[u64]) -> Tiles {
        let mut tiles = Tiles::default();
        let mut size = 0;
        for next in sizes {
            tiles.append(size, (size..*next).map(|n| leaf_hash(&leaf(n)))).unwrap();
            size = *next;
        }
        tiles
    }

    fn other(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
        let mut tree = MemoryBackedTree::new();
        (0..size).for_each(|n| tree.push(leaf(n)));
        tree
    }

    /// The tree of the reference implementation's tests, which RFC 6962 points to.
    #[test]
    fn roots_are_those_of_rfc_6962() {
        let leaves: [&[u8]; 8] = [
            b"",
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tiles = Tiles::default();
        for (size, (leaf, root)) in (1..).zip(leaves.iter().zip(roots)) {
            tiles.append(size - 1, std::iter::once(leaf_hash(leaf))).unwrap();
            assert_eq!(hex(&tiles.root(size).unwrap()), root);
        }
        assert_eq!(hex(&EMPTY_ROOT), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn every_size_up_to_2000_has_the_root_and_the_proofs_of_another_implementation() {
        let mut tiles = Tiles::default();
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for size in 1..=2_000 {
            tiles.append(size - 1, std::iter::once(leaf_hash(&leaf(size - 1)))).unwrap();
            tree.push(leaf(size - 1));
            let root = tiles.root(size).unwrap();
            assert_eq!(root.as_slice(), tree.root().as_bytes().as_slice(), "root of {size}");
            let index = (size * 7_919) % size.max(1);
            for index in [0, index, size - 1] {
                let ours: Vec<u8> =
                    prove_inclusion(&tiles, size, index).unwrap().iter().flat_map(|hash| hash.0).collect();
                let theirs = tree.prove_inclusion(usize::try_from(index).unwrap());
                assert_eq!(ours, theirs.as_bytes(), "leaf {index} of {size}");
            }
        }
    }

    #[test]
    fn a_tree_that_grows_in_steps_is_the_tree() {
        assert_eq!(grown(&[1, 2, 255, 256, 257, 70_000]), grown(&[70_000]));
        let tiles = grown(&[70_000]);
        let widths: Vec<(Place, u64)> = all(70_000).collect();
        assert_eq!(widths.len(), 273 + 1 + 1 + 1 + 1, "the example of the specification");
        for (place, width) in widths {
            assert_eq!(tiles.get(place).unwrap().len() as u64, width * 32);
        }
        assert!(tiles.ends(70_000) && !tiles.ends(69_999));
    }

    #[test]
    fn an_edge_is_enough_to_go_on() {
        let mut edge = grown(&[70_000]);
        edge.keep_edge();
        let changed = edge.append(70_000, (70_000..70_300).map(|n| leaf_hash(&leaf(n)))).unwrap();
        let whole = grown(&[70_300]);
        assert_eq!(edge.root(70_300).unwrap(), whole.root(70_300).unwrap());
        assert!(changed.iter().all(|tile| whole.get(tile.place) == Some(tile.data.as_slice())));
        assert!(edge.append(70_299, std::iter::once(EMPTY_ROOT)).is_err(), "not its edge");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn proofs_hold_and_are_those_of_another_implementation(size in 1_u64..5_000, a in 0_u64..5_000, b in 0_u64..5_000) {
            let (leaf_index, before) = (a % size, b % size + 1);
            let tiles = grown(&[size]);
            let wanted = [Wanted::Root { size }, Wanted::Root { size: before }, Wanted::Inclusion { size, leaf: leaf_index }, Wanted::Consistency { size, before }];
            let loaded: Tiles = needed(&wanted)
                .into_iter()
                .map(|place| Tile { place, data: tiles.get(place).unwrap().to_vec() })
                .collect();
            let (root, root_before) = (loaded.root(size).unwrap(), loaded.root(before).unwrap());
            let inclusion = prove_inclusion(&loaded, size, leaf_index).unwrap();
            prop_assert!(is_included(&inclusion, (size, &root), (leaf_index, &leaf(leaf_index))));
            prop_assert!(!is_included(&inclusion, (size, &root), (leaf_index, b"another")));
            let consistency = prove_consistency(&loaded, size, before).unwrap();
            prop_assert!(is_consistent(&consistency, (size, &root), (before, &root_before)));
            prop_assert!(before == size || !is_consistent(&consistency, (size, &root), (before, &root)));
            let tree = other(size);
            if before < size {
                let theirs = tree.prove_consistency(usize::try_from(size - before).unwrap());
                let ours: Vec<u8> = consistency.iter().flat_map(|hash| hash.0).collect();
                prop_assert_eq!(ours.as_slice(), theirs.as_bytes());
            }
            let expected = tree.root();
            prop_assert_eq!(root.as_slice(), expected.as_bytes().as_slice());
        }
    }
}
