//! Text files part by part: each part ends where a row does and is a body of its own, so that a file of any length costs the memory of a
//! part. What the rows hold is `decode`'s.

use std::io::Read;

use bytes::Bytes;
use csv_core::ReadFieldResult;

use super::look::Written;
use crate::ingest::decode::Format;

/// So much of a file is a part, in bytes: more where a row is longer. Never another number, or parts of a file that is half taken
/// would begin elsewhere.
const PART: usize = 2 << 20;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it begins, in bytes of the unpacked text.
    pub at: u64,
    /// A body with its rows.
    pub body: Bytes,
    /// How that is written.
    pub format: Format,
}

/// A text that is read part by part.
pub struct Text {
    input: Box<dyn Read + Send>,
    rows: Rows,
    /// The line of names, which begins each part of cells.
    head: Vec<u8>,
    buffer: Vec<u8>,
    /// Where the buffer begins.
    at: u64,
    ended: bool,
    /// A row is no longer, in bytes.
    longest: usize,
}

/// How rows stand in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    Cells(u8),
    Lines,
    /// Objects one after the other, whatever is between them.
    Objects,
    /// Elements of an array.
    Elements,
    /// The array is at its end.
    Over,
}

impl Text {
    /// Begins to read. A row that is longer than `longest` bytes is none.
    ///
    /// # Errors
    /// It cannot be read, is no text of its kind, or its first line is too long.
    pub fn open(input: Box<dyn Read + Send>, written: Written, longest: usize) -> Result<Self, String> {
        let longest = longest.max(PART);
        let mut text =
            Self { input, rows: Rows::Lines, head: Vec::new(), buffer: Vec::new(), at: 0, ended: false, longest };
        text.fill(PART)?;
        let mark = if text.buffer.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
        text.pass(mark);
        match written {
            Written::Cells(delimiter) => {
                text.rows = Rows::Cells(delimiter);
                let end = text.first_line(delimiter)?;
                text.head = text.buffer.get(..end).unwrap_or_default().to_vec();
                text.pass(end);
            }
            Written::Json => {
                let blank = text.buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                text.pass(blank);
                text.rows = match text.buffer.first() {
                    Some(b'[') => {
                        text.pass(1);
                        Rows::Elements
                    }
                    Some(b'{') => Rows::Objects,
                    _ => return Err("is no JSON: it begins with neither [ nor {".to_owned()),
                };
            }
            Written::Lines | Written::Parquet | Written::Arrow => {}
        }
        Ok(text)
    }

