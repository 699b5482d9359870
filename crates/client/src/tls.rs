//! TLS with the roots of this system, and *ring* for the arithmetic.
//!
//! The provider is named here rather than installed for the process, so that a program that embeds this crate keeps its choice.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use crate::error::Error;

/// Builds the TLS settings that the HTTP and the websocket connections share.
///
/// A system without any root certificate is fine as long as nobody asks for `https`: the connection then says what is missing.
pub(crate) fn config() -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
