//! Checks the header of every module that a package ships.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use docket_core::purescript::parse_header;
use docket_core::version::Version;

use crate::CheckError;
use crate::rejection::Rejection;

/// From this compiler on a header that cannot be read is an error; older sources may use syntax of their time.
const STRICT_SINCE: Version = Version {
    major: 0,
    minor: 15,
    patch: 0,
};

/// Checks the `.purs` files among `files`, which are relative to `package_dir`.
///
/// Returns sentences about headers that only old compilers may accept.
///
/// # Errors
///
/// [`Rejection::ModuleNameForbidden`] or [`Rejection::ModuleHeaderInvalid`] for the first bad module.
pub fn check_headers(
    package_dir: &Path,
    files: &BTreeSet<PathBuf>,
    compiler: Version,
) -> Result<Vec<String>, CheckError> {
    let mut warnings = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "purs"))
    {
        let path = file.display().to_string();
        let bytes = std::fs::read(package_dir.join(file)).map_err(CheckError::local("read the source"))?;
        let invalid = match std::str::from_utf8(&bytes).map(parse_header) {
            Ok(Ok(header)) if header.is_forbidden() => {
                return Err(Rejection::ModuleNameForbidden {
                    path,
                    module: header.name,
                }
                .into());
            }
            Ok(Ok(_)) => continue,
            Ok(Err(err)) => Rejection::ModuleHeaderInvalid {
                path,
                line: err.line,
                problem: err.message,
            },
            Err(_) => Rejection::ModuleHeaderInvalid {
                path,
                line: 1,
                problem: "the file is not UTF-8".into(),
            },
        };
        if compiler >= STRICT_SINCE {
            return Err(invalid.into());
        }
        warnings.push(invalid.to_string());
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &[u8], compiler: &str) -> Result<Vec<String>, CheckError> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("src")).unwrap();
        std::fs::write(dir.path().join(path), text).unwrap();
        check_headers(
            dir.path(),
            &BTreeSet::from([path.into()]),
            compiler.parse().unwrap(),
        )
    }

    #[test]
    fn names_of_programs_are_forbidden_in_packages() {
        for name in ["Main", "Test.Main"] {
            let result = check(
                "src/A.purs",
                format!("module {name} where\n").as_bytes(),
                "0.15.15",
            );
            assert!(
                matches!(
                    result,
                    Err(CheckError::Rejected(Rejection::ModuleNameForbidden { .. }))
                ),
                "{name}: {result:?}"
            );
        }
        assert!(
            check("src/A.purs", b"module Main.Inner where", "0.15.15")
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_header_that_cannot_be_read_names_file_and_line_and_is_only_a_warning_for_old_compilers() {
        let result = check("src/A.purs", b"\n\nmodule lower where", "0.15.0");
        let Err(CheckError::Rejected(Rejection::ModuleHeaderInvalid { path, line, .. })) = result else {
            panic!("{result:?}");
        };
        assert_eq!((path.as_str(), line), ("src/A.purs", 3));
        assert_eq!(
            check("src/A.purs", b"module lower where", "0.14.9")
                .unwrap()
                .len(),
            1
        );
        assert!(check("src/A.purs", &[0xff], "0.15.0").is_err());
    }

    #[test]
    fn only_modules_are_looked_at() {
        assert!(check("src/A.js", b"export {}", "0.15.0").unwrap().is_empty());
    }
}
