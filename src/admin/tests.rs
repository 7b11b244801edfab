#![allow(clippy::unwrap_used)]

use super::*;
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixListener},
    sync::oneshot,
    task::JoinHandle,
};

/// Remembers what it was asked to do.
#[derive(Default)]
struct Desk {
    acts: Mutex<Vec<Action>>,
}

#[async_trait]
impl Panel for Desk {
    fn status(&self) -> Value {
        json!({ "loops": 1 })
    }

    fn live(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        Err("loop emea: hubspot is parked\nsign in again".to_owned())
    }

    fn metrics(&self) -> String {
        "leadloop_writes_total 3\n# EOF\n".to_owned()
    }

    async fn explain(&self, who: &str) -> anyhow::Result<Value> {
        match who {
            "ann+1@example.com" => Ok(json!({ "stage": "mql" })),
            "broken@example.com" => {
                Err(anyhow::anyhow!("disk on fire").context("cannot read the history"))
            }
            _ => Err(
                Refusal::Unknown("nobody by that name; give an address or an id".to_owned()).into(),
            ),
        }
    }

    async fn act(&self, action: Action) -> anyhow::Result<Value> {
        self.acts.lock().unwrap().push(action);
        Ok(json!({ "done": true }))
    }
}

struct Running {
    desk: Arc<Desk>,
    socket: PathBuf,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Error>>,
    _folder: TempDir,
}

impl Running {
    async fn start(listen: Option<SocketAddr>) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let (desk, socket) = (Arc::new(Desk::default()), folder.path().join("admin.sock"));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(desk.clone(), Some(socket.clone()), listen, async {
            let _ = stopped.await;
        }));
        // The address is bound before the socket is.
        while !socket.exists() && !task.is_finished() {
            tokio::task::yield_now().await;
        }
        Running {
            desk,
            socket,
            stop,
            task,
            _folder: folder,
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, String) {
        ask(&self.socket, method, path, body).await.unwrap()
    }
}

#[tokio::test]
async fn the_socket_tells_everything() {
    let daemon = Running::start(None).await;
    for (path, status, text) in [
        ("/healthz", 200, "alive\n"),
        (
            "/readyz",
            503,
            "loop emea: hubspot is parked sign in again\n",
        ),
        ("/metrics", 200, "leadloop_writes_total 3\n# EOF\n"),
        ("/status", 200, r#"{"loops":1}"#),
        (
            "/explain?who=ann%2B1@example.com",
            200,
            r#"{"stage":"mql"}"#,
        ),
        (
            "/explain?who=bob@example.com",
            404,
            r#"{"error":"nobody by that name; give an address or an id"}"#,
        ),
        (
            "/explain?who=broken@example.com",
            500,
            r#"{"error":"cannot read the history: disk on fire"}"#,
        ),
        ("/reviews", 200, r#"{"done":true}"#),
        ("/nothing", 404, "there is nothing here\n"),
    ] {
        assert_eq!(
            daemon.ask(Method::GET, path, None).await,
            (status, text.to_owned()),
            "{path}"
        );
    }
    assert_eq!(
        fs::metadata(&daemon.socket).unwrap().permissions().mode() & 0o777,
        0o660
    );
    daemon.stop.send(()).unwrap();
    daemon.task.await.unwrap().unwrap();
    assert!(!daemon.socket.exists());
}

#[tokio::test]
async fn commands_arrive_as_they_were_given() {
    let daemon = Running::start(None).await;
    let ruling = Action::Rule {
        person: "ann@example.com".to_owned(),
        field: "phone".to_owned(),
        take: "crm".to_owned(),
        by: "Mia".to_owned(),
        why: None,
    };
    let asked = [
        Action::Retry { who: None },
        Action::Retry {
            who: Some("ann@example.com".to_owned()),
        },
        ruling,
        Action::Reviews,
    ];
    for action in &asked {
        let (method, path, body) = action.request();
        assert_eq!(daemon.ask(method, path, body).await.0, 200, "{action:?}");
    }
    for (path, body, status) in [
        ("/retry", json!({ "whom": "ann@example.com" }), 422),
        (
            "/rule",
            json!({ "person": "ann@example.com", "field": "phone", "take": "crm", "by": " " }),
            422,
        ),
        ("/rule", json!({ "why": "x".repeat(70_000) }), 413),
    ] {
        assert_eq!(
            daemon.ask(Method::POST, path, Some(body)).await.0,
            status,
            "{path}"
        );
    }
    assert_eq!(
        daemon.ask(Method::GET, "/retry", None).await.0,
        405,
        "nothing changes on a GET"
    );
    assert_eq!(*daemon.desk.acts.lock().unwrap(), asked);
}

#[tokio::test]
async fn over_tcp_there_is_health_and_no_more() {
    // Free a moment ago: good enough where nobody else picks ports by number.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let daemon = Running::start(Some(address)).await;
    for (request, status) in [
        ("GET /healthz HTTP/1.1\r\nhost: localhost", "200"),
        ("GET /readyz HTTP/1.1\r\nhost: 127.0.0.1:9464", "503"),
        ("GET /metrics HTTP/1.1\r\nhost: [::1]:9464", "200"),
        ("GET /metrics HTTP/1.1\r\nhost: evil.example", "421"),
        ("GET /status HTTP/1.1\r\nhost: localhost", "404"),
        ("GET /explain?who=ann HTTP/1.1\r\nhost: localhost", "404"),
        (
            "POST /retry HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2",
            "404",
        ),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(format!("{request}\r\nconnection: close\r\n\r\n{{}}").as_bytes())
            .await
            .unwrap();
        let mut answer = Vec::new();
        // What follows the answer may be a reset: not every body is read.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {answer}"
        );
        assert!(!answer.to_lowercase().contains("access-control"));
    }
    assert!(daemon.desk.acts.lock().unwrap().is_empty());
}

#[tokio::test]
async fn places_where_nobody_should_listen_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = async |socket: Option<&Path>, listen: Option<&str>| {
        let listen = listen.map(|address| address.parse().unwrap());
        serve(
            Arc::new(Desk::default()),
            socket.map(Path::to_owned),
            listen,
            async {},
        )
        .await
        .unwrap_err()
    };
    assert!(matches!(
        refused(None, Some("0.0.0.0:9464")).await,
        Error::NotLoopback(_)
    ));
    assert!(matches!(
        refused(None, Some("[::]:9464")).await,
        Error::NotLoopback(_)
    ));
    assert!(matches!(
        refused(Some(&folder.path().join("gone/admin.sock")), None).await,
        Error::NoDirectory(_)
    ));
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    assert!(matches!(
        refused(Some(&file), None).await,
        Error::NotASocket(_)
    ));
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[tokio::test]
async fn a_stale_socket_makes_way_and_a_live_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let other = UnixListener::bind(&path).unwrap();
    let start = || {
        serve(Arc::new(Desk::default()), Some(path.clone()), None, async {
        })
    };
    assert!(matches!(start().await, Err(Error::InUse(_))));
    assert!(path.exists());
    drop(other);
    start().await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_told_from_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let asked = async || ask(&path, Method::GET, "/status", None).await;
    assert!(matches!(asked().await, Err(AskError::NobodyThere(_))));
    let listener = UnixListener::bind(&path).unwrap();
    let hang_up = async { drop(listener.accept().await.unwrap()) };
    let (answer, ()) = tokio::join!(asked(), hang_up);
    assert!(matches!(answer, Err(AskError::Broken { .. })), "{answer:?}");
    drop(listener);
    assert!(matches!(asked().await, Err(AskError::NobodyThere(_))));
}
