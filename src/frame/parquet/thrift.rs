//! A walk over Thrift's compact protocol, in which Parquet's footer and the heads of its pages are written. A list there may claim any
//! length, and a decoder would make room for it: what is claimed is held against what is there before anything is decoded. Pure.

/// A struct, list or map stands in so many others at most.
const DEEPEST: usize = 32;
/// A list is no longer: more than rows groups times columns of any file that can be used here.
const LONGEST: u64 = 1 << 20;

/// Compact types with values that are looked at.
const STRUCT: u8 = 12;

/// What was walked over is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

/// Where a walk has come to.
pub struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What a page says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageHead {
    /// Bytes of the head.
    pub length: usize,
    /// Bytes of the page as it is stored.
    pub packed: u64,
    /// Bytes that it unpacks to.
    pub unpacked: u64,
    /// Values of a page of data.
    pub values: u64,
    /// Values of a page that is a dictionary.
    pub entries: u64,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        let byte = *self.bytes.get(self.at).ok_or(Broken)?;
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }

    fn pass(&mut self, bytes: u64) -> Result<(), Broken> {
        let end = usize::try_from(bytes).ok().and_then(|bytes| self.at.checked_add(bytes)).ok_or(Broken)?;
        if end > self.bytes.len() {
            return Err(Broken);
        }
        self.at = end;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).ok_or(Broken)?;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Broken)
    }

    /// A whole number, which is none below zero here.
    fn natural(&mut self) -> Result<u64, Broken> {
        let coded = self.varint()?;
        if coded & 1 == 1 { Err(Broken) } else { Ok(coded >> 1) }
    }

    /// Hands each field of a struct to `visit`, which walks over its value.
    fn fields(&mut self, mut visit: impl FnMut(u64, u8, &mut Self) -> Result<(), Broken>) -> Result<(), Broken> {
        let mut id = 0_u64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            let delta = u64::from(head >> 4);
            id = if delta == 0 { self.varint()? >> 1 } else { id.saturating_add(delta) };
            visit(id, head & 0x0f, self)?;
        }
    }

    /// Walks over a value; one in a list is a byte where in a field it would be none.
    fn value(&mut self, kind: u8, depth: usize, in_list: bool) -> Result<(), Broken> {
        let deeper = depth.saturating_add(1);
        if deeper > DEEPEST {
            return Err(Broken);
        }
        match kind {
            1 | 2 => self.pass(u64::from(in_list)),
            3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let length = self.varint()?;
                self.pass(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let length = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                self.fits(length)?;
                (0..length).try_for_each(|_| self.value(head & 0x0f, deeper, true))
            }
            11 => {
                let length = self.varint()?;
                self.fits(length)?;
                let kinds = if length == 0 { 0 } else { self.byte()? };
                (0..length).try_for_each(|_| {
                    self.value(kinds >> 4, deeper, true)?;
                    self.value(kinds & 0x0f, deeper, true)
                })
            }
            STRUCT => self.fields(|_, kind, walk| walk.value(kind, deeper, false)),
            13 => self.pass(16),
            _ => Err(Broken),
        }
    }

    /// Each element is a byte at least.
    fn fits(&self, length: u64) -> Result<(), Broken> {
        let left = self.bytes.len().saturating_sub(self.at) as u64;
        if length > left || length > LONGEST { Err(Broken) } else { Ok(()) }
    }
}

/// Walks over a footer.
///
/// # Errors
/// It ends too early, or claims what cannot be there.
pub fn look_over(footer: &[u8]) -> Result<(), Broken> {
    Walk::new(footer).value(STRUCT, 0, false)
}

/// Reads the head of the page that begins here.
///
/// # Errors
/// There is none, or a number in it is below zero.
pub fn page_head(bytes: &[u8]) -> Result<PageHead, Broken> {
    let mut walk = Walk::new(bytes);
    let mut head = PageHead::default();
    let count = |walk: &mut Walk<'_>| {
        let mut count = 0;
        walk.fields(|id, kind, walk| {
            if (id, kind) == (1, 5) {
                count = walk.natural()?;
                return Ok(());
            }
            walk.value(kind, 0, false)
        })?;
        Ok(count)
    };
    walk.fields(|id, kind, walk| {
        match (id, kind) {
            (2, 5) => head.unpacked = walk.natural()?,
            (3, 5) => head.packed = walk.natural()?,
            (5 | 8, STRUCT) => head.values = head.values.saturating_add(count(walk)?),
            (7, STRUCT) => head.entries = head.entries.saturating_add(count(walk)?),
            _ => walk.value(kind, 0, false)?,
        }
        Ok(())
    })?;
    head.length = walk.at;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_page_says_how_large_it_is() {
        // type = data page, unpacked = 300, packed = 20, data page head { 7 values, plain, rle, rle }.
        let bytes =
            [0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x28, 0x2c, 0x15, 0x0e, 0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0, 0, 9];
        let head = PageHead { length: 18, packed: 20, unpacked: 300, values: 7, entries: 0 };
        assert_eq!(page_head(&bytes), Ok(head));
        for cut in 0..18 {
            assert_eq!(page_head(&bytes[..cut]), Err(Broken), "{cut}");
        }
        assert_eq!(page_head(&[0x15, 0x00, 0x15, 0x01, 0]), Err(Broken), "below zero");
    }

    #[test]
    fn a_list_that_claims_more_than_is_there_is_broken() {
        // A list of structs, three of which are there, each empty.
        assert_eq!(look_over(&[0x19, 0x3c, 0, 0, 0, 0]), Ok(()));
        assert_eq!(look_over(&[0x19, 0x4c, 0, 0, 0]), Err(Broken));
        assert_eq!(look_over(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0]), Err(Broken));
        let deep: Vec<u8> = std::iter::repeat_n(0x1c, 1000).collect();
        assert_eq!(look_over(&deep), Err(Broken));
    }
}
