use super::*;

const REQUEST: &str = r#"{"inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [[1, 2], [3, 4]]}]}"#;
const RESPONSE: &str = r#"{"outputs": [{"name": "y", "shape": [2, 1], "datatype": "INT64", "data": [1, 0]}]}"#;

fn upload(more: &str, request: &str, response: &str) -> Result<Upload, Reject> {
    let text = format!(r#"{{"model_name": "m"{more}, "request": {request}, "response": {response}}}"#);
    read(&Bytes::from(text), None, 100_000)
}

fn told(taken: Result<Upload, Reject>) -> String {
    let reject = taken.expect_err("it is not taken");
    format!("{} {}", reject.reason.status(), reject.message)
}

#[test]
fn the_tag_and_the_ground_truth_say_what_it_is_for() {
    let with_ids = REQUEST.replace("\"data\"", "\"execution_ids\": [\"a\", \" b \"], \"data\"");
    for (more, purpose) in [
        ("", Purpose::Samples),
        (r#", "data_tag": null"#, Purpose::Samples),
        (r#", "data_tag": "canary", "is_ground_truth": false"#, Purpose::Samples),
        (r#", "data_tag": "TRAINING""#, Purpose::Reference),
        (r#", "is_ground_truth": true"#, Purpose::Labels),
        (r#", "is_ground_truth": true, "data_tag": "canary""#, Purpose::Labels),
    ] {
        let found = upload(more, &with_ids, RESPONSE).expect("an upload");
        assert_eq!(found.purpose, purpose, "{more}");
        assert_eq!((found.predicted.ids.join(","), found.rows(9), found.values()), ("a,b".to_owned(), Ok(2), 6));
    }
    assert!(
        told(upload(r#", "is_ground_truth": true, "data_tag": "TRAINING""#, &with_ids, RESPONSE))
            .starts_with("400 ground truth of training")
    );
    assert!(
        told(upload(r#", "data_tag": "_trustyai_unlabeled""#, REQUEST, RESPONSE))
            .starts_with("400 data_tag `_trustyai_unlabeled`")
    );
}

#[test]
fn rows_are_named_by_execution_ids_or_by_the_upload_itself() {
    for (spelled, ids) in
        [("execution_ids", r#"["a", "b"]"#), ("executionIDs", r#"["a", "b"]"#), ("execution_ids", r#"["a", 7]"#)]
    {
        let request = REQUEST.replace("\"data\"", &format!("\"{spelled}\": {ids}, \"data\""));
        assert_eq!(upload("", &request, RESPONSE).expect("an upload").predicted.ids.len(), 2, "{spelled} {ids}");
    }
    let ground = |request: &str| upload(r#", "is_ground_truth": true"#, request, RESPONSE);
    assert!(told(ground(REQUEST)).starts_with("400 ground truth needs execution_ids"));
    let one = REQUEST.replace("\"data\"", "\"execution_ids\": [\"a\"], \"data\"");
    let rows = ground(&one).expect("an upload").rows(9).expect_err("one id for two rows");
    assert_eq!(rows.message, "there are 2 rows and 1 execution_ids; send one for each row");
    for wrong in [r#"[""]"#, "\"a\"", "[[1]]", "[null]"] {
        let request = REQUEST.replace("\"data\"", &format!("\"execution_ids\": {wrong}, \"data\""));
        assert!(told(upload("", &request, RESPONSE)).starts_with("400 execution_ids"), "{wrong}");
    }
    let id = |request: &str| upload("", request, RESPONSE).expect("an upload").predicted.id;
    assert_eq!(id(REQUEST), id(REQUEST));
    assert_ne!(id(REQUEST), id(&REQUEST.replace("[3, 4]", "[3, 5]")));
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let of = |text: &str| told(read(&Bytes::copy_from_slice(text.as_bytes()), None, 100_000));
    assert!(of("[]").starts_with("400 send a JSON object"));
    assert!(of("{").starts_with("400 no upload"));
    assert_eq!(of("{}"), "400 model_name is missing");
    assert!(of(r#"{"model_name": "a/b"}"#).starts_with("400 model_name: `a/b`"));
    assert_eq!(of(r#"{"model_name": "m__isvc-1"}"#), "400 request is missing");
    assert_eq!(
        of(&format!(r#"{{"model_name": "m", "request": {REQUEST}, "response": null}}"#)),
        "400 response is missing"
    );
    assert!(told(upload("", "[1]", RESPONSE)).starts_with("422 request: "));
    assert!(told(upload("", "{}", RESPONSE)).starts_with("422 request: `instances` and `inputs` are missing"));
    let wrong = REQUEST.replace("[2, 2]", "[3, 2]");
    assert_eq!(
        told(upload("", &wrong, RESPONSE)),
        "422 request: tensor `x`: shape [3, 2] has 6 values, and the data 4"
    );
    let three = RESPONSE.replace("[2, 1]", "[3, 1]").replace("[1, 0]", "[1, 0, 1]");
    let rows = upload("", REQUEST, &three).expect("an upload").rows(9).expect_err("two and three rows");
    assert!(rows.message.starts_with("first dimensions do not go together"), "{rows}");
    let many = upload("", REQUEST, RESPONSE).expect("an upload").rows(1).expect_err("too many");
    assert_eq!(many.reason, Reason::TooLarge);
    let namespace = |query| {
        read(
            &Bytes::from(format!(r#"{{"model_name": "m", "request": {REQUEST}, "response": {RESPONSE}}}"#)),
            query,
            100_000,
        )
    };
    assert_eq!(namespace(Some("namespace=shop")).expect("an upload").model, ModelKey::within("shop", "m"));
    assert!(told(namespace(Some("tag=x"))).starts_with("400 model_name: unknown parameter"));
}
