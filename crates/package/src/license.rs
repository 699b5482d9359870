//! Which licences the source says it has, and whether the manifest says so too.
//!
//! The registry demands that every licence found in the files is named in the manifest (registry spec, step 10).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use docket_core::license::License;
use spdx::detection::{Store, TextData};

use crate::CheckError;
use crate::rejection::Rejection;

/// Bytes of a licence file that are read; the longest licence text has 60 kB.
const MAX_BYTES: u64 = 500_000;

/// Similarity from which a text is said to be a licence.
const CONFIDENT: f32 = 0.95;

/// Two licences whose similarity to a text differs by less cannot be told apart.
const INDISTINGUISHABLE: f32 = 0.02;

/// The texts of all SPDX licences. Reading them takes a tenth of a second and 38 MB, so it is done once, and only by who looks at a licence.
static TEXTS: LazyLock<Store> =
    LazyLock::new(|| Store::load_inline().expect("the licence texts that are compiled in can be read"));

/// Checks that every licence found in `dir` is named in `declared`.
///
/// A file that cannot be recognised says nothing.
///
/// # Errors
///
/// [`Rejection::LicenseDiffers`] with the licences that were found.
pub fn check(dir: &Path, declared: &License) -> Result<(), CheckError> {
    let named = declared.ids();
    let mut detected = BTreeSet::new();
    for text in license_files(dir)? {
        detected.extend(detect(&text, &named));
    }
    detected.extend(package_json(dir)?);
    if detected.iter().all(|id| is_named(id, &named)) {
        return Ok(());
    }
    Err(Rejection::LicenseDiffers {
        detected,
        declared: declared.clone(),
    }
    .into())
}

/// Returns the licence of `text`; one of `named` when the text cannot tell it from another.
fn detect(text: &str, named: &BTreeSet<String>) -> Option<String> {
    let text = TextData::new(text);
    let best = TEXTS.analyze(&text);
    if best.score < CONFIDENT {
        return None;
    }
    let aliases = TEXTS.aliases(best.name).map(Vec::as_slice).unwrap_or_default();
    let texts_of_best: BTreeSet<String> = aliases
        .iter()
        .map(String::as_str)
        .chain([best.name])
        .map(family)
        .collect();
    let same = || named.iter().find(|id| texts_of_best.contains(&family(id)));
    let close = || {
        let threshold = best.score - INDISTINGUISHABLE;
        let entries = || TEXTS.iter().map(|(id, entry)| (family(id), &entry.original));
        named.iter().find(|named| {
            entries().any(|(id, original)| id == family(named) && text.match_score(original) > threshold)
        })
    };
    Some(
        same()
            .or_else(close)
            .cloned()
            .unwrap_or_else(|| best.name.to_owned()),
    )
}

/// The same text stands for `GPL-3.0`, `GPL-3.0-only` and `GPL-3.0-or-later`.
fn family(id: &str) -> String {
    let id = id.to_uppercase();
    let id = id.strip_suffix('+').unwrap_or(&id);
    let id = id
        .strip_suffix("-ONLY")
        .or_else(|| id.strip_suffix("-OR-LATER"))
        .unwrap_or(id);
    id.to_owned()
}

/// True when `named` has `id`, or the two differ only in that one does not say whether later versions are meant.
///
/// Detectors and old `package.json` files answer the bare `GPL-3.0`. Where both do say it, they must agree.
fn is_named(id: &str, named: &BTreeSet<String>) -> bool {
    let id = id.to_uppercase();
    let bare = family(&id);
    named
        .iter()
        .any(|named| *named == id || (family(named) == bare && (id == bare || *named == bare)))
}

fn license_files(dir: &Path) -> Result<Vec<String>, CheckError> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(CheckError::local("read the source"))? {
        let entry = entry.map_err(CheckError::local("read the source"))?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if (name.starts_with("LICENSE") || name.starts_with("LICENCE")) && entry.path().is_file() {
            texts.extend(read_text(&entry.path())?);
        }
    }
    Ok(texts)
}

/// The `license` of a `package.json`. What does not parse says nothing, as with the other files.
fn package_json(dir: &Path) -> Result<BTreeSet<String>, CheckError> {
    let path = dir.join("package.json");
    if !path.is_file() {
        return Ok(BTreeSet::new());
    }
    let text = read_text(&path)?.unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let written = json
        .get("license")
        .and_then(|license| license.as_str())
        .unwrap_or_default();
    let ids = License::parse_lenient(written)
        .map(|license| license.ids())
        .unwrap_or_default();
    // Reading leniently turns an old `GPL-3.0` into `GPL-3.0-only`, but the author did not say "only".
    let said = written.to_uppercase();
    let as_said = |id: String| if said.contains(&id) { id } else { without_only(&id) };
    Ok(ids.into_iter().map(as_said).collect())
}

