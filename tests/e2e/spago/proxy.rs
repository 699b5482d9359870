//! Ends TLS for spago's two hosts in front of `docketd`, as nginx does in front of the real registry.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

const HOSTS: [&str; 2] = ["registry.purescript.org", "packages.registry.purescript.org"];

/// The proxy, and the authority that vouches for it; both end with the test.
pub(super) struct Proxy {
    port: u16,
    authority: PathBuf,
    _runtime: Runtime,
}

impl Proxy {
    /// Starts a proxy in front of `registry`; the certificate of its authority is written to `dir`.
    pub(super) fn start(registry: SocketAddr, dir: &Path) -> Self {
        let (authority, config) = certificates();
        let file = dir.join("authority.pem");
        fs::write(&file, authority).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut outside = acceptor.accept(stream).await?;
                    let mut inside = TcpStream::connect(registry).await?;
                    copy_bidirectional(&mut outside, &mut inside).await
                });
            }
        });
        Self {
            port,
            authority: file,
            _runtime: runtime,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The file for `NODE_EXTRA_CA_CERTS`.
    pub(super) fn authority(&self) -> &Path {
        &self.authority
    }
}

/// Makes an authority and a certificate for both hosts; returns the former as PEM, the latter ready to serve.
fn certificates() -> (String, ServerConfig) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority
        .distinguished_name
        .push(DnType::CommonName, "Authority of one test");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();

    let key = KeyPair::generate().unwrap();
    let hosts = CertificateParams::new(HOSTS.map(str::to_owned)).unwrap();
    let certificate = hosts
        .signed_by(&key, &Issuer::new(authority, authority_key))
        .unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (authority_pem, config)
}
