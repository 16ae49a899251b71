//! Files with the certificates that a server's certificate is checked against.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::FileReader;
use super::scope::Scope;

/// Reads the path of such a file, and reports a file that cannot be used. `secure` is whether the server's address asks for
/// TLS at all.
pub(super) fn read(scope: &mut Scope<'_>, key: &str, secure: bool, read_file: FileReader<'_>) -> Option<PathBuf> {
    let path = scope.text(key, ACCEPTED)?;
    let given = scope.given(key)?;
    if let Err(fault) = read_file(Path::new(&path)).map_err(|error| format!("cannot be read: {error}")).and_then(check)
    {
        scope.refuse(key, &given, &fault, ACCEPTED);
        return None;
    }
    if !secure {
        scope.warn(&given, format!("{key} has no effect, because the server's address does not ask for TLS"));
    }
    Some(path.into())
}

/// # Errors
/// Says what is wrong with the file, to stand after its name.
fn check(pem: String) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("is not PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("has a certificate that cannot be used: {error}"))?;
    }
    if roots.is_empty() { Err("has no certificate in it".to_owned()) } else { Ok(()) }
}

const ACCEPTED: &str = "the path of a PEM file with at least one certificate (-----BEGIN CERTIFICATE-----)";
