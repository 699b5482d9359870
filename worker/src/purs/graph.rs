//! The answer of `purs graph`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Every module, and the modules it imports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ModuleGraph {
    /// By module name.
    pub modules: BTreeMap<String, GraphNode>,
}

/// One module.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GraphNode {
    /// Names of the modules it imports directly.
    pub depends: Vec<String>,
    /// Its file, as the globs led to it.
    pub path: String,
}

impl ModuleGraph {
    pub(super) fn parse(stdout: &[u8]) -> Option<Self> {
        serde_json::from_slice(stdout).ok()
    }
}
