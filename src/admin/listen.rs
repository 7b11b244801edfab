//! The two listeners, and the connections that come in by them.

use super::{
    Panel,
    routes::{self, Peer},
};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener, UnixStream},
    sync::watch,
    task::JoinSet,
};

/// Most connections at once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 64;

/// A peer that does not say in this time what it wants is hung up on.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);

/// How long requests under way may take once the daemon stops.
const GRACE: Duration = Duration::from_secs(5);

/// Why the admin interface cannot be there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket's directory is missing.
    #[error(
        "there is no directory {} for the admin socket; create it, or let systemd do so with RuntimeDirectory=",
        .0.display()
    )]
    NoDirectory(PathBuf),
    /// Somebody else answers on the socket.
    #[error("another process answers on {}; stop it, or give this daemon an admin socket of its own", .0.display())]
    InUse(PathBuf),
    /// There is a file of another kind where the socket should be.
    #[error("{} exists and is no socket; remove it, or name another admin socket", .0.display())]
    NotASocket(PathBuf),
    /// The address can be reached from other machines.
    #[error(
        "{0} is not a loopback address, and health and metrics are told to this machine only; \
         listen on 127.0.0.1 or [::1], and put a proxy in front for others"
    )]
    NotLoopback(SocketAddr),
    /// The operating system refuses.
    #[error("cannot {doing}")]
    Io {
        /// What we were doing, and with which path or address.
        doing: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Answers on the socket and on the address, those that are given, until `shutdown` is ready.
///
/// The socket's directory must exist. A socket file that nobody answers on is replaced; ours is removed at the end.
///
/// # Errors
/// Where one of the two cannot be listened on. Nothing has been answered then.
pub async fn serve(
    panel: Arc<dyn Panel>,
    socket: Option<PathBuf>,
    listen: Option<SocketAddr>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let tcp = match listen {
        Some(address) => Some(bind_address(address).await?),
        None => None,
    };
    let unix = match socket {
        Some(path) => Some(bind_socket(&path).await?),
        None => None,
    };
    let (public, private) = (routes::public(Arc::clone(&panel)), routes::private(panel));
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let room = connections.len() < MOST_CONNECTIONS;
        tokio::select! {
            () = &mut shutdown => break,
            _ = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept_unix(unix.as_ref()), if room => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, private.clone().layer(Extension(peer)), stopped.clone()));
                }
                Err(error) => troubled(&error).await,
            },
            accepted = accept_tcp(tcp.as_ref()), if room => match accepted {
                Ok(stream) => {
                    connections.spawn(connection(stream, public.clone(), stopped.clone()));
                }
                Err(error) => troubled(&error).await,
            },
        }
    }
    // The file goes before the listener does: what comes to stand in its place later is not ours to remove.
    drop(unix);
    drop(tcp);
    drop(stop);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, drained).await.is_err() {
        tracing::warn!("admin requests under way were cut off");
    }
    Ok(())
}

/// A listening socket and its file.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn bind_socket(path: &Path) -> Result<Socket, Error> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if !directory.is_dir() {
        return Err(Error::NoDirectory(directory.to_owned()));
    }
    make_way(path).await?;
    let listener =
        UnixListener::bind(path).map_err(|source| io_error("listen on", path, source))?;
    let socket = Socket {
        listener,
        path: path.to_owned(),
    };
    // Connecting takes write permission, so only the umask's own laxness shows until this is done.
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))
        .map_err(|source| io_error("set the mode of", path, source))?;
    Ok(socket)
}

/// Removes a socket file that a daemon before us left behind. One that somebody answers on stays.
async fn make_way(path: &Path) -> Result<(), Error> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(io_error("look at", path, source)),
    };
    if !kind.is_socket() {
        return Err(Error::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(Error::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|source| io_error("remove the stale socket", path, source)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(io_error("find out who answers on", path, source)),
    }
}

async fn bind_address(address: SocketAddr) -> Result<TcpListener, Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| Error::Io {
            doing: format!("listen on {address}"),
            source,
        })
}

fn io_error(doing: &str, path: &Path, source: io::Error) -> Error {
    Error::Io {
        doing: format!("{doing} {}", path.display()),
        source,
    }
}

async fn accept_unix(socket: Option<&Socket>) -> io::Result<(UnixStream, Peer)> {
    let Some(socket) = socket else {
        return std::future::pending().await;
    };
    let (stream, _) = socket.listener.accept().await?;
    let uid = stream.peer_cred().ok().map(|peer| peer.uid());
    Ok((stream, Peer { uid }))
}

async fn accept_tcp(listener: Option<&TcpListener>) -> io::Result<tokio::net::TcpStream> {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    Ok(listener.accept().await?.0)
}

/// Out of file descriptors, mostly: asking again at once would only burn the processor.
async fn troubled(error: &io::Error) {
    if !matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    ) {
        tracing::warn!(%error, "cannot accept an admin connection; trying again in a second");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    mut stopped: watch::Receiver<()>,
) {
    let service = TowerToHyperService::new(router);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an admin connection ended early");
    }
}
