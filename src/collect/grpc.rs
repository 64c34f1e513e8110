//! Calls over a local socket, as the kubelet and container runtimes take them (gRPC), one at a time.
//!
//! Messages are declared where they are used, by the field numbers of the public protocols: a build needs no `protoc`. Lists in them
//! are `bytes`: an entry is decoded when it is wanted, so that one of two bytes does not become hundreds in memory, and one
//! that cannot be read takes no other along.

#[cfg(test)]
pub(super) mod fake;

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use super::Error;
use super::sockets::{explain, explain_with};

/// The longest that an answer may take.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// A server behind a local socket. It is connected to with the first call, and again when a call finds it gone.
pub struct Client {
    tokio: tokio::runtime::Runtime,
    grpc: Grpc<Channel>,
    path: String,
    timeout: Duration,
}

impl Client {
    /// For the server at `socket`, a path or a `unix://` address. It takes answers of so many bytes at most.
    ///
    /// # Errors
    /// There is no such socket, or it is another user's ([`Error::NotFound`]); or the system refuses a runtime.
    pub fn open(socket: &str, most_bytes: usize) -> Result<Self, Error> {
        let path = socket.trim_start_matches("unix://");
        if !Path::new(path).exists() {
            return Err(Error::NotFound(path.to_owned()));
        }
        // One that is not for us is as good as none: an agent that is not root has no fault on a host with a runtime.
        if let Err(error) = std::os::unix::net::UnixStream::connect(path)
            && error.kind() == std::io::ErrorKind::PermissionDenied
        {
            return Err(Error::NotFound(format!("{path} is for root alone, and the agent is another user")));
        }
        let failed = |error: &dyn std::error::Error| Error::Failed(format!("{path}: {}", explain(error)));
        let tokio =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
        let endpoint = Endpoint::from_shared(format!("unix://{path}")).map_err(|error| failed(&error))?;
        let channel = {
            let _inside = tokio.enter();
            endpoint.connect_lazy()
        };
        let grpc = Grpc::new(channel).max_decoding_message_size(most_bytes);
        Ok(Self { tokio, grpc, path: path.to_owned(), timeout: TIMEOUT })
    }

    /// The socket's path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Calls `/SERVICE/METHOD` and waits for the answer.
    ///
    /// # Errors
    /// The server has no such service ([`Error::NotFound`]); it cannot be reached, refuses, answers what is no such message or
    /// more than was allowed, or is silent for too long.
    pub fn call<Q, A>(&mut self, method: &'static str, request: Q) -> Result<A, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let Self { tokio, grpc, path, timeout } = self;
        let call = async {
            grpc.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
            grpc.unary(Request::new(request), PathAndQuery::from_static(method), ProstCodec::<Q, A>::default()).await
        };
        match tokio.block_on(async { tokio::time::timeout(*timeout, call).await }) {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(failed(path, method, &status)),
            Err(_) => Err(Error::Failed(format!("{path}: no answer to {method} within {timeout:?}"))),
        }
    }

    /// The same with less patience.
    #[cfg(test)]
    #[must_use]
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

fn failed(path: &str, method: &str, status: &Status) -> Error {
    if status.code() == Code::Unimplemented {
        let service = method.trim_start_matches('/').split('/').next().unwrap_or_default();
        return Error::NotFound(format!("{service} at {path}"));
    }
    // A status prints itself with all that it is made of.
    let said = if status.message().is_empty() { status.code().description() } else { status.message() };
    Error::Failed(format!("{path}: {}", explain_with(said, status.source())))
}

/// Entries of a list, decoded one by one; what cannot be read is passed over.
pub fn entries<M: Message + Default>(list: &[Bytes]) -> impl Iterator<Item = M> {
    list.iter().filter_map(|entry| M::decode(entry.clone()).ok())
}

#[cfg(test)]
mod tests {
    use super::fake::{Answer, Server};
    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Text {
        #[prost(string, tag = "1")]
        text: String,
    }

    const METHOD: &str = "/v1.Echo/Say";

    fn asked(answer: Answer) -> (Server, Result<Text, Error>) {
        let server = Server::start(move |_, _| answer.clone());
        let client = Client::open(&server.path(), 1 << 20).expect("a socket");
        let mut client = client.within(Duration::from_millis(300));
        let said = client.call(METHOD, Text { text: "hello".to_owned() });
        (server, said)
    }

    fn why(answer: Answer) -> String {
        asked(answer).1.expect_err("an error").to_string()
    }

    #[test]
    fn an_answer_comes_back() {
        let server = Server::start(|method, request| {
            let asked = Text::decode(request).expect("a text").text;
            Answer::message(&Text { text: format!("{method} {asked}") })
        });
        let mut client = Client::open(&format!("unix://{}", server.path()), 1 << 20).expect("a socket");
        let mut say =
            |text: &str| client.call::<_, Text>(METHOD, Text { text: text.to_owned() }).expect("an answer").text;
        assert_eq!([say("a"), say("b")], ["/v1.Echo/Say a", "/v1.Echo/Say b"], "over one connection");
    }

    #[test]
    fn what_a_server_does_wrong_is_told() {
        let told = why(Answer::Status(13, "boom"));
        assert!(told.ends_with("sock: boom"), "{told}");
        let told = why(Answer::Status(7, ""));
        assert!(
            told.ends_with("sock: The caller does not have permission to execute the specified operation"),
            "{told}"
        );
        let told = why(Answer::Raw(vec![0xff; 40]));
        assert!(told.contains("decode"), "no such message: {told}");
        let told = why(Answer::Half(vec![0, 0, 0, 1, 0, 1]));
        assert!(told.contains("closed") || told.contains("broken") || told.contains("reset"), "half a message: {told}");
        let told = why(Answer::message(&Text { text: "x".repeat(2 << 20) }));
        assert!(told.contains("too large") || told.contains("limit"), "{told}");
        for answer in [Answer::Silence, Answer::Stalled(vec![0, 0, 0])] {
            let told = why(answer);
            assert!(told.contains("no answer to /v1.Echo/Say within 300ms"), "{told}");
        }
        let told = why(Answer::Close);
        assert!(told.contains("closed") || told.contains("broken") || told.contains("reset"), "{told}");
    }

    #[test]
    fn a_service_that_is_not_there_is_absent() {
        let (server, answer) = asked(Answer::Status(12, "unknown service v1.Echo"));
        let told = answer.expect_err("no service");
        assert!(matches!(&told, Error::NotFound(what) if *what == format!("v1.Echo at {}", server.path())), "{told}");
        assert!(matches!(Client::open("/nowhere/x.sock", 1), Err(Error::NotFound(_))), "and so is a socket");
    }

    #[test]
    fn a_server_that_began_anew_is_found_again() {
        let server = Server::start(|_, _| Answer::message(&Text { text: "first".to_owned() }));
        let path = server.path();
        let mut client = Client::open(&path, 1 << 20).expect("a socket");
        let mut say = || client.call::<_, Text>(METHOD, Text::default()).map(|text| text.text);
        assert_eq!(say().expect("an answer"), "first");
        let folder = server.stop();
        assert!(say().is_err(), "nobody is there");
        let _server = Server::start_in(folder, |_, _| Answer::message(&Text { text: "second".to_owned() }));
        assert_eq!(say().expect("an answer"), "second");
    }

    #[test]
    fn one_bad_entry_takes_no_other_along() {
        let good = Bytes::from(Text { text: "a".to_owned() }.encode_to_vec());
        let list = [good.clone(), Bytes::from_static(&[0x0a, 0xff]), good];
        assert_eq!(entries::<Text>(&list).count(), 2);
    }
}
