//! RFC 8259, all of it and nothing more, straight onto the tape. Safe code: strings are scanned sixteen bytes
//! at a time. Every value is checked, read or not: number grammar, escapes, surrogate pairs, control characters,
//! duplicate keys, depth. Knows no vendor.

use super::shapes::Shape;
use super::tape::{Kind, Slot, Tape, tag};
use crate::reject::{Code, Reject};
use wide::u8x16;

/// Fills `tape.slots`; the last one is the root, which is level 1 of the depth.
pub(super) fn fill(tape: &mut Tape, body: &str, max_depth: usize) -> Result<(), Reject> {
    let mut parser = Parser { tape, text: body, bytes: body.as_bytes(), i: 0 };
    let root = parser.document(max_depth).map_err(|fail| Reject::at(fail.code, fail.at as usize))?;
    tape.slots.push(root.slot());
    Ok(())
}

/// What a value is and where, and what is wrong and where: both small enough to be returned in registers.
struct Value {
    kind: Kind,
    shape: Shape,
    at: u32,
    len: u32,
}

struct Fail {
    code: Code,
    at: u32,
}

/// A key, and the shape that its object has with it.
pub(super) struct Key {
    shape: Shape,
    pub tag: u32,
    pub at: u32,
    pub len: u32,
    /// As [`Slot`] has it.
    pub in_arena: bool,
}

impl Value {
    #[inline(always)]
    fn new(kind: Kind, at: usize, len: usize) -> Value {
        Value { kind, shape: Shape::NONE, at: at as u32, len: len as u32 }
    }

    #[inline(always)]
    fn slot(self) -> Slot {
        Slot { shape: self.shape, ..Slot::new(self.kind, self.at as usize, self.len as usize) }
    }
}

struct Parser<'t, 'a> {
    tape: &'t mut Tape,
    text: &'a str,
    bytes: &'a [u8],
    i: usize,
}

impl Parser<'_, '_> {
    /// The byte here; 0, which no JSON token starts with, past the end.
    #[inline(always)]
    fn peek(&self) -> u8 {
        self.bytes.get(self.i).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn space(&mut self) {
        while self.peek() <= b' ' && matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.i += 1;
        }
    }

    #[cold]
    fn syntax(&self) -> Fail {
        Fail { code: Code::JsonSyntax, at: self.i as u32 }
    }

    #[cold]
    fn fail(&self, code: Code, at: usize) -> Fail {
        Fail { code, at: at as u32 }
    }

    fn document(&mut self, max_depth: usize) -> Result<Value, Fail> {
        self.space();
        let root = match self.peek() {
            b'[' => self.list::<true>(max_depth, Shape::NONE)?,
            b'{' => self.object(max_depth, Shape::BODY)?,
            _ => self.value(max_depth, Shape::NONE)?,
        };
        self.space();
        if self.i != self.bytes.len() {
            return Err(self.syntax());
        }
        Ok(root)
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) -> Result<(), Fail> {
        if self.peek() != byte {
            return Err(self.syntax());
        }
        self.i += 1;
        Ok(())
    }

    /// `under` ends in the key that the value stands under.
    ///
    /// Inlined, so that only what has something in it is a call.
    #[inline(always)]
    fn value(&mut self, depth: usize, under: Shape) -> Result<Value, Fail> {
        if let b' ' | b'\n' | b'\r' | b'\t' = self.peek() {
            self.space();
        }
        match self.peek() {
            b'"' => self.string(),
            b'{' => {
                let shape = self.tape.shapes.object(under);
                self.object(depth, shape)
            }
            b'[' => self.list::<false>(depth, under),
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.literal("null", Kind::Null),
            b't' => self.literal("true", Kind::True),
            b'f' => self.literal("false", Kind::False),
            _ => Err(self.syntax()),
        }
    }

    /// Over the byte between two values, and the space around it: whether another one comes, or the `end`.
    #[inline(always)]
    fn goes_on(&mut self, end: u8) -> Result<bool, Fail> {
        let byte = match self.peek() {
            b' ' | b'\n' | b'\r' | b'\t' => {
                self.space();
                self.peek()
            }
            byte => byte,
        };
        if byte != b',' && byte != end {
            return Err(self.syntax());
        }
        self.i += 1;
        Ok(byte == b',')
    }

