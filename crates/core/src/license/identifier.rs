//! Which licence identifier stands for which (registry spec, section 2.1, "Rewriting rules").

use super::LicenseError;
use super::expression::{Leaf, Written};

/// Deprecated identifiers with one current replacement that no general rule finds.
const REPLACEMENTS: &[(&str, &str, Option<&str>)] = &[
    ("BSD-2-Clause-NetBSD", "BSD-2-Clause", None),
    ("StandardML-NJ", "SMLNJ", None),
    ("bzip2-1.0.5", "bzip2-1.0.6", None),
    ("eCos-2.0", "GPL-2.0-or-later", Some("eCos-exception-2.0")),
    (
        "GPL-2.0-with-GCC-exception",
        "GPL-2.0-only",
        Some("GCC-exception-2.0"),
    ),
    (
        "GPL-2.0-with-autoconf-exception",
        "GPL-2.0-only",
        Some("Autoconf-exception-2.0"),
    ),
    (
        "GPL-2.0-with-bison-exception",
        "GPL-2.0-only",
        Some("Bison-exception-2.2"),
    ),
    (
        "GPL-2.0-with-classpath-exception",
        "GPL-2.0-only",
        Some("Classpath-exception-2.0"),
    ),
    (
        "GPL-2.0-with-font-exception",
        "GPL-2.0-only",
        Some("Font-exception-2.0"),
    ),
    (
        "GPL-3.0-with-GCC-exception",
        "GPL-3.0-only",
        Some("GCC-exception-3.1"),
    ),
    (
        "GPL-3.0-with-autoconf-exception",
        "GPL-3.0-only",
        Some("Autoconf-exception-3.0"),
    ),
    ("wxWindows", "LGPL-2.0-or-later", Some("WxWindows-exception-3.1")),
];

/// Deprecated identifiers that meant different things to different people.
const AMBIGUOUS: &[&str] = &[
    "BSD-2-Clause-FreeBSD",
    "GFDL-1.1",
    "GFDL-1.2",
    "GFDL-1.3",
    "Net-SNMP",
    "Nunit",
];

/// The rule for what authors write: it must already be the replacement.
pub(super) fn strict(written: &Written<'_>) -> Result<Leaf, LicenseError> {
    let leaf = replace(written)?;
    if leaf
        .exception
        .and_then(spdx::exception_id)
        .is_some_and(|exception| exception.is_deprecated())
    {
        return Err(LicenseError::Ambiguous {
            id: written.to_string(),
        });
    }
    if leaf.to_string() == written.to_string() {
        Ok(leaf)
    } else {
        Err(LicenseError::NotCanonical {
            id: written.to_string(),
            replacement: leaf.to_string(),
        })
    }
}

/// The rule for stored data: what has no single replacement stays as it is.
pub(super) fn lenient(written: &Written<'_>) -> Result<Leaf, LicenseError> {
    match replace(written) {
        Err(LicenseError::Ambiguous { .. }) if !written.plus => {
            let exception = written.exception.map(listed_exception).transpose()?;
            Ok(Leaf {
                id: listed(written.id)?.0,
                exception,
            })
        }
        result => result,
    }
}

fn replace(written: &Written<'_>) -> Result<Leaf, LicenseError> {
    let exception = written.exception.map(listed_exception).transpose()?;
    let (id, deprecated) = listed(written.id)?;
    let ambiguous = || LicenseError::Ambiguous {
        id: written.to_string(),
    };
    let leaf = |id| Leaf { id, exception };

    if !deprecated {
        if !written.plus {
            return Ok(leaf(id));
        }
        let base = id.strip_suffix("-only").unwrap_or(id);
        return match current(&format!("{base}-or-later")) {
            Some(later) => Ok(leaf(later)),
            None => Err(LicenseError::NoOrLater { id: id.to_owned() }),
        };
    }
    if written.plus {
        return current(&format!("{id}-or-later")).map(leaf).ok_or_else(ambiguous);
    }
    if AMBIGUOUS.contains(&id) {
        return Err(ambiguous());
    }
    if let Some(only) = current(&format!("{id}-only")) {
        return Ok(leaf(only));
    }
    match REPLACEMENTS.iter().find(|(old, ..)| *old == id) {
        // A second exception behind `eCos-2.0` or its like has no meaning.
        Some((_, _, Some(_))) if exception.is_some() => Err(ambiguous()),
        Some(&(_, id, implied)) => Ok(Leaf {
            id,
            exception: implied.or(exception),
        }),
        None => Err(ambiguous()),
    }
}

/// Returns the identifier as SPDX spells it, and whether it is deprecated.
fn listed(id: &str) -> Result<(&'static str, bool), LicenseError> {
    let license = spdx::license_id(id).or_else(|| {
        let spelled = spdx::identifiers::LICENSES
            .iter()
            .find(|license| license.name.eq_ignore_ascii_case(id))?;
        spdx::license_id(spelled.name)
    });
    match license {
        Some(license) => Ok((license.name, license.is_deprecated())),
        None => Err(LicenseError::Unknown { id: id.to_owned() }),
    }
}

fn current(id: &str) -> Option<&'static str> {
    spdx::license_id(id)
        .filter(|license| !license.is_deprecated())
        .map(|license| license.name)
}

fn listed_exception(id: &str) -> Result<&'static str, LicenseError> {
    let exception = spdx::exception_id(id).or_else(|| {
        let spelled = spdx::identifiers::EXCEPTIONS
            .iter()
            .find(|exception| exception.name.eq_ignore_ascii_case(id))?;
        spdx::exception_id(spelled.name)
    });
    exception
        .map(|exception| exception.name)
        .ok_or_else(|| LicenseError::UnknownException { id: id.to_owned() })
}