fn without_only(id: &str) -> String {
    id.strip_suffix("-ONLY").unwrap_or(id).to_owned()
}

fn read_text(path: &Path) -> Result<Option<String>, CheckError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(CheckError::local("read the source"))?;
    let size = file
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(CheckError::local("read the source"))?;
    Ok((size as u64 <= MAX_BYTES).then(|| String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn check(files: &[(&str, &str)], declared: &str) -> Result<(), CheckError> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        super::check(dir.path(), &License::parse_strict(declared).unwrap())
    }

    const MIT: &str = "MIT License\n\nCopyright (c) 2020 Jane Doe\n\nPermission is hereby granted, free of charge, to \
        any person obtaining a copy of this software and associated documentation files (the \"Software\"), to deal in \
        the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, \
        distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is \
        furnished to do so, subject to the following conditions:\n\nThe above copyright notice and this permission \
        notice shall be included in all copies or substantial portions of the Software.\n\nTHE SOFTWARE IS PROVIDED \
        \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF \
        MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR \
        COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR \
        OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.";

    #[test]
    fn a_licence_that_the_manifest_names_is_fine() {
        check(&[("LICENSE", MIT)], "MIT").unwrap();
        check(
            &[("licence.md", MIT), ("package.json", r#"{"license":"MIT"}"#)],
            "MIT OR Apache-2.0",
        )
        .unwrap();
        check(
            &[("LICENSE", "All rights are somewhere."), ("package.json", "{")],
            "MIT",
        )
        .unwrap();
        check(&[], "MIT").unwrap();
    }

    #[test]
    fn a_licence_that_the_manifest_does_not_name_is_refused_with_both() {
        for files in [[("LICENSE-MIT", MIT)], [("package.json", r#"{"license":"MIT"}"#)]] {
            let Err(CheckError::Rejected(Rejection::LicenseDiffers { detected, declared })) =
                check(&files, "BSD-3-Clause")
            else {
                panic!("{files:?} was not refused");
            };
            assert_eq!(detected.into_iter().collect::<Vec<_>>(), ["MIT"]);
            assert_eq!(declared.to_string(), "BSD-3-Clause");
        }
    }

    #[test]
    fn one_text_for_two_identifiers_fits_either() {
        for bare in ["GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0"] {
            let (only, or_later) = (format!("{bare}-only"), format!("{bare}-or-later"));
            let text = spdx::license_id(&only).unwrap().text();
            let package_json = format!(r#"{{"license":"{bare}"}}"#);
            for files in [[("LICENSE", text)], [("package.json", &package_json)]] {
                check(&files, &only).unwrap();
                check(&files, &or_later).unwrap();
                check(&files, &format!("MIT OR {or_later}")).unwrap();
                assert!(check(&files, "MIT").is_err(), "{bare} is not MIT");
            }
        }
    }

    #[test]
    fn a_related_licence_is_another_licence() {
        for (found, declared) in [
            ("GPL-2.0-only", "GPL-3.0-or-later"),
            ("GPL-3.0-only", "AGPL-3.0-only"),
            ("LGPL-3.0-only", "GPL-3.0-or-later"),
            ("AGPL-3.0-only", "GPL-3.0-only"),
        ] {
            let text = spdx::license_id(found).unwrap().text();
            assert!(
                check(&[("LICENSE", text)], declared).is_err(),
                "{found} for {declared}"
            );
        }
        let package_json = [("package.json", r#"{"license":"GPL-3.0-or-later"}"#)];
        assert!(
            check(&package_json, "GPL-3.0-only").is_err(),
            "here both say whether later versions are meant"
        );
    }

    /// Similar texts must not be taken for one another, nor the right one refused.
    #[test]
    fn every_common_licence_is_told_from_the_others() {
        let common = [
            "MIT",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "Apache-2.0",
            "ISC",
            "MPL-2.0",
            "LGPL-3.0-only",
            "CC0-1.0",
        ];
        for id in common {
            for declared in common {
                let named = BTreeSet::from([declared.to_uppercase()]);
                let found = detect(spdx::license_id(id).unwrap().text(), &named).unwrap();
                assert_eq!(
                    found.to_uppercase() == declared.to_uppercase(),
                    id == declared,
                    "{id} taken for {found}"
                );
            }
        }
    }
}