    /// `shape` is that of an object here with no key yet.
    #[inline(never)]
    fn object(&mut self, depth: usize, mut shape: Shape) -> Result<Value, Fail> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.fail(Code::JsonDepth, self.i))?;
        self.i += 1;
        let base = self.tape.open.len();
        self.space();
        if self.peek() == b'}' {
            self.i += 1;
            return Ok(Value::new(Kind::Object, 0, 0));
        }
        loop {
            let key = self.key(shape, base)?;
            shape = key.shape;
            let value = self.value(depth, shape)?;
            self.tape.open.push(Slot {
                tag: key.tag,
                key_at: key.at,
                key_len: key.len,
                key_in_arena: key.in_arena,
                ..value.slot()
            });
            if !self.goes_on(b'}')? {
                break;
            }
        }
        // A shape that is known has no key twice.
        let is_wide = self.tape.open.len() - base > WIDEST;
        if is_wide && !shape.is_known() && self.tape.has_duplicate(self.text, base) {
            return Err(self.fail(Code::JsonDuplicateKey, self.i - 1));
        }
        Ok(Value { shape, ..self.close(Kind::Object, base) })
    }

    /// Of the root's list it is also noted where each element stands, since each is a webhook of its own.
    #[inline(never)]
    fn list<const ROOT: bool>(&mut self, depth: usize, under: Shape) -> Result<Value, Fail> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.fail(Code::JsonDepth, self.i))?;
        self.i += 1;
        let base = self.tape.open.len();
        self.space();
        if self.peek() == b']' {
            self.i += 1;
            return Ok(Value::new(Kind::Array, 0, 0));
        }
        loop {
            let start = self.i;
            let value = match self.peek() {
                b'{' => {
                    let shape = if ROOT { Shape::ELEMENT } else { self.tape.shapes.element(under) };
                    self.object(depth, shape)?
                }
                // What lies in a list in a list has no place of its own.
                _ => self.value(depth, Shape::NONE)?,
            };
            self.tape.open.push(value.slot());
            if ROOT {
                self.tape.elements.push([start as u32, self.i as u32]);
            }
            if !self.goes_on(b']')? {
                break;
            }
            self.space();
        }
        Ok(self.close(Kind::Array, base))
    }

    #[inline(always)]
    fn close(&mut self, kind: Kind, base: usize) -> Value {
        let slot = self.tape.close(kind, base);
        Value { kind, shape: Shape::NONE, at: slot.at, len: slot.len }
    }

    /// Over a key, to where its value begins or the space before it. `before` are the keys that the object has already, from
    /// `base` on.
    #[inline(always)]
    fn key(&mut self, before: Shape, base: usize) -> Result<Key, Fail> {
        let start = self.i;
        match self.tape.shapes.next(before, self.bytes.get(start..).unwrap_or_default()) {
            Some(due) => {
                self.i += usize::from(due.text_len);
                let (at, len) = (start as u32 + 1, due.key_len.into());
                Ok(Key { shape: due.shape, tag: due.tag, at, len, in_arena: false })
            }
            None => self.key_by_letters(before, base),
        }
    }

    /// A key with escapes is undone at once, so that `"a"` and `"\u0061"` are the same key.
    #[inline(never)]
    fn key_by_letters(&mut self, before: Shape, base: usize) -> Result<Key, Fail> {
        self.space();
        if self.peek() != b'"' {
            return Err(self.syntax());
        }
        let start = self.i;
        let Value { kind, at, len, .. } = self.string()?;
        let raw = &self.bytes[at as usize..][..len as usize];
        let mut key = Key { shape: Shape::NONE, tag: tag(raw), at, len, in_arena: false };
        self.space();
        self.byte(b':')?;
        // One space is as much part of what a program writes as the colon is.
        if self.peek() == b' ' {
            self.i += 1;
        }
        let text = &self.bytes[start..self.i];
        let is_plain = kind == Kind::Plain;
        if !is_plain {
            self.undo_escapes(&mut key);
        } else if let Some(shape) = self.tape.shapes.find(before, text, raw.len(), key.tag) {
            return Ok(Key { shape, ..key });
        }
        // Wider objects are checked once, by sorting, when they end: looking back at every key would be quadratic.
        let is_wide = self.tape.open.len() - base >= WIDEST;
        if before.is_known() || !is_wide {
            let is_there = self.tape.has(self.text, base, &key);
            if is_there && !is_wide {
                return Err(self.fail(Code::JsonDuplicateKey, start));
            }
            if is_plain && !is_there {
                key.shape = self.tape.shapes.add(before, text, raw.len(), key.tag);
            }
        }
        Ok(key)
    }

    #[cold]
    fn undo_escapes(&mut self, key: &mut Key) {
        let plain = unescape(&self.text[key.at as usize..][..key.len as usize]);
        (key.tag, key.in_arena) = (tag(plain.as_bytes()), true);
        (key.at, key.len) = (self.tape.arena.len() as u32, plain.len() as u32);
        self.tape.arena.push_str(&plain);
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Value, Fail> {
        let start = self.i + 1;
        self.i = plain_end(self.bytes, start);
        if self.peek() == b'"' {
            self.i += 1;
            return Ok(Value::new(Kind::Plain, start, self.i - 1 - start));
        }
        self.string_with_escapes(start)
    }

    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Result<Value, Fail> {
        loop {
            match self.peek() {
                b'"' => {
                    self.i += 1;
                    return Ok(Value::new(Kind::Escaped, start, self.i - 1 - start));
                }
                b'\\' => self.escape()?,
                _ => return Err(self.syntax()),
            }
            self.i = plain_end(self.bytes, self.i);
        }
    }

    fn escape(&mut self) -> Result<(), Fail> {
        let start = self.i;
        self.i += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.i += 1,
            b'u' => {
                let unit = self.hex4()?;
                let low = match unit {
                    0xd800..0xdc00 if self.bytes[self.i..].starts_with(b"\\u") => {
                        self.i += 1;
                        self.hex4()?
                    }
                    _ => 0,
                };
                let lone =
                    matches!(unit, 0xdc00..0xe000) || matches!(unit, 0xd800..0xdc00) != matches!(low, 0xdc00..0xe000);
                if lone {
                    return Err(self.fail(Code::JsonEncoding, start));
                }
            }
            _ => return Err(self.syntax()),
        }
        Ok(())
    }

    /// From the `u` over four hexadecimal digits.
    fn hex4(&mut self) -> Result<u16, Fail> {
        let mut unit = 0;
        for _ in 0..4 {
            self.i += 1;
            let digit = (self.peek() as char).to_digit(16).ok_or_else(|| self.syntax())?;
            unit = unit << 4 | digit as u16;
        }
        self.i += 1;
        Ok(unit)
    }

    fn number(&mut self) -> Result<Value, Fail> {
        let start = self.i;
        if self.peek() == b'-' {
            self.i += 1;
        }
        match self.peek() {
            b'0' => self.i += 1,
            _ => self.digits()?,
        }
        if self.peek() == b'.' {
            self.i += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.i += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.i += 1;
            }
            self.digits()?;
        }
        Ok(Value::new(Kind::Number, start, self.i - start))
    }

    /// At least one digit. What may not follow a number is refused by whoever comes next.
    #[inline(always)]
    fn digits(&mut self) -> Result<(), Fail> {
        if !self.peek().is_ascii_digit() {
            return Err(self.syntax());
        }
        while self.peek().is_ascii_digit() {
            self.i += 1;
        }
        Ok(())
    }

    #[inline(always)]
    fn literal(&mut self, word: &str, kind: Kind) -> Result<Value, Fail> {
        if !self.bytes[self.i..].starts_with(word.as_bytes()) {
            return Err(self.syntax());
        }
        self.i += word.len();
        Ok(Value::new(kind, self.i - word.len(), word.len()))
    }
}

