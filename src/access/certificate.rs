//! The agent's own certificate, and the authority that clients' certificates are of: PEM files, as rustls takes them.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A PEM file is no longer than this, in bytes.
const MAX_FILE: usize = 1 << 20;

/// The files' bytes: what is served follows from them alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    clients: Option<Vec<u8>>,
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let read = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if read.len() > MAX_FILE {
        return Err(format!("{}: is larger than {MAX_FILE} bytes", path.display()));
    }
    Ok(read)
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| format!("{what}: is no PEM: {error}"))?;
    if all.is_empty() { Err(format!("{what}: has no certificate in PEM")) } else { Ok(all) }
}

impl Files {
    /// Reads them.
    ///
    /// # Errors
    /// One cannot be read: says which.
    pub fn read(certificate: &Path, key: &Path, clients: Option<&Path>) -> Result<Self, String> {
        let clients = clients.map(bytes).transpose()?;
        Ok(Self { certificate: bytes(certificate)?, key: bytes(key)?, clients })
    }

    /// What they say.
    ///
    /// # Errors
    /// One is no PEM, has none of what it should, or they do not go together: says which.
    pub fn server(&self) -> Result<Arc<ServerConfig>, String> {
        let chain = certificates(&self.certificate, "access.certificate")?;
        // A key that is wrong is not repeated.
        let key =
            PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| "access.key: has no private key in PEM".to_owned())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(pem, "access.client_authority")? {
                    roots.add(authority).map_err(|error| format!("access.client_authority: {error}"))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder
                    .with_client_cert_verifier(verifier.map_err(|error| format!("access.client_authority: {error}"))?)
            }
        };
        let pair = builder.with_single_cert(chain, key);
        let mut config = pair.map_err(|error| format!("access.certificate and access.key: {error}"))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str) -> (String, String) {
        let pair = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        (pair.cert.pem(), pair.signing_key.serialize_pem())
    }

    #[test]
    fn what_does_not_go_together_is_told_without_the_key() {
        let ((certificate, key), (_, other)) = (pair("node-1"), pair("node-2"));
        let files = |certificate: &str, key: &str, clients: Option<&str>| Files {
            certificate: certificate.into(),
            key: key.into(),
            clients: clients.map(Into::into),
        };
        assert!(files(&certificate, &key, None).server().is_ok());
        assert!(files(&certificate, &key, Some(&certificate)).server().is_ok());
        for (files, expected) in [
            (files(&certificate, &other, None), "access.certificate and access.key"),
            (files(&key, &key, None), "access.certificate: has no certificate"),
            (files(&certificate, &certificate, None), "access.key: has no private key"),
            (files(&certificate, &key, Some("nothing")), "access.client_authority: has no certificate"),
            (files("", &key, None), "access.certificate: has no certificate"),
        ] {
            let why = files.server().expect_err(expected);
            assert!(why.contains(expected) && !why.contains("PRIVATE KEY-----"), "{why}");
        }
        let gone = Files::read(Path::new("/nowhere/a.pem"), Path::new("/nowhere/b.pem"), None).err().expect("gone");
        assert!(gone.contains("/nowhere/a.pem"), "{gone}");
    }
}
