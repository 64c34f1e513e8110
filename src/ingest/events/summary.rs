//! What is kept of values that are not unrolled into columns: images, embeddings of many numbers, sound, blobs. Pure.

use sha2::{Digest, Sha256};

use super::tensor::{Data, Item, Tensor, Type, shown};
use crate::frame::json::Value;
use crate::units::hex;

/// Bytes of the digest that are kept.
const HASH: usize = 16;

/// A part of a tensor, in a few values.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Its dimensions, as `[3, 224, 224]`.
    pub shape: String,
    /// Its type's name on the wire.
    pub datatype: &'static str,
    /// Bytes of it when packed.
    pub bytes: u64,
    /// The first half of the SHA-256 of its values as they are packed, in hex: the same however they were sent.
    pub hash: String,
    /// Of its numbers, where it has any.
    pub mean: Option<f64>,
    /// The standard deviation of its numbers, all of them being known.
    pub std: Option<f64>,
}

/// A tensor of which summaries are kept in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Summarised {
    /// Its name.
    pub name: String,
    /// One of each row.
    pub rows: Vec<Summary>,
    /// One of all rows together.
    pub whole: Summary,
}

impl Summarised {
    /// Of a tensor that is not kept.
    #[must_use]
    pub fn of(tensor: &Tensor) -> Self {
        let width = tensor.width();
        let row =
            |row: usize| part(&tensor.data, tensor.datatype, &tensor.shape[1..], row.saturating_mul(width), width);
        Self { name: tensor.name.clone(), rows: (0..tensor.rows()).map(row).collect(), whole: whole(tensor) }
    }

    /// Bytes of memory it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.len().saturating_add(1).saturating_mul(160).saturating_add(self.name.len())
    }
}

/// Of all of a tensor.
#[must_use]
pub fn whole(tensor: &Tensor) -> Summary {
    part(&tensor.data, tensor.datatype, &tensor.shape, 0, tensor.data.len())
}

/// Of one row of a tensor.
#[must_use]
pub fn row(tensor: &Tensor, row: usize) -> Summary {
    let width = tensor.width();
    part(&tensor.data, tensor.datatype, &tensor.shape[1..], row.saturating_mul(width), width)
}

/// Of one blob.
#[must_use]
pub fn blob(bytes: &[u8]) -> Summary {
    let hash = hex(&Sha256::digest(bytes)[..HASH]);
    Summary { shape: shown(&[1]), datatype: Type::Bytes.name(), bytes: bytes.len() as u64, hash, mean: None, std: None }
}

