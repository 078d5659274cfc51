//! Lists the files of the demonstration's rulebook, so that the binary carries them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    let mut files = BTreeMap::new();
    // Of two files with one path the later stands.
    for folder in ["rulebook", "demo"] {
        let root = deploy.join(folder);
        println!("cargo:rerun-if-changed={}", root.display());
        list(&root, &root, &mut files)?;
    }
    let mut code = "&[\n".to_owned();
    for (path, file) in &files {
        writeln!(code, "    ({path:?}, include_bytes!({file:?})),").map_err(io::Error::other)?;
    }
    code.push(']');
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    std::fs::write(Path::new(&out).join("rulebook.rs"), code)
}

/// The files below a folder by their path from the root, but for what is not part of a rulebook.
fn list(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension != "md") {
            let name = path.strip_prefix(root).map_err(io::Error::other)?.to_string_lossy().into_owned();
            files.insert(name, path.canonicalize()?.to_string_lossy().into_owned());
        }
    }
    Ok(())
}
