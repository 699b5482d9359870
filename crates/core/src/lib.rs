//! Registry vocabulary and rules, without IO.
//!
//! Everything here is a value or a pure function: no files, no clock, no network, no runtime. Text is parsed into a
//! type once, at the edge, and the type's existence proves the rule; what is printed is the exact canonical text
//! that clients of the registry read (registry spec, section 2).
//!
//! | modules | for |
//! | --- | --- |
//! | [`name`], [`version`], [`range`], [`license`], [`owner`], [`location`], [`time`], [`digest`], [`text`] | scalars |
//! | [`manifest`], [`metadata`], [`manifest_index`], [`package_set`] | what the registry holds, with its exact text |
//! | [`operation`] | what clients ask for |
//! | [`signature`] | who signed it, and whether that key may |
//! | [`solver`] | which versions go together |
//! | [`purescript`] | the start of a `.purs` file |
//! | [`json`] | how all of it is read and written |
//! | [`finding`] | what an audit found, in words |
//! | [`redact`] | which parts of a text are secrets |

pub mod digest;
pub mod finding;
pub mod json;
pub mod license;
pub mod location;
pub mod manifest;
pub mod manifest_index;
pub mod metadata;
pub mod name;
pub mod operation;
pub mod owner;
pub mod package_set;
pub mod purescript;
pub mod range;
pub mod redact;
pub mod signature;
pub mod solver;
pub mod text;
pub mod time;
pub mod version;
