//! The fields of a protobuf message in place, one after another: a message may claim many times its bytes once it is read, so that
//! whoever reads it can weigh it first. Pure. What the fields mean is their reader's.

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'b> {
    /// A single number, which is not read.
    Number,
    /// A text, bytes, a message, or numbers one behind the other.
    Bytes(&'b [u8]),
}

/// Shows each field of a message, by its number.
///
/// # Errors
/// It is no message.
pub fn fields<'b>(bytes: &'b [u8], visit: &mut dyn FnMut(u64, Value<'b>)) -> Result<(), String> {
    let broken = || "it ends within a message".to_owned();
    let mut rest = bytes;
    while !rest.is_empty() {
        let key = varint(&mut rest).ok_or_else(broken)?;
        let length = match key & 7 {
            0 => {
                varint(&mut rest).ok_or_else(broken)?;
                0
            }
            1 => 8,
            5 => 4,
            2 => usize::try_from(varint(&mut rest).ok_or_else(broken)?).map_err(|_| broken())?,
            _ => return Err("a field of an unknown kind".to_owned()),
        };
        if key >> 3 == 0 {
            return Err("a field without a number".to_owned());
        }
        let (value, after) = rest.split_at_checked(length).ok_or_else(broken)?;
        rest = after;
        visit(key >> 3, if key & 7 == 2 { Value::Bytes(value) } else { Value::Number });
    }
    Ok(())
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bytes: &[u8]) -> Result<Vec<(u64, Value<'_>)>, String> {
        let mut seen = Vec::new();
        fields(bytes, &mut |field, value| seen.push((field, value)))?;
        Ok(seen)
    }

    #[test]
    fn fields_are_shown_in_place() {
        // Field 1: 300, field 2: "ab", field 3: a double, field 4: a float, field 300: empty.
        let message = b"\x08\xac\x02\x12\x02ab\x19\0\0\0\0\0\0\0\0\x25\0\0\0\0\xe2\x12\x00";
        let number = Value::Number;
        let all = [(1, number), (2, Value::Bytes(b"ab")), (3, number), (4, number), (300, Value::Bytes(b""))];
        assert_eq!(seen(message), Ok(all.to_vec()));
        assert_eq!(seen(b""), Ok(Vec::new()));
        for whole in 1..message.len() {
            let cut = seen(&message[..whole]);
            assert!(cut.is_err() || cut.is_ok_and(|seen| seen.len() < all.len()), "{whole}");
        }
        for broken in [
            &b"\x12\x03ab"[..],
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x0b",
            b"\x0f",
            b"\0\0",
            &[0xff; 12],
        ] {
            assert!(seen(broken).is_err(), "{broken:?}");
        }
    }
}
