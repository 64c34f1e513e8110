//! A server for tests that answers calls as it is told to, wrongly as well.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Response};
use prost::Message;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;

/// How a call is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// By these bytes as a message.
    Raw(Vec<u8>),
    /// By these bytes and then the end of the connection.
    Half(Vec<u8>),
    /// By these bytes and no end.
    Stalled(Vec<u8>),
    /// By a status and its text.
    Status(u32, &'static str),
    /// Not at all.
    Silence,
    /// By the end of the connection.
    Close,
}

impl Answer {
    pub fn message(message: &impl Message) -> Self {
        Self::Raw(message.encode_to_vec())
    }
}

/// What is asked (`/SERVICE/METHOD` and the message) and what is answered.
type Answers = Arc<dyn Fn(&str, Bytes) -> Answer + Send + Sync>;

/// A server in a folder of its own, until it is dropped.
pub struct Server {
    folder: Option<tempfile::TempDir>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

const NAME: &str = "fake.sock";

impl Server {
    pub fn start(answers: impl Fn(&str, Bytes) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), answers)
    }

    /// In the folder of one that was stopped.
    pub fn start_in(
        folder: tempfile::TempDir,
        answers: impl Fn(&str, Bytes) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = {
            let _inside = tokio.enter();
            UnixListener::bind(folder.path().join(NAME)).expect("a socket")
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            tokio.block_on(async {
                tokio::select! {
                    () = serve(listener, Arc::new(answers)) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { folder: Some(folder), stop: Some(stop), thread: Some(thread) }
    }

    pub fn path(&self) -> String {
        self.folder
            .as_ref()
            .map_or_else(|| Path::new(NAME).into(), |folder| folder.path().join(NAME))
            .display()
            .to_string()
    }

    /// Stops it with all its connections, and removes its socket.
    pub fn stop(mut self) -> tempfile::TempDir {
        self.end();
        let folder = self.folder.take().expect("a folder");
        std::fs::remove_file(folder.path().join(NAME)).expect("a socket");
        folder
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a server");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

async fn serve(listener: UnixListener, answers: Answers) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&answers)));
    }
}

/// Answers calls of one connection; `None` when it has ended.
async fn connection(stream: UnixStream, answers: Answers) -> Option<()> {
    let mut connection = h2::server::handshake(stream).await.ok()?;
    // What is left open stays so until the connection ends.
    let (mut open, mut stalled) = (Vec::new(), Vec::new());
    loop {
        let (request, mut respond) = connection.accept().await?.ok()?;
        let (head, mut body) = request.into_parts();
        let mut asked = BytesMut::new();
        let whole = async {
            while let Some(Ok(part)) = body.data().await {
                let _ = body.flow_control().release_capacity(part.len());
                asked.extend_from_slice(&part);
            }
        };
        // The body comes with the frames that only the connection reads.
        tokio::select! {
            () = whole => {}
            _ = connection.accept() => return None,
        }
        let answer = answers(head.uri.path(), asked.split_off(asked.len().min(5)).freeze());
        let response = Response::builder().header("content-type", "application/grpc");
        match answer {
            Answer::Raw(message) => {
                let mut frame = BytesMut::from(&[0][..]);
                frame.put_u32(u32::try_from(message.len()).ok()?);
                frame.extend_from_slice(&message);
                let mut send = respond.send_response(response.body(()).ok()?, false).ok()?;
                send.send_data(frame.freeze(), false).ok()?;
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().ok()?);
                send.send_trailers(trailers).ok()?;
            }
            Answer::Half(bytes) => {
                let mut send = respond.send_response(response.body(()).ok()?, false).ok()?;
                send.send_data(Bytes::from(bytes), false).ok()?;
                // It is flushed while the connection waits for the next call; then it ends.
                let _ = tokio::time::timeout(Duration::from_millis(50), connection.accept()).await;
                return None;
            }
            Answer::Stalled(bytes) => {
                let mut send = respond.send_response(response.body(()).ok()?, false).ok()?;
                send.send_data(Bytes::from(bytes), false).ok()?;
                stalled.push(send);
            }
            Answer::Status(code, text) => {
                let response = response.header("grpc-status", code).header("grpc-message", text);
                respond.send_response(response.body(()).ok()?, true).ok()?;
            }
            Answer::Silence => open.push(respond),
            Answer::Close => return None,
        }
    }
}
