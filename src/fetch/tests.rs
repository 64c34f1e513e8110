//! Paths and addresses, and servers that answer as they should not.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;

use super::*;

#[test]
fn an_address_is_shown_without_what_may_be_a_key() {
    let shown = |text: &str| Source::parse(text).map(|source| source.shown());
    assert_eq!(
        shown("HTTPS://me:secret@host:8443/a/b.parquet?X-Amz-Signature=1#x"),
        Ok("https://host:8443/a/b.parquet".to_owned())
    );
    assert_eq!(shown("s3://bucket/a b/c.csv"), Ok("s3://bucket/a b/c.csv".to_owned()));
    assert_eq!(shown("data/train.csv"), Ok("data/train.csv".to_owned()));
    for wrong in ["", " ", "ftp://host/a", "https://host", "https:///a", "s3://bucket/", "https://?a/b"] {
        assert!(shown(wrong).is_err(), "{wrong}");
    }
    let name = |text: &str| Source::parse(text).expect("a source").name();
    assert_eq!(name("https://host/a/b.profile.json?key=1/2"), "fetched-b.profile.json");
    assert_eq!(name("https://host/a/.."), "fetched-..");
    assert!(name(&format!("https://host/{}.csv", "x".repeat(300))).ends_with("xxx.csv"));
}

/// Answers each request with the next of these, whole; says what it was asked.
fn server(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let thread = std::thread::spawn(move || {
        let answer = |answer: String| {
            let (stream, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(&stream);
            let mut asked = String::new();
            while reader.read_line(&mut asked).expect("a line") > 2 {}
            (&stream).write_all(answer.as_bytes()).expect("written");
            asked.to_ascii_lowercase()
        };
        answers.into_iter().map(answer).collect()
    });
    (address, thread)
}

#[test]
fn an_address_is_read_within_bounds_and_again_only_where_it_has_changed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("fetched");
    let ok = |head: &str, body: &str| format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n\r\n{body}");
    let (address, asked) = server(vec![
        "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: /moved/train.csv\r\n\r\n".to_owned(),
        ok("ETag: \"7\"\r\nContent-Length: 6", "x\n1\n2\n"),
        "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_owned(),
        ok("Content-Length: 1000000", ""),
        ok("X-No: length", &"1\n".repeat(100)),
        ok("Content-Length: 6", "x\n"),
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ok("Content-Length: 0", ""),
    ]);
    let source = Source::parse(&format!("{address}/train.csv?key=secret")).expect("a source");
    let fetch = |since: Option<&Mark>| runtime.block_on(source.fetch(since, 64, &below));
    let Ok(Answer::New(fetched)) = fetch(None) else { panic!("it is there") };
    assert_eq!(fs::read_to_string(&fetched.path).expect("readable"), "x\n1\n2\n");
    assert!(fetched.path.ends_with("fetched-train.csv"));
    let expected = "aea284871ddeeebac4b57b7a8ee7dad070886e690408ce2409306b9b6487beb1";
    assert_eq!((fetched.sha256.as_str(), sha256(&fetched.path).expect("readable").as_str()), (expected, expected));
    let mark = fetched.mark.clone();
    drop(fetched);
    assert!(!below.exists(), "it goes with whoever holds it");
    assert!(matches!(fetch(Some(&mark)), Ok(Answer::Same)));
    for (since, why) in [
        (None, "larger than 64 bytes"),
        (None, "larger than 64 bytes"),
        (None, "error"),
        (Some(&mark), "404 Not Found"),
        (None, "is empty"),
    ] {
        let error = fetch(since).expect_err("refused").to_string();
        assert!(error.starts_with(&format!("{address}/train.csv: ")) && error.contains(why), "{error}");
        assert!(!error.contains("secret") && !below.exists(), "{error}");
    }
    let asked = asked.join().expect("it answered");
    assert!(asked[1].starts_with("get /moved/train.csv") && !asked[1].contains("if-none-match"), "{asked:?}");
    assert!(asked[2].contains("if-none-match: \"7\""), "{asked:?}");
    // Nobody listens any longer.
    assert!(fetch(None).is_err_and(|error| !error.to_string().contains("secret")));
}

#[test]
fn a_file_is_read_once_and_where_it_has_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("fetched");
    let path = folder.path().join("a.csv");
    let source = Source::parse(&path.display().to_string()).expect("a path");
    let fetch = |most| source.fetch_now(most, &below);
    assert!(fetch(9).is_err_and(|error| error.message.contains("No such file")));
    fs::write(&path, "x\n1\n").expect("written");
    let fetched = fetch(9).expect("it is there");
    assert_eq!(fetched.sha256, sha256(&path).expect("readable"));
    // What was hashed is what is read, whoever writes to the file meanwhile.
    fs::write(&path, "y\n2\n").expect("written");
    assert_eq!(fs::read_to_string(&fetched.path).expect("readable"), "x\n1\n");
    let mark = fetched.mark.clone();
    drop(fetched);
    assert!(path.exists() && !below.exists(), "the copy goes with whoever holds it");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let again = |mark: &Mark| runtime.block_on(source.fetch(Some(mark), 9, &below));
    let Ok(Answer::New(changed)) = again(&mark) else { panic!("it has changed") };
    assert!(matches!(again(&changed.mark), Ok(Answer::Same)));
    assert!(fetch(3).is_err_and(|error| error.message.contains("larger than 3 bytes")));
    let folder_of = Source::parse(&folder.path().display().to_string()).expect("a path");
    assert!(folder_of.fetch_now(9, &below).is_err_and(|error| error.message.contains("regular file")));
}
