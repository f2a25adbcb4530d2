//! From a server's name to a running MCP session on a byte stream. What the servers answer is in
//! their own files.

use std::path::{Path, PathBuf};

use rmcp::{ServerHandler, ServiceExt};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    LabError, ServerName,
    assets::{cloud::CloudServer, endpoint::EndpointServer},
    clock::Stamp,
    files::{self, Loaded, Row},
    identity::IdentityServer,
    intel::IntelServer,
    manifest::{self, LabManifest},
    scm::ScmServer,
    siem::SiemServer,
    ticketing::TicketingServer,
    vuln::VulnServer,
};

/// A lab folder and its manifest.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    pub dir: PathBuf,
    pub manifest: LabManifest,
    clock: Stamp,
}

impl Lab {
    fn open(dir: &Path) -> Result<Self, LabError> {
        let manifest = manifest::load(dir)?;
        let clock = Stamp::new(manifest.clock).ok_or_else(|| LabError::Manifest {
            file: dir.join(manifest::FILE),
            faults: vec![crate::Fault {
                line: 1,
                key: "clock".to_owned(),
                problem: "must lie in the years 1 to 9999".to_owned(),
            }],
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            manifest,
            clock,
        })
    }

    /// The "now" of a question: what it names, else the lab's clock.
    pub(crate) fn now(&self, as_of: Option<Stamp>) -> Stamp {
        as_of.unwrap_or(self.clock)
    }

    pub(crate) fn rows(&self, file: &str) -> Loaded<Vec<Row>> {
        files::rows(&self.dir, file)
    }
}

/// Serves one server on stdin and stdout until stdin closes. Nothing but protocol goes to stdout.
///
/// # Errors
/// When lab.toml is missing or faulty, or the client does not complete the handshake. A faulty
/// evidence file is no error here: the tools that need it report it.
pub async fn serve(server: ServerName, dir: &Path) -> Result<(), LabError> {
    serve_on(server, dir, tokio::io::stdin(), tokio::io::stdout()).await
}

/// Serves one server on a pair of streams until `read` ends.
///
/// # Errors
/// As for [`serve`].
pub async fn serve_on<R, W>(
    server: ServerName,
    dir: &Path,
    read: R,
    write: W,
) -> Result<(), LabError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let lab = Lab::open(dir)?;
    match server {
        ServerName::Siem => run(SiemServer::open(lab).await?, read, write).await,
        ServerName::Identity => run(IdentityServer::open(lab), read, write).await,
        ServerName::Cloud => run(CloudServer::open(lab), read, write).await,
        ServerName::Endpoint => run(EndpointServer::open(lab), read, write).await,
        ServerName::Vuln => run(VulnServer::open(lab), read, write).await,
        ServerName::Intel => run(IntelServer::open(lab), read, write).await,
        ServerName::Scm => run(ScmServer::open(lab), read, write).await,
        ServerName::Ticketing => run(TicketingServer::open(lab), read, write).await,
    }
}

async fn run<S, R, W>(server: S, read: R, write: W) -> Result<(), LabError>
where
    S: ServerHandler,
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let session = server
        .serve((read, write))
        .await
        .map_err(|error| LabError::Session(files::bounded(&error.to_string(), 300)))?;
    session
        .waiting()
        .await
        .map(|_| ())
        .map_err(|error| LabError::Session(error.to_string()))
}
