//! The certificate of a server that speaks TLS itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject},
    },
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often the files are looked at: whoever renews a certificate need not tell us.
const LOOK: Duration = Duration::from_secs(2);

/// A certificate with its key, read again when one of their files changes.
#[derive(Debug, Clone)]
pub struct Tls(Arc<Files>);

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

/// What is in force.
#[derive(Debug)]
struct Current {
    pems: Pems,
    config: Arc<ServerConfig>,
}

/// The content of both files.
#[derive(Debug, PartialEq, Eq)]
struct Pems {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Why a certificate cannot be used. Nothing of a key is ever shown.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A file holds no certificate, or no key, in the form PEM.
    #[error("{} holds no {what} in the form PEM", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The two do not belong together, or are of a kind that is not known.
    #[error("the certificate in {} cannot be used with its key", path.display())]
    Unusable {
        /// The file of the certificate.
        path: PathBuf,
        /// What is wrong with them.
        #[source]
        cause: rustls::Error,
    },
}

impl Tls {
    /// Reads a certificate, with those that lead from it to an authority behind it, and its key.
    ///
    /// # Errors
    /// When a file cannot be read, holds something else, or the two do not belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let current = Current::load(certificate, key)?;
        Ok(Self(Arc::new(Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            current: Mutex::new(current),
        })))
    }

    /// What the next connection is answered with.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.0.current().config.clone()
    }

    /// Takes over renewed files until `shutdown`. While they cannot be used, because one of them is not written yet for instance, what was in force
    /// stays.
    pub(crate) async fn keep(self, shutdown: CancellationToken) {
        let mut told = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => return,
            }
            match self.0.renew() {
                Ok(false) => told = None,
                Ok(true) => info!("the renewed certificate is in force"),
                Err(error) => {
                    // Once, and not every two seconds.
                    let text = error.to_string();
                    if told.as_ref() != Some(&text) {
                        warn!(
                            error = &error as &dyn std::error::Error,
                            "the renewed certificate cannot be used; the old one stays"
                        );
                        told = Some(text);
                    }
                }
            }
        }
    }
}

impl Files {
    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current
            .lock()
            .expect("nothing panics while it holds the certificate")
    }

    /// True when there was something new.
    fn renew(&self) -> Result<bool, TlsError> {
        let pems = Pems::read(&self.certificate, &self.key)?;
        if pems == self.current().pems {
            return Ok(false);
        }
        let config = pems.to_config(&self.certificate, &self.key)?;
        *self.current() = Current { pems, config };
        Ok(true)
    }
}

impl Current {
    fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let pems = Pems::read(certificate, key)?;
        let config = pems.to_config(certificate, key)?;
        Ok(Self { pems, config })
    }
}

impl Pems {
    fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|cause| TlsError::Unreadable {
                path: path.to_owned(),
                cause,
            })
        };
        Ok(Self {
            certificate: read(certificate)?,
            key: read(key)?,
        })
    }

    fn to_config(&self, certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
        let not_pem = |path: &Path, what| TlsError::NotPem {
            path: path.to_owned(),
            what,
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, PemError>>()
            .map_err(|_| not_pem(certificate, "certificate"))?;
        if chain.is_empty() {
            return Err(not_pem(certificate, "certificate"));
        }
        let private = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| not_pem(key, "private key"))?;
        let unusable = |cause| TlsError::Unusable {
            path: certificate.to_owned(),
            cause,
        };
        let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
