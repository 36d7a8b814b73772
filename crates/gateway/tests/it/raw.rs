//! A server behind that answers with bytes, right or wrong.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_oauth::EndpointUrl;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One socket, whose connections each get what the script says.
pub(crate) struct Raw {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    requests: Vec<String>,
    open: usize,
    written: usize,
}

/// What it does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Writes this and waits for the next request on the connection.
    Say(Vec<u8>),
    /// Writes this, and this again and again.
    Flood(Vec<u8>, Vec<u8>),
    /// Writes this and closes.
    Close(Vec<u8>),
}

impl Raw {
    /// Answers the first request on each connection with the first text, and so on.
    pub(crate) async fn answering(answers: &[&str]) -> Self {
        let steps = answers.iter().map(|text| Step::Say((*text).into()));
        Self::start(steps.collect()).await
    }

    pub(crate) async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                shared.lock().unwrap().open += 1;
                let (state, steps) = (Arc::clone(&shared), steps.clone());
                tokio::spawn(async move {
                    let _ = serve(socket, &state, steps).await;
                    state.lock().unwrap().open -= 1;
                });
            }
        });
        Self {
            address,
            state,
            task,
        }
    }

    pub(crate) fn url(&self) -> EndpointUrl {
        EndpointUrl::parse(&format!("http://{}/mcp", self.address)).unwrap()
    }

    /// The heads of all requests, in the order in which they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// How much a flood came to.
    pub(crate) fn written(&self) -> usize {
        self.state.lock().unwrap().written
    }

    /// How many connections there are.
    pub(crate) fn open(&self) -> usize {
        self.state.lock().unwrap().open
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut socket: TcpStream,
    state: &Mutex<State>,
    steps: Vec<Step>,
) -> std::io::Result<()> {
    for step in steps {
        let Some(head) = request(&mut socket).await? else {
            return Ok(());
        };
        state.lock().unwrap().requests.push(head);
        match step {
            Step::Say(bytes) => socket.write_all(&bytes).await?,
            Step::Flood(first, more) => {
                socket.write_all(&first).await?;
                loop {
                    socket.write_all(&more).await?;
                    state.lock().unwrap().written += more.len();
                }
            }
            Step::Close(bytes) => {
                socket.write_all(&bytes).await?;
                socket.shutdown().await?;
                return Ok(());
            }
        }
    }
    // Until the other side leaves.
    let mut rest = [0; 1024];
    while socket.read(&mut rest).await? > 0 {}
    Ok(())
}

/// One request: its head, once its body came too.
async fn request(socket: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Ok(Some(head.to_owned()));
            }
        }
        match socket.read(&mut piece).await? {
            0 => return Ok(None),
            count => read.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
}

/// Waits until it holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("never: {what}");
}
