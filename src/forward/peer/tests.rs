//! What is sent, and what each answer means.

use arrow::array::{Float64Array, StringViewArray, TimestampMillisecondArray};

use super::*;
use crate::forward::addresses;
use crate::forward::fake::Fake;

fn labels(rows: usize) -> RecordBatch {
    let ids = StringViewArray::from_iter_values((0..rows).map(|i| format!("an id that is not inline: {i}")));
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(ids)),
        ("timestamp", Arc::new(TimestampMillisecondArray::from(vec![7; rows]).with_timezone("UTC"))),
        ("label", Arc::new(Float64Array::from(vec![0.5; rows]))),
    ];
    RecordBatch::try_from_iter(columns).expect("a record")
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

async fn peer(config: &Config, fake: &Fake) -> Peer {
    let config = Config { agents: vec![fake.url()], ..config.clone() };
    let found = addresses(&config, super::super::system).await;
    Peer::new(&config, found.addresses[0].clone()).expect("a client")
}

#[test]
fn labels_arrive_as_they_are_with_who_sends_them_and_whom_they_are_for() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        fs::write(&file, "old\n").expect("written");
        let fake = Fake::start('b').await;
        fake.said().token = Some("Bearer new".to_owned());
        let peer = peer(&Config { token_file: Some(file.clone()), ..Config::default() }, &fake).await;
        let refused = peer.identity().await.expect_err("the token is another");
        assert_eq!(refused, later("status 401: the token is not the right one (forward.token_file)"));
        // It is read anew for each call.
        fs::write(&file, "new").expect("written");
        let agent = peer.identity().await.expect("its name");
        assert_eq!(agent, "b".repeat(32));
        let all = labels(1000);
        let model = ModelKey::within("ml", "m");
        let taken = peer.send(&model, &all.slice(10, 3), &"a".repeat(32), &agent).await;
        assert_eq!(taken, Ok(Taken { accepted: 3, ..Taken::default() }));
        let said = fake.said();
        let sent = &said.taken[0];
        assert_eq!(sent.path, "/v1/models/m/labels?namespace=ml");
        assert_eq!(sent.headers["plumbline-forwarded-by"], "a".repeat(32).as_str());
        assert_eq!(sent.headers["content-type"], "application/vnd.apache.arrow.stream");
        assert_eq!(sent.rows, all.slice(10, 3));
        let bytes: usize = sent.headers["content-length"].to_str().expect("a text").parse().expect("a number");
        assert!(bytes < 2000, "{bytes} bytes: texts of other rows go along");
        assert!(!format!("{peer:?}").contains("new"), "the token is shown");
    });
}

#[test]
fn only_wrong_rows_are_refused_for_good() {
    let told = r#"{"accepted":0,"rejected":2,"errors":[{"row":0,"field":"label","message":"is a string"}]}"#;
    let refused = |message: &str| Ok(Taken { accepted: 0, refused: 2, message: Some(message.to_owned()) });
    let late = |message: &str, after: Option<u64>| {
        Err(Failure::Later { message: message.to_owned(), after: after.map(Duration::from_secs) })
    };
    let half = r#"{"accepted":1,"rejected":1,"errors":[{"message":"no"}]}"#;
    let cases = [
        (202, half, None, Ok(Taken { accepted: 1, refused: 1, message: Some("no".to_owned()) })),
        (202, "<html>", None, late("its answer is none of an agent", None)),
        (422, told, None, refused("status 422: is a string")),
        (507, told, None, refused("status 507: is a string")),
        (413, "", None, Err(Failure::TooLarge("status 413".to_owned()))),
        (429, told, Some(7), late("status 429: is a string", Some(7))),
        (503, "", Some(10), late("status 503", Some(10))),
        (401, "", None, late("status 401: the token is not the right one (forward.token_file)", None)),
        (404, "not found", None, late("status 404: no agent of this version is there", None)),
        (302, "", None, late("status 302: redirects are not followed", None)),
        (409, told, None, late("status 409: is a string", None)),
        (421, "host `a` is not allowed\nhere", None, late("status 421: host `a` is not allowed", None)),
        (502, "<html>", None, late("status 502", None)),
        (500, "", None, late("status 500", None)),
    ];
    run(async {
        let fake = Fake::start('b').await;
        let peer = peer(&Config::default(), &fake).await;
        for (status, text, wait, expected) in cases {
            fake.said().answers.push_back((status, text.to_owned(), wait));
            let came = peer.send(&ModelKey::named("m"), &labels(2), "a", &"b".repeat(32)).await;
            assert_eq!(came, expected, "{status}");
        }
        // Whoever is there instead is no agent.
        fake.said().agent = "<b>".to_owned();
        let none = peer.identity().await.expect_err("no name");
        assert!(format!("{none:?}").contains("says no agent's name"), "{none:?}");
    });
}

#[test]
fn nobody_there_is_no_loss() {
    run(async {
        let fake = Fake::start('b').await;
        let mut gone = fake.clone();
        gone.at.set_port(1);
        let peer = peer(&Config::default(), &gone).await;
        assert!(matches!(peer.identity().await, Err(Failure::Later { after: None, .. })));
    });
}

#[test]
fn a_token_is_a_line_of_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    let of = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        token(&Config { token_file: Some(path.clone()), ..Config::default() })
    };
    assert_eq!(of(b" a-b \n").expect("a token").expect("a token"), "Bearer a-b");
    for wrong in [&b""[..], b" \n", b"a\nb", b"\xff", &vec![b'a'; 70_000]] {
        let error = of(wrong).expect_err("none");
        assert!(error.contains("token") && !error.contains("aaa"), "{error}");
    }
    assert_eq!(token(&Config::default()), Ok(None));
}
