//! The contents of the real registry, from the archive that the test `real_registry` of `docket-core` reads as well.

use std::{env, fs::File, path::Path, path::PathBuf};

/// Unpacks it into `folder`: `metadata` and `package-sets`, and the registry index in `index`.
pub(crate) fn unpack(folder: &Path) -> anyhow::Result<()> {
    let archive = env::var_os("DOCKET_REAL_REGISTRY").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/purescript-registry.tar.zst"),
        PathBuf::from,
    );
    tar::Archive::new(zstd::Decoder::new(File::open(archive)?)?).unpack(folder)?;
    Ok(())
}