/// Up to how many keys an object has, each is compared with those before it.
const WIDEST: usize = 64;

/// The first place at or after `i` with a quote, a backslash or a control character, or the end.
#[inline(always)]
fn plain_end(bytes: &[u8], mut i: usize) -> usize {
    while let Some(chunk) = bytes.get(i..).and_then(|rest| rest.first_chunk::<16>()) {
        let chunk = u8x16::new(*chunk);
        let is = |byte| chunk.simd_eq(u8x16::splat(byte));
        let is_control = chunk.max(u8x16::splat(0x1f)).simd_eq(u8x16::splat(0x1f));
        let found = (is(b'"') | is(b'\\') | is_control).to_bitmask();
        if found != 0 {
            return i + found.trailing_zeros() as usize;
        }
        i += 16;
    }
    let is_plain = |byte: &&u8| **byte >= 0x20 && !matches!(byte, b'"' | b'\\');
    i + bytes.get(i..).unwrap_or_default().iter().take_while(is_plain).count()
}

/// Undoes escapes that [`Parser::escape`] has checked.
pub(super) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, after)) = rest.split_once('\\') {
        out.push_str(plain);
        let unit = |at: usize| after.get(at..at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(0);
        let (char, taken) = match after.as_bytes().first() {
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => match unit(1) {
                high @ 0xd800..0xdc00 => {
                    let code = 0x10000 + ((high - 0xd800) << 10) + (unit(7) & 0x3ff);
                    (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 11)
                }
                code => (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 5),
            },
            Some(&other) => (other as char, 1), // a quote, a backslash or a slash
            None => break,
        };
        out.push(char);
        rest = after.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}
