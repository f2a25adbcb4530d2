//! Where an export goes: a new file, or a receiver over TCP or TLS; every wait has an end and what was sent is counted.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Longest wait for a connection, one message, or the end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file that is not there yet.
    File(PathBuf),
    /// A receiver in the clear.
    Tcp(Peer),
    /// A receiver that shows a certificate for its name.
    Tls(Peer),
}

/// A receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl FromStr for Target {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let peer = |rest: &str| {
            let wrong = || format!("`{text}`: write tcp://HOST:PORT or tls://HOST:PORT");
            let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
            let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
            let host = inner.unwrap_or(host);
            if host.is_empty() || host.contains(['/', '@', '[', ']']) {
                return Err(wrong());
            }
            let port = port.parse().map_err(|_| wrong())?;
            Ok(Peer {
                host: host.to_owned(),
                port,
            })
        };
        match text.split_once("://") {
            Some(("tcp", rest)) => peer(rest).map(Self::Tcp),
            Some(("tls", rest)) => peer(rest).map(Self::Tls),
            Some((scheme, _)) => Err(format!(
                "`{scheme}://` is not known; write a file name, tcp://HOST:PORT or tls://HOST:PORT"
            )),
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

impl Target {
    /// Whether it is a receiver, which gets messages in frames.
    #[must_use]
    pub fn is_peer(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Tcp(peer) => write!(f, "tcp://{}:{}", peer.host, peer.port),
            Self::Tls(peer) => write!(f, "tls://{}:{}", peer.host, peer.port),
        }
    }
}

/// An open target.
pub struct Sink {
    name: String,
    to: Box<dyn AsyncWrite + Send + Unpin>,
    last: Option<i64>,
}

impl Sink {
    /// Opens a target. `ca` is a PEM file of the authorities that are believed in place of the system's.
    ///
    /// # Errors
    /// When the file is there already, the receiver does not answer in time, or its certificate does not hold.
    pub async fn open(target: &Target, ca: Option<&Path>) -> anyhow::Result<Self> {
        let name = target.to_string();
        let to: Box<dyn AsyncWrite + Send + Unpin> = match target {
            Target::File(path) => {
                let file = tokio::fs::File::create_new(path).await.with_context(|| {
                    format!("{name}: an export is a new file; name one that is not there")
                })?;
                Box::new(file)
            }
            Target::Tcp(peer) => Box::new(connect(peer, &name).await?),
            Target::Tls(peer) => {
                let roots = roots(ca)?;
                let config = ClientConfig::builder()
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                let server = ServerName::try_from(peer.host.clone())
                    .with_context(|| format!("{name}: the host is no name a certificate has"))?;
                let stream = connect(peer, &name).await?;
                let shaken = TlsConnector::from(Arc::new(config)).connect(server, stream);
                let stream = in_time(shaken).await.with_context(|| {
                    format!("{name}: no TLS connection; --ca FILE names the authorities to believe")
                })?;
                Box::new(stream)
            }
        };
        Ok(Self {
            name,
            to,
            last: None,
        })
    }

    /// Writes one entry.
    ///
    /// # Errors
    /// Names the target and the last entry that was written.
    pub async fn write(&mut self, seq: i64, bytes: &[u8]) -> anyhow::Result<()> {
        let written = in_time(async {
            self.to.write_all(bytes).await?;
            self.to.flush().await
        });
        let written = written.await;
        written.with_context(|| self.so_far())?;
        self.last = Some(seq);
        Ok(())
    }

    /// Ends the writing; gives the number of the last entry.
    ///
    /// # Errors
    /// As [`Sink::write`].
    pub async fn finish(mut self) -> anyhow::Result<Option<i64>> {
        let ended = in_time(self.to.shutdown()).await;
        ended.with_context(|| self.so_far())?;
        Ok(self.last)
    }

    fn so_far(&self) -> String {
        match self.last {
            Some(seq) => format!(
                "{}: broke off; the last record that was sent is {seq}: go on with --from {}",
                self.name,
                seq + 1
            ),
            None => format!("{}: broke off before any record was sent", self.name),
        }
    }
}

async fn connect(peer: &Peer, name: &str) -> anyhow::Result<TcpStream> {
    let connecting = TcpStream::connect((peer.host.as_str(), peer.port));
    in_time(connecting)
        .await
        .with_context(|| format!("{name}: no connection"))
}

fn roots(ca: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        ensure!(
            added > 0,
            "the system has no certificate authorities to believe; name a file with --ca"
        );
        return Ok(roots);
    };
    let shown = path.display();
    let wrong = || format!("{shown}: is no PEM file of certificate authorities");
    for certificate in CertificateDer::pem_file_iter(path).with_context(wrong)? {
        roots
            .add(certificate.with_context(wrong)?)
            .with_context(wrong)?;
    }
    ensure!(!roots.is_empty(), "{shown}: holds no certificate");
    Ok(roots)
}

async fn in_time<T>(work: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => Err(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            "no answer in 10 seconds",
        )),
    }
}
