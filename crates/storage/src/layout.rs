//! Where a blob is, in a directory and in a bucket alike: `ab/cd/abcd…`, so that one can be copied to the other as it is.

use docket_core::digest::Sha256;

/// The key of a blob. Keys sort as digests do.
pub(crate) fn key(digest: Sha256) -> String {
    let hex = digest.hex();
    format!("{}/{}/{hex}", &hex[0..2], &hex[2..4])
}

/// The blob that has this key; `None` for what is not a blob of ours.
pub(crate) fn digest(found: &str) -> Option<Sha256> {
    let digest = Sha256::from_hex(found.rsplit('/').next()?).ok()?;
    (key(digest) == found).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what this store wrote is taken for a blob.
    #[test]
    fn a_key_names_its_digest_and_nothing_else_does() {
        let blob = Sha256::of(b"hello");
        assert_eq!(digest(&key(blob)), Some(blob));
        let hex = blob.hex();
        for other in [
            "",
            "notes.txt",
            &hex,
            &format!("00/00/{hex}"),
            &format!("x/{}", key(blob)),
            &key(blob).to_uppercase(),
        ] {
            assert_eq!(digest(other), None, "{other}");
        }
    }
}
