//! Which servers are believed to be what they say.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use thiserror::Error;

/// TLS cannot be used.
#[derive(Debug, Error)]
#[error("TLS cannot be set up: {0}")]
pub struct NoRoots(#[from] rustls::Error);

/// The TLS settings of connections to Discord: the platform's root certificates, or those of the file that the environment
/// variable `SSL_CERT_FILE` names, or if there are none (as in an empty container) Mozilla's, which are built in.
///
/// Reading them takes milliseconds: call it once, and only if an address needs it.
///
/// # Errors
/// If the cryptography library refuses its own protocol versions.
pub fn tls_config() -> Result<Arc<ClientConfig>, NoRoots> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!("some root certificates cannot be read: {error}");
    }
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 {
        tracing::info!(
            "this system has no root certificates; the built-in ones are used (SSL_CERT_FILE can name others)"
        );
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(Arc::new(builder(roots)?.with_no_client_auth()))
}

/// Believes nobody: for a client that only speaks without TLS.
///
/// # Errors
/// As [`tls_config`].
pub fn tls_without_roots() -> Result<Arc<ClientConfig>, NoRoots> {
    Ok(Arc::new(builder(RootCertStore::empty())?.with_no_client_auth()))
}

fn builder(roots: RootCertStore) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, NoRoots> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots))
}
