use super::*;
use crate::ingest::events::tensor::Item;

const LIMIT: usize = 100_000;

fn tensor(name: &str, datatype: &str, shape: &[i64], contents: Option<Contents>) -> WireTensor {
    WireTensor { name: name.to_owned(), datatype: datatype.to_owned(), shape: shape.to_vec(), contents }
}

fn floats(values: &[f32]) -> Contents {
    Contents { floats: values.to_vec(), ..Contents::default() }
}

fn request(inputs: Vec<WireTensor>, raw: &[&'static [u8]]) -> Result<Payload, Reject> {
    let raw_input_contents = raw.iter().map(|bytes| Bytes::from_static(bytes)).collect();
    let message = Request { inputs, raw_input_contents, ..Request::default() };
    decode(Half::Request, &message.encode_to_vec().into(), LIMIT)
}

fn told(taken: Result<Payload, Reject>) -> String {
    let reject = taken.expect_err("it is not taken");
    format!("{} {}", reject.reason.status(), reject.message)
}

#[test]
fn shapes_types_and_contents_must_go_together() {
    let one = |datatype: &str, shape: &[i64], contents| request(vec![tensor("x", datatype, shape, contents)], &[]);
    assert!(one("FP32", &[2, 2], Some(floats(&[1.0; 4]))).is_ok());
    for (datatype, shape, contents, wanted) in [
        ("FP32", &[3][..], Some(floats(&[1.0; 4])), "422 tensor `x`: shape [3] has 3 values, and the data 4"),
        ("FP32", &[1], None, "422 tensor `x`: shape [1] has 1 values, and the data 0"),
        (
            "FP64",
            &[4],
            Some(floats(&[1.0; 4])),
            "422 tensor `x`: is of FP64, and 4 of its values are in the field of another",
        ),
        ("FP16", &[4], Some(floats(&[1.0; 4])), "422 tensor `x`: values of FP16 come as raw contents alone"),
        ("FP99", &[4], Some(floats(&[1.0; 4])), "422 tensor `x`: datatype `FP99` is none"),
        ("", &[4], Some(floats(&[1.0; 4])), "422 tensor `x`: datatype `` is none"),
        ("FP32", &[-1, 4], Some(floats(&[1.0; 4])), "422 tensor `x`: shape: a dimension of -1 values"),
        ("FP32", &[i64::MAX, i64::MAX, 2], Some(floats(&[1.0; 4])), "422 tensor `x`: shape"),
        ("FP32", &[i64::MAX, 0], Some(floats(&[])), ""),
        ("FP32", &[1; 17], Some(floats(&[1.0])), "422 tensor `x`: it has 17 dimensions"),
    ] {
        let taken = one(datatype, shape, contents);
        if wanted.is_empty() {
            assert_eq!(taken.expect("no values").tensors[0].data.len(), 0);
        } else {
            let told = told(taken);
            assert!(told.starts_with(wanted), "{told}");
        }
    }
    let range = Contents { ints: vec![300], ..Contents::default() };
    assert!(told(one("INT8", &[1], Some(range))).contains("INT8"));
}

#[test]
fn raw_contents_are_one_for_each_tensor_and_of_its_length() {
    let x = || tensor("x", "INT16", &[2], None);
    let taken = request(vec![x()], &[&[1, 0, 255, 255]]).expect("taken");
    assert_eq!(taken.tensors[0].data.at(1), Some(Item::Value(Value::Int(-1))));
    assert!(told(request(vec![x()], &[&[1, 0, 255]])).contains("2 values of INT16 do not take 3 bytes"));
    assert!(
        told(request(vec![x(), tensor("y", "INT16", &[2], None)], &[&[0; 4]])).contains("2 tensors and 1 raw contents")
    );
    assert!(told(request(vec![x()], &[&[0; 4], &[0; 4]])).contains("1 tensors and 2 raw contents"));
    let both = tensor("x", "FP32", &[1], Some(floats(&[1.0])));
    assert!(told(request(vec![both], &[&[0; 4]])).contains("both contents and raw contents"));
    let texts = tensor("t", "BYTES", &[2], None);
    let taken = request(vec![texts.clone()], &[b"\x02\0\0\0ab\0\0\0\0"]).expect("taken");
    assert_eq!(taken.tensors[0].data.at(0), Some(Item::Value(Value::Text("ab".into()))));
    for broken in [&b"\x02\0\0\0ab"[..], b"\xff\xff\xff\xffab", b"\x02\0\0", b"\x01\0\0\0a\x01\0\0\0a\x01\0\0\0a"] {
        assert!(told(request(vec![texts.clone()], &[broken])).starts_with("422 tensor `t`"), "{broken:?}");
    }
}

#[test]
fn what_is_no_message_is_told_so() {
    for bytes in [&b"{\"inputs\": []}"[..], b"\xff", b"\x2a\x05", b"\x2a\x02\x1a\x7f", &[0x1f, 0x8b, 8, 0]] {
        let told = told(decode(Half::Request, &Bytes::copy_from_slice(bytes), LIMIT));
        assert!(told.starts_with("422 the data is no ModelInferRequest of the V2 protocol: "), "{told}");
    }
    let empty = told(decode(Half::Response, &Bytes::new(), LIMIT));
    assert_eq!(empty, "422 the data is no ModelInferResponse of the V2 protocol: it has no tensors");
    let twice = told(request(vec![tensor("x", "FP32", &[0], None), tensor("x", "FP32", &[0], None)], &[]));
    assert_eq!(twice, "422 tensor `x` occurs twice");
}

/// A few bytes may claim a thousand times as much memory.
#[test]
fn a_message_is_weighed_before_it_is_read() {
    let big = |bytes: Vec<u8>| told(decode(Half::Request, &bytes.into(), LIMIT));
    // Empty tensors, of two bytes each.
    assert!(big([0x2a, 0].repeat(MAX_TENSORS + 1)).starts_with("413 the body has 4097 tensors"));
    // Empty raw contents, parameters without a value, a shape without end, values of no bytes.
    assert!(big([0x3a, 0].repeat(1000)).starts_with("413 the data takes more memory"));
    assert!(big([0x22, 0].repeat(1000)).starts_with("413 the data takes more memory"));
    let within = |field: u8, bytes: &[u8]| {
        let mut framed = vec![field << 3 | 2];
        prost::encoding::encode_varint(bytes.len() as u64, &mut framed);
        framed.extend(bytes);
        framed
    };
    assert!(big(within(5, &within(3, &[1; 10_000]))).starts_with("413 the data takes more memory"));
    assert!(big(within(5, &within(5, &[0x42, 0].repeat(2000)))).starts_with("413 the data takes more memory"));
    assert!(big(within(5, &within(5, &[0x10, 1].repeat(10_000)))).starts_with("413 the data takes more memory"));
    // What is not read takes nothing.
    let wanted = [within(5, &[]), [0x32, 0].repeat(100)].concat();
    assert!(big(wanted).starts_with("422 tensor `input`: datatype"));
}
