//! A small registry as files: one package, `prelude` 6.0.1 of our own, and one package set that holds it.

use std::fs;
use std::io::Write;
use std::path::Path;

use docket_core::digest::Sha256;
use flate2::{Compression, GzBuilder};

/// The modules of our `prelude`; the names are those people expect.
const MODULES: [(&str, &str); 3] = [
    (
        "src/Prelude.purs",
        "module Prelude (module Data.Unit, module Data.Function) where\n\nimport Data.Function (identity)\nimport Data.Unit (Unit, unit)\n",
    ),
    (
        "src/Data/Function.purs",
        "module Data.Function where\n\nidentity :: forall a. a -> a\nidentity a = a\n",
    ),
    (
        "src/Data/Unit.purs",
        "module Data.Unit where\n\nforeign import data Unit :: Type\n\nforeign import unit :: Unit\n",
    ),
];
const FOREIGN: (&str, &str) = ("src/Data/Unit.js", "export const unit = undefined;\n");
const LICENSE: (&str, &str) = (
    "LICENSE",
    "Copyright 2026 Lab\n\nAll of this is made up for a test.\n",
);

/// The index line of our `prelude`.
pub(crate) const PRELUDE_LINE: &str = concat!(
    r#"{"name":"prelude","version":"6.0.1","license":"BSD-3-Clause","description":"A prelude for tests","#,
    r#""location":{"githubOwner":"purescript","githubRepo":"purescript-prelude"},"ref":"v6.0.1","dependencies":{}}"#,
    "\n"
);
const PRELUDE_PURS_JSON: &str = r#"{
  "name": "prelude",
  "version": "6.0.1",
  "license": "BSD-3-Clause",
  "description": "A prelude for tests",
  "location": {
    "githubOwner": "purescript",
    "githubRepo": "purescript-prelude"
  },
  "ref": "v6.0.1",
  "dependencies": {}
}
"#;
/// The package set of the fixture.
pub(crate) const PACKAGE_SET: &str = r#"{
  "version": "1.0.0",
  "compiler": "0.15.15",
  "published": "2026-08-18",
  "packages": {
    "prelude": "6.0.1"
  }
}
"#;

/// Writes `registry/`, `index/` and `tarballs/` below `dir`.
pub(crate) fn write(dir: &Path) {
    let tarball = tarball("prelude-6.0.1");
    let metadata = format!(
        r#"{{
  "location": {{
    "githubOwner": "purescript",
    "githubRepo": "purescript-prelude"
  }},
  "published": {{
    "6.0.1": {{
      "bytes": {},
      "compilers": [
        "0.15.15"
      ],
      "hash": "{}",
      "publishedTime": "2026-08-18T07:00:00.000Z",
      "ref": ""
    }}
  }},
  "unpublished": {{}}
}}
"#,
        tarball.len(),
        Sha256::of(&tarball),
    );
    for (name, bytes) in [
        ("registry/metadata/prelude.json", metadata.as_bytes()),
        ("registry/package-sets/1.0.0.json", PACKAGE_SET.as_bytes()),
        ("index/pr/el/prelude", PRELUDE_LINE.as_bytes()),
        ("tarballs/prelude/6.0.1.tar.gz", &tarball),
    ] {
        let file = dir.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
}

/// Packs the modules below one directory, with nothing in it that depends on time or place.
fn tarball(root: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let purs_json = ("purs.json", PRELUDE_PURS_JSON);
    for (name, text) in MODULES.into_iter().chain([FOREIGN, LICENSE, purs_json]) {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive
            .append_data(&mut header, format!("{root}/{name}"), text.as_bytes())
            .unwrap();
    }
    let mut gzip = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::default());
    gzip.write_all(&archive.into_inner().unwrap()).unwrap();
    gzip.finish().unwrap()
}