fn part(data: &Data, datatype: Type, shape: &[usize], from: usize, length: usize) -> Summary {
    let mut packer = Packer { hash: Sha256::new(), waiting: Vec::with_capacity(PACK), bytes: 0 };
    let (mut seen, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for at in from..from.saturating_add(length) {
        let Some(item) = data.at(at) else { break };
        packer.add(datatype, &item);
        if let Some(number) = data.number(at).filter(|number| number.is_finite()) {
            // Welford's update: sums of squares of large numbers would lose what they differ by.
            seen += 1.0;
            let off = number - mean;
            mean += off / seen;
            squares += off * (number - mean);
        }
    }
    let known = |value: f64| (seen > 0.0 && value.is_finite()).then_some(value);
    let (bytes, hash) = packer.finish();
    Summary {
        shape: shown(shape),
        datatype: datatype.name(),
        bytes,
        hash,
        mean: known(mean),
        std: known((squares / seen).sqrt()),
    }
}

const PACK: usize = 8192;

/// Values as they are packed on the wire, on their way into a digest.
struct Packer {
    hash: Sha256,
    waiting: Vec<u8>,
    bytes: u64,
}

impl Packer {
    fn add(&mut self, datatype: Type, item: &Item<'_>) {
        match item {
            Item::Blob(bytes) => self.text(bytes),
            Item::Value(Value::Text(text)) => self.text(text.as_bytes()),
            Item::Value(Value::Bool(value)) => self.put(&[u8::from(*value)]),
            Item::Value(Value::Int(value)) => match datatype {
                Type::Int(size) | Type::UInt(size) => self.put(&value.to_le_bytes()[..size.min(8)]),
                Type::Bool => self.put(&[u8::from(*value != 0)]),
                _ => self.float(datatype, *value as f64),
            },
            Item::Value(Value::UInt(value)) => match datatype {
                Type::Int(size) | Type::UInt(size) => self.put(&value.to_le_bytes()[..size.min(8)]),
                _ => self.float(datatype, *value as f64),
            },
            Item::Value(Value::Float(value)) => self.float(datatype, *value),
            // What is missing takes its place as NaN, or nothing.
            Item::Value(_) => self.float(datatype, f64::NAN),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a single holds what was one, and the nearest of what was not")]
    fn float(&mut self, datatype: Type, value: f64) {
        match datatype {
            Type::Fp16 => self.put(&half::f16::from_f64(value).to_le_bytes()),
            Type::Bf16 => self.put(&half::bf16::from_f64(value).to_le_bytes()),
            Type::Fp32 => self.put(&(value as f32).to_le_bytes()),
            Type::Fp64 | Type::Json => self.put(&value.to_le_bytes()),
            Type::Bool | Type::Int(_) | Type::UInt(_) => {
                let size = datatype.size().unwrap_or(0);
                self.put(&[0; 8][..size.min(8)]);
            }
            Type::Bytes => self.put(&[0; 4]),
        }
    }

    fn text(&mut self, text: &[u8]) {
        self.put(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.put(text);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PACK {
            self.hash.update(&self.waiting);
            self.waiting.clear();
        }
    }

    fn finish(mut self) -> (u64, String) {
        self.hash.update(&self.waiting);
        (self.bytes, hex(&self.hash.finalize()[..HASH]))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn tensor(datatype: Type, shape: &[usize], data: Data) -> Tensor {
        Tensor::new("t".to_owned(), datatype, shape.to_vec(), data).expect("a tensor")
    }

    #[test]
    fn a_row_is_summarised_by_itself_and_the_same_however_it_was_sent() {
        let values = [1.0_f32, 2.0, 3.0, 4.0, 10.0, 10.0, 10.0, 10.0];
        let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let packed = tensor(Type::Fp32, &[2, 2, 2], Data::Packed(Type::Fp32, Bytes::from(packed.clone())));
        let json = tensor(Type::Fp32, &[2, 2, 2], Data::Float(values.iter().copied().map(f64::from).collect()));
        let summarised = Summarised::of(&packed);
        assert_eq!(summarised, Summarised::of(&json));
        let [first, second] = summarised.rows.as_slice() else { panic!("two rows") };
        assert_eq!((first.shape.as_str(), first.datatype, first.bytes), ("[2, 2]", "FP32", 16));
        assert_eq!((first.mean, first.std), (Some(2.5), Some(1.25_f64.sqrt())));
        assert_eq!((second.mean, second.std), (Some(10.0), Some(0.0)));
        assert_ne!(first.hash, second.hash);
        assert_eq!(first.hash, row(&packed, 0).hash);
        assert_eq!((summarised.whole.shape.as_str(), summarised.whole.bytes), ("[2, 2, 2]", 32));
        let bytes: Vec<u8> = values[..4].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(first.hash, hex(&Sha256::digest(&bytes)[..16]));
    }

    #[test]
    fn what_has_no_numbers_has_no_mean() {
        let texts = tensor(Type::Bytes, &[1, 1, 2], Data::Bytes(vec!["a".into(), Bytes::from_static(b"\xff\xfe")]));
        let found = row(&texts, 0);
        assert_eq!((found.mean, found.std, found.bytes), (None, None, 11));
        let nothing = tensor(Type::Fp64, &[1, 1, 2], Data::Float(vec![f64::NAN, f64::INFINITY]));
        let found = row(&nothing, 0);
        assert_eq!((found.mean, found.std, found.bytes), (None, None, 16));
        assert_eq!(blob(b"\xff").bytes, 1);
        let huge = tensor(Type::Fp64, &[1, 1, 2], Data::Float(vec![f64::MAX, f64::MIN]));
        assert_eq!(row(&huge, 0).std, None, "what overflows is not known");
    }
}