    /// Where what has not been read begins, in bytes of the unpacked text.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next part that begins at `from` or behind it; none at the end.
    ///
    /// # Errors
    /// The text cannot be read, or is broken.
    pub fn next(&mut self, from: u64) -> Result<Option<Part>, String> {
        self.skip_to(from)?;
        loop {
            if self.rows == Rows::Over {
                return Ok(None);
            }
            self.fill(PART)?;
            let mut end = self.end_of_rows()?;
            while end == 0 && !self.ended {
                if self.buffer.len() >= self.longest {
                    return Err(format!("a row is longer than {} bytes (ingest.max_body)", self.longest));
                }
                self.fill(self.buffer.len().saturating_mul(2).min(self.longest))?;
                end = self.end_of_rows()?;
            }
            if self.ended {
                let behind = self.buffer.get(end..).unwrap_or_default();
                match self.rows {
                    // The last row needs no end of its own.
                    Rows::Cells(_) | Rows::Lines => end = self.buffer.len(),
                    Rows::Elements if behind.first() == Some(&b']') => {}
                    Rows::Elements => return Err("is no JSON array: it does not end".to_owned()),
                    Rows::Objects if !behind.iter().all(u8::is_ascii_whitespace) => {
                        return Err("is no JSON: an object does not end".to_owned());
                    }
                    Rows::Objects | Rows::Over => {}
                }
            }
            if end == 0 {
                return Ok(None);
            }
            let (at, rows) = (self.at, self.buffer.get(..end).unwrap_or_default().to_vec());
            self.pass(end);
            let is_end = self.rows == Rows::Over && rows.trim_ascii() == b"]";
            if !is_end && !rows.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(self.part(at, &rows)));
            }
        }
    }

    fn part(&self, at: u64, rows: &[u8]) -> Part {
        let (body, format) = match self.rows {
            Rows::Cells(b'\t') => ([self.head.as_slice(), rows].concat(), Format::Tsv),
            Rows::Cells(_) => ([self.head.as_slice(), rows].concat(), Format::Csv),
            Rows::Lines => (rows.to_vec(), Format::Ndjson),
            Rows::Elements | Rows::Over => {
                let rows = rows.trim_ascii();
                let rows = rows.strip_suffix(b",").unwrap_or(rows);
                ([b"[", rows, b"]"].concat(), Format::Json)
            }
            Rows::Objects => {
                let mut body = vec![b'['];
                for object in objects(rows) {
                    if body.len() > 1 {
                        body.push(b',');
                    }
                    body.extend_from_slice(object);
                }
                body.push(b']');
                (body, Format::Json)
            }
        };
        Part { at, body: body.into(), format }
    }

    /// Where the last row ends that is in the buffer whole; 0 if none does.
    fn end_of_rows(&mut self) -> Result<usize, String> {
        Ok(match self.rows {
            Rows::Cells(delimiter) => cells(&self.buffer, delimiter).last,
            Rows::Lines => self.buffer.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1)),
            Rows::Objects => {
                let mut depth = Depth::default();
                let ends = self.buffer.iter().zip(1_usize..).filter(|(byte, _)| depth.take(**byte) == Met::End);
                ends.map(|(_, end)| end).last().unwrap_or(0)
            }
            Rows::Elements => {
                let (mut depth, mut last) = (Depth::default(), 0);
                for (byte, end) in self.buffer.iter().zip(1_usize..) {
                    match depth.take(*byte) {
                        Met::Comma => last = end,
                        Met::Close => {
                            let rest = self.buffer.get(end..).unwrap_or_default();
                            if rest.iter().any(|byte| !byte.is_ascii_whitespace()) {
                                return Err("is no JSON array: something stands behind its end".to_owned());
                            }
                            // The bracket is left for the next look, so that who begins again behind the last row finds the end.
                            let rows = end.saturating_sub(1);
                            let is_alone =
                                self.buffer.get(..rows).unwrap_or_default().iter().all(u8::is_ascii_whitespace);
                            if is_alone {
                                self.rows = Rows::Over;
                            }
                            last = if is_alone { end } else { rows };
                            break;
                        }
                        Met::End | Met::Nothing => {}
                    }
                }
                last
            }
            Rows::Over => 0,
        })
    }

    fn first_line(&mut self, delimiter: u8) -> Result<usize, String> {
        loop {
            match cells(&self.buffer, delimiter).first {
                0 if self.ended => return Ok(self.buffer.len()),
                0 if self.buffer.len() >= self.longest => {
                    return Err("its first line is too long to name columns".to_owned());
                }
                0 => self.fill(self.buffer.len().saturating_mul(2).min(self.longest))?,
                // A line may end in two bytes.
                end if self.buffer.get(end) == Some(&b'\n') => return Ok(end.saturating_add(1)),
                end => return Ok(end),
            }
        }
    }

    /// Reads until there are so many bytes, or no more.
    fn fill(&mut self, wanted: usize) -> Result<(), String> {
        let missing = wanted.saturating_sub(self.buffer.len());
        if missing > 0 && !self.ended {
            let read = (&mut self.input).take(missing as u64).read_to_end(&mut self.buffer);
            let read = read.map_err(|error| format!("cannot be read: {error}"))?;
            self.ended = read < missing;
        }
        Ok(())
    }

    /// Goes past so many bytes of the buffer.
    fn pass(&mut self, bytes: usize) {
        self.buffer.drain(..bytes.min(self.buffer.len()));
        self.at = self.at.saturating_add(bytes as u64);
    }

    fn skip_to(&mut self, from: u64) -> Result<(), String> {
        while self.at < from {
            self.fill(PART)?;
            let step = usize::try_from(from.saturating_sub(self.at)).unwrap_or(usize::MAX).min(self.buffer.len());
            if step == 0 {
                return Err("is shorter than it was".to_owned());
            }
            self.pass(step);
        }
        Ok(())
    }
}

/// Where the first row and the last whole row end.
#[derive(Default)]
struct Ends {
    first: usize,
    last: usize,
}

fn cells(bytes: &[u8], delimiter: u8) -> Ends {
    let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let (mut at, mut thrown_away, mut ends) = (0_usize, [0; 8192], Ends::default());
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let (came, read, _) = reader.read_field(rest, &mut thrown_away);
        at = at.saturating_add(read);
        if let ReadFieldResult::Field { record_end: true } = came {
            ends.last = at;
            if ends.first == 0 {
                ends.first = at;
            }
        }
    }
    ends
}

/// The objects that follow one another, each from its brace to its brace.
fn objects(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut depth, mut begin) = (Depth::default(), 0);
    bytes.iter().zip(1_usize..).filter_map(move |(byte, end)| {
        if depth.take(*byte) != Met::End {
            return None;
        }
        let object = bytes.get(begin..end).unwrap_or_default();
        begin = end;
        // Between objects there may be commas and blanks, and nothing else that decodes.
        let from = object.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != b',').unwrap_or(0);
        object.get(from..)
    })
}

/// How deep in JSON a byte stands.
#[derive(Default)]
struct Depth {
    deep: u32,
    in_text: bool,
    escaped: bool,
}

/// What a byte of JSON was.
#[derive(Debug, PartialEq, Eq)]
enum Met {
    /// The end of an outermost object or list.
    End,
    /// A comma between outermost elements.
    Comma,
    /// A bracket that was opened before all this.
    Close,
    Nothing,
}

