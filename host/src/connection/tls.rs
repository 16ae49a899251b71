//! Which servers are believed to be what they say.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// The certificates of a CA file, as they stand in it.
pub(super) struct CaFile {
    pem: Vec<u8>,
    roots: RootCertStore,
}

impl CaFile {
    /// Reads a file of PEM certificates.
    ///
    /// # Errors
    /// If it cannot be read, or holds no certificate.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let pem = std::fs::read(path).with_context(|| format!("the CA file {} cannot be read", path.display()))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.with_context(|| format!("the CA file {} is no PEM file", path.display()))?;
            roots
                .add(certificate)
                .with_context(|| format!("a certificate of the CA file {} cannot be used", path.display()))?;
        }
        anyhow::ensure!(!roots.is_empty(), "the CA file {} holds no certificate in PEM form", path.display());
        Ok(Self { pem, roots })
    }

    /// The file's text.
    pub(super) fn pem(&self) -> Vec<u8> {
        self.pem.clone()
    }
}

/// TLS settings that believe the certificates of `ca_file`, or without one those that the connections to Discord believe.
///
/// # Errors
/// If the cryptography library refuses its own protocol versions.
pub(super) fn client_config(ca_file: Option<&CaFile>) -> anyhow::Result<Arc<ClientConfig>> {
    let Some(ca_file) = ca_file else { return Ok(crate::discord::tls_config()?) };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(ca_file.roots.clone())
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// TLS settings that believe the certificates of the CA file at that path, or without one those that the connections to Discord
/// believe.
///
/// # Errors
/// If the file cannot be used, or the cryptography library refuses its own protocol versions.
pub fn server_tls(ca_file: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    client_config(ca_file.map(CaFile::read).transpose()?.as_ref())
}

/// For libraries that make TLS settings of their own: they take the process's provider of cryptography.
pub(super) fn install_provider() {
    if CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster: with the same one.
        let _ = ring::default_provider().install_default();
    }
}
