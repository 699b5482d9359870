use super::*;

fn header(source: &str) -> ModuleHeader {
    parse_header(source).unwrap_or_else(|error| panic!("{error}\n{source}"))
}

fn error(source: &str) -> HeaderError {
    parse_header(source).unwrap_err()
}

#[test]
fn a_plain_module_has_a_name_and_imports() {
    let parsed = header("module Data.Maybe where\n\nimport Prelude\nimport Data.Eq (class Eq)\n\nx = 1\n");
    assert_eq!(parsed.name, "Data.Maybe");
    assert_eq!(parsed.imports, ["Prelude", "Data.Eq"]);
}

#[test]
fn every_form_of_import_is_read() {
    let parsed = header(
        "module A'_1.B2 where
import Prelude
import A as X
import A.B as X.Y
import C (c, D(..), type (~>), (+++), class E, module_)
import F hiding (f)
import G hiding (
    g,
    h
  ) as I
import J
  ( j
  , (-->)
  , (--)
    -- a comment )
  , k)
  as K
import A (again)
",
    );
    assert_eq!(parsed.name, "A'_1.B2");
    assert_eq!(parsed.imports, ["Prelude", "A", "A.B", "C", "F", "G", "J"]);
}

#[test]
fn exports_and_reexports_are_skipped() {
    for exports in [
        "()",
        "(a)",
        "( a\n  , B(..)\n  , C(D, E)\n  , module X\n  , module Data.Maybe\n  , class F\n  , type (~>)\n  , (<>)\n  )",
        "(\n-- | A section )\n{- ( -} a)",
    ] {
        let parsed = header(&format!("module Main {exports} where\nimport X"));
        assert_eq!(
            (parsed.name.as_str(), &parsed.imports[..]),
            ("Main", &["X".to_owned()][..])
        );
    }
}

#[test]
fn comments_may_stand_everywhere() {
    let parsed = header(
        "#!/usr/bin/env run\n#! again\n-- | Docs\n--| more ----\n{- a\n - {- -- - -}{----}module -- x\n  {-- y --} A\n  where\nimport \
         B -- import C\n{- import D -}\nimport E",
    );
    assert_eq!(parsed.name, "A");
    assert_eq!(parsed.imports, ["B", "E"]);
}

#[test]
fn a_block_comment_ends_at_the_first_end_as_in_the_compiler() {
    assert_eq!(header("{- {- -} module A where").name, "A");
    assert_eq!(
        error("{- {- -} -} module A where").message,
        "expected `module`, found `-`"
    );
}

#[test]
fn imports_end_at_the_first_other_declaration() {
    for rest in [
        "x = 1\nimport Late",
        "-- | Docs\ndata X = X\nimport Late",
        "foreign import x :: Int\nimport Late",
        "importX = 1\nimport Late",
        "y = \"import Late\"\nimport Late",
        "\t\nimport Late",
        "{- never closed\nimport Late",
        "as = 1\nimport Late",
        "hiding = 1\nimport Late",
        "(x) = 1\nimport Late",
    ] {
        assert_eq!(
            header(&format!("module A where\nimport B\n{rest}")).imports,
            ["B"],
            "{rest}"
        );
    }
}

#[test]
fn a_module_may_be_short_and_its_lines_may_end_anyhow() {
    assert_eq!(header("module A where").imports, Vec::<String>::new());
    assert_eq!(
        header("\u{feff}module A where\r\nimport B\r\nimport C\r\n").imports,
        ["B", "C"]
    );
    assert_eq!(
        header("module A where\rimport B\rimport C as D\r").imports,
        ["B", "C"]
    );
    assert_eq!(
        header("  module A where\n  import B\n    as C\n  import D").imports,
        ["B", "D"]
    );
    assert_eq!(header("module Ünï.Ålesund where").name, "Ünï.Ålesund");
}

#[test]
fn names_that_every_program_uses_are_forbidden() {
    for (name, forbidden) in [
        ("Main", true),
        ("Test.Main", true),
        ("Main.Test", false),
        ("Data.Main", false),
    ] {
        assert_eq!(
            header(&format!("module {name} where")).is_forbidden(),
            forbidden,
            "{name}"
        );
    }
}

#[test]
fn errors_name_the_line_and_what_is_missing() {
    for (source, line, message) in [
        ("", 1, "expected `module`, found nothing more"),
        ("\n\nx = 1", 3, "expected `module`, found `x`"),
        (
            "module where",
            1,
            "expected a module name such as `Data.Maybe`, found `where`",
        ),
        (
            "module a where",
            1,
            "expected a module name such as `Data.Maybe`, found `a`",
        ),
        (
            "module A.b where",
            1,
            "expected a module name such as `Data.Maybe`, found `A.b`",
        ),
        (
            "module A\nimport B",
            2,
            "expected `where` after the module name and its exports, found `import`",
        ),
        (
            "module A (a\n  where",
            2,
            "the export list is not closed before `where`",
        ),
        ("module A\n(a,\nb", 2, "the export list is never closed"),
        (
            "module A where\nimport b",
            2,
            "expected a module name such as `Data.Maybe`, found `b`",
        ),
        (
            "module A where\nimport B hiding\nimport C",
            3,
            "expected a list in parentheses after `hiding`, found nothing more",
        ),
        (
            "module A where\nimport B (c\nimport D",
            3,
            "the import list is not closed before `import`",
        ),
        (
            "module A where\nimport B as c",
            2,
            "expected a module name such as `Data.Maybe`, found `c`",
        ),
        ("\n{- module A where", 2, "a comment is never closed with `-}`"),
        (
            "module\tA where",
            1,
            "found a tab: PureScript is indented with spaces",
        ),
        (
            "\"module\"",
            1,
            "a text cannot stand before the first declaration",
        ),
    ] {
        assert_eq!(
            error(source),
            HeaderError {
                line,
                message: message.to_owned()
            },
            "{source:?}"
        );
    }
}
