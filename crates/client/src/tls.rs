//! TLS with the roots of this system, and *ring* for the arithmetic, for everything of ours that calls others.
//!
//! The provider is named here rather than installed for the process, so that a program that embeds this crate keeps its choice.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// Builds the TLS settings that all connections share, whatever they speak.
///
/// A system without any root certificate is fine as long as nobody asks for `https`: the connection then says what is missing.
#[must_use]
pub fn config() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Adds that the connection will speak HTTP, which version ever the server likes best.
#[must_use]
pub fn for_http(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
