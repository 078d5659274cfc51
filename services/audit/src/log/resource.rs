//! What is at the paths of the log, as C2SP tlog-tiles has them: for copies, and for whoever asks over HTTP.

use hotline_postgres::{Error as Store, PgConnection, closure_log};

use super::path::Asked;
use super::tree::WIDTH;

/// The bytes of a resource of the log in force; None: that much was not signed.
pub(crate) async fn read(tx: &mut PgConnection, asked: Asked) -> Result<Option<Vec<u8>>, Store> {
    let Some(state) = closure_log::state(tx).await? else { return Ok(None) };
    let Some(signed) = closure_log::last_signed(tx, state.log, None).await? else { return Ok(None) };
    match asked {
        Asked::Hashes { place, width } => {
            let hashes = signed.size.checked_shr(u32::from(place.level) * WIDTH.ilog2()).unwrap_or(0);
            if !is_signed(place.index, width, hashes) {
                return Ok(None);
            }
            let found = closure_log::tiles(tx, state.log, &[place]).await?;
            // A narrower tile is the beginning of a wider one.
            let bytes = usize::try_from(width * 32).unwrap_or(usize::MAX);
            Ok(found.into_iter().next().and_then(|tile| tile.data.get(..bytes).map(<[u8]>::to_vec)))
        }
        Asked::Entries { index, width } => {
            if !is_signed(index, width, signed.size) {
                return Ok(None);
            }
            let limit = i64::try_from(width).unwrap_or(i64::MAX);
            let sealed = closure_log::sealed_from(tx, state.log, index * WIDTH, limit).await?;
            Ok(bundle(sealed.iter().map(|sealed| sealed.leaf.as_deref()), width))
        }
    }
}

fn is_signed(index: u64, width: u64, hashes: u64) -> bool {
    index.checked_mul(WIDTH).and_then(|first| first.checked_add(width)).is_some_and(|end| end <= hashes)
}

/// Leaves one after another, each with its length in two bytes before it. None: one is missing.
pub(crate) fn bundle<'l>(leaves: impl Iterator<Item = Option<&'l [u8]>>, width: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut count = 0;
    for leaf in leaves {
        let leaf = leaf?;
        bytes.extend_from_slice(&u16::try_from(leaf.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(leaf);
        count += 1;
    }
    (count == width).then_some(bytes)
}

/// The leaves of a bundle; None: it is not one.
pub(crate) fn unbundle(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut leaves = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (leaf, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        leaves.push(leaf);
        bytes = rest;
    }
    bytes.is_empty().then_some(leaves)
}