impl Depth {
    fn take(&mut self, byte: u8) -> Met {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return Met::Nothing;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.deep = self.deep.saturating_add(1),
            b'}' | b']' if self.deep == 0 => return Met::Close,
            b'}' | b']' => {
                self.deep = self.deep.saturating_sub(1);
                if self.deep == 0 {
                    return Met::End;
                }
            }
            b',' if self.deep == 0 => return Met::Comma,
            _ => {}
        }
        Met::Nothing
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::frame::json::Limits;
    use crate::ingest::decode::decode;

    const LIMITS: Limits = Limits { rows: 1 << 21, columns: 100, cells: 1 << 24 };

    fn open(text: &str, written: Written) -> Result<Text, String> {
        Text::open(Box::new(Cursor::new(text.as_bytes().to_vec())), written, 1 << 23)
    }

    /// The rows of each part, and where it begins.
    fn parts(text: &str, written: Written, from: u64) -> Result<Vec<(u64, usize)>, String> {
        let mut text = open(text, written)?;
        let (mut found, mut from) = (Vec::new(), from);
        while let Some(part) = text.next(from)? {
            let rows = decode(&part.body, part.format, LIMITS, &|_| None).map_err(|error| error.to_string())?;
            assert_eq!(rows.rejected, 0, "{:?}", rows.errors);
            found.push((part.at, rows.kept.len()));
            from = part.at;
        }
        Ok(found)
    }

    fn rows(parts: &[(u64, usize)]) -> usize {
        parts.iter().map(|(_, rows)| rows).sum()
    }

    #[test]
    fn a_long_text_is_read_in_parts_that_end_with_a_row_and_can_be_taken_up_again() {
        let filler = "x, \"y\" [{]}\\ \u{e4}\n".repeat(40);
        let quoted = serde_json::to_string(&filler).expect("json");
        let cell = format!("\"{}\"", filler.replace('"', "\"\""));
        let count = 6000;
        let json: Vec<String> =
            (0..count).map(|n| format!("{{\"id\":\"{n}\",\"t\":{quoted},\"o\":{{\"a\":[1,2]}}}}")).collect();
        let csv: Vec<String> = (0..count).map(|n| format!("{n},{cell}\r\n")).collect();
        for (text, written) in [
            (json.join("\n"), Written::Lines),
            (json.join("\n") + "\n", Written::Lines),
            (format!(" [{}]\n", json.join(" ,\n")), Written::Json),
            (format!("\u{feff}{}", json.join("\n  ")), Written::Json),
            (format!("\u{feff}id,t\r\n{}", csv.concat()), Written::Cells(b',')),
            (format!("id\tt\n{}", csv.concat().replace("\r\n", "\n").replace(",\"", "\t\"")), Written::Cells(b'\t')),
        ] {
            let all = parts(&text, written, 0).expect("read");
            assert!(all.len() > 1, "{written:?} is read in parts");
            assert_eq!(rows(&all), count, "{written:?}");
            for (at, part) in all.iter().enumerate() {
                let rest = parts(&text, written, part.0).expect("read");
                assert_eq!(rest, all[at..], "{written:?} from {}", part.0);
            }
            let (mut read, mut end) = (open(&text, written).expect("read"), 0);
            while read.next(end).expect("read").is_some() {
                end = read.at();
            }
            assert_eq!(parts(&text, written, end), Ok(vec![]), "{written:?} behind its last row");
        }
    }

    #[test]
    fn small_texts_are_one_part_and_blank_ones_none() {
        for (text, written, wanted) in [
            ("a,b\n1,2\n3,4", Written::Cells(b','), vec![2]),
            ("a,b\n", Written::Cells(b','), vec![]),
            ("a,b", Written::Cells(b','), vec![]),
            ("{\"a\":1}", Written::Lines, vec![1]),
            ("\n\n", Written::Lines, vec![]),
            ("[]", Written::Json, vec![]),
            ("[{\"a\":1}]", Written::Json, vec![1]),
            ("{\n \"a\": 1\n}\n", Written::Json, vec![1]),
            ("{\"a\":1}{\"a\":2}\n\n{\"a\":3}", Written::Json, vec![3]),
        ] {
            let found: Vec<usize> = parts(text, written, 0).expect("read").into_iter().map(|(_, rows)| rows).collect();
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn what_is_broken_is_told() {
        for (text, told) in [
            ("[{\"a\":1},", "does not end"),
            ("[{\"a\":1}] {}", "behind its end"),
            ("{\"a\":1} {\"a\"", "does not end"),
            ("nonsense", "neither [ nor {"),
            ("[1, 2,, ]", "JSON"),
        ] {
            let why = parts(text, Written::Json, 0).expect_err(text);
            assert!(why.contains(told), "{text}: {why}");
        }
        assert!(parts("{\"a\":1}", Written::Lines, 100).expect_err("cut").contains("shorter"));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(9 << 20));
        for written in [Written::Lines, Written::Json, Written::Cells(b',')] {
            let why = parts(&long, written, 0).expect_err("too long");
            assert!(why.contains("long"), "{why}");
        }
    }
}
