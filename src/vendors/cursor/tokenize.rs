//! RFC 8259, all of it and nothing more, straight onto the tape. Safe code: strings are scanned sixteen bytes
//! at a time. Every value is checked, read or not: number grammar, escapes, surrogate pairs, control characters,
//! duplicate keys, depth. Knows no vendor.

use super::shapes::{Due, Shape};
use super::tape::{Kind, Slot, Tape, tag};
use crate::reject::{Code, Reject};
use wide::u8x16;

/// Fills `tape.slots`; the last one is the root, which is level 1 of the depth.
pub(super) fn fill(tape: &mut Tape, body: &str, max_depth: usize) -> Result<(), Reject> {
    let mut parser = Parser { tape, text: body, bytes: body.as_bytes() };
    let root = parser.document(max_depth).map_err(|fail| Reject::at(fail.code, fail.at as usize))?;
    tape.slots.push(root.slot());
    Ok(())
}

/// What a value is, where, and where it ends.
struct Value {
    kind: Kind,
    shape: Shape,
    at: u32,
    len: u32,
    /// Behind its last byte.
    end: u32,
}

/// What is wrong and where.
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
    /// Where its value begins, or the space before it.
    end: u32,
    /// As [`Slot`] has it.
    pub in_arena: bool,
}

impl Key {
    /// One that is due, from its first quote on.
    #[inline(always)]
    fn of(due: Due, start: usize) -> Key {
        let (at, end) = (start as u32 + 1, start as u32 + u32::from(due.text_len));
        Key { shape: due.shape, tag: due.tag, at, len: due.key_len.into(), end, in_arena: false }
    }
}

impl Value {
    #[inline(always)]
    fn new(kind: Kind, at: usize, len: usize, end: usize) -> Value {
        Value { kind, shape: Shape::NONE, at: at as u32, len: len as u32, end: end as u32 }
    }

    /// Of what stands as it is from `at` on, up to `end`.
    #[inline(always)]
    fn bare(kind: Kind, at: usize, end: usize) -> Value {
        Value::new(kind, at, end - at, end)
    }

    /// Of what stands in quotes, the second of which is at `quote`.
    #[inline(always)]
    fn quoted(kind: Kind, at: usize, quote: usize) -> Value {
        Value::new(kind, at, quote - at, quote + 1)
    }

    #[inline(always)]
    fn end(&self) -> usize {
        self.end as usize
    }

    #[inline(always)]
    fn slot(self) -> Slot {
        Slot { shape: self.shape, ..Slot::new(self.kind, self.at as usize, self.len as usize) }
    }
}

/// Where in the body it is goes from hand to hand, as `i`, and does not stand in here: what is written to memory and read
/// back at each step makes every step wait for the one before.
struct Parser<'t, 'a> {
    tape: &'t mut Tape,
    text: &'a str,
    bytes: &'a [u8],
}

impl Parser<'_, '_> {
    /// The byte there; 0, which no JSON token starts with, past the end.
    #[inline(always)]
    fn peek(&self, i: usize) -> u8 {
        self.bytes.get(i).copied().unwrap_or(0)
    }

    /// Over what space there is.
    #[inline(always)]
    fn space(&self, mut i: usize) -> usize {
        while self.peek(i) <= b' ' && matches!(self.peek(i), b' ' | b'\n' | b'\r' | b'\t') {
            i += 1;
        }
        i
    }

    fn document(&mut self, max_depth: usize) -> Result<Value, Fail> {
        let start = self.space(0);
        let root = match self.peek(start) {
            b'[' => self.list::<true>(start, max_depth, Shape::NONE)?,
            b'{' => self.object(start, max_depth, Shape::BODY)?,
            _ => self.value(start, max_depth, Shape::NONE)?,
        };
        let end = self.space(root.end());
        if end != self.bytes.len() {
            return Err(syntax(end));
        }
        Ok(root)
    }

    /// `under` ends in the key that the value stands under.
    ///
    /// Inlined, so that only what has something in it is a call.
    #[inline(always)]
    fn value(&mut self, i: usize, depth: usize, under: Shape) -> Result<Value, Fail> {
        if self.peek(i) == b'"' {
            return self.string(i);
        }
        let i = self.space(i);
        match self.peek(i) {
            b'"' => self.string(i),
            b'{' => {
                let shape = self.tape.shapes.object(under);
                self.object(i, depth, shape)
            }
            b'[' => self.list::<false>(i, depth, under),
            b'-' | b'0'..=b'9' => self.number(i),
            b'n' => self.literal(i, "null", Kind::Null),
            b't' => self.literal(i, "true", Kind::True),
            b'f' => self.literal(i, "false", Kind::False),
            _ => Err(syntax(i)),
        }
    }

    /// Over the byte between two values, and the space before it: whether another one comes, or the `end`; and where it goes on.
    #[inline(always)]
    fn goes_on(&self, i: usize, end: u8) -> Result<(bool, usize), Fail> {
        if self.peek(i) == b',' {
            return Ok((true, i + 1));
        }
        let i = self.space(i);
        match self.peek(i) {
            b',' => Ok((true, i + 1)),
            byte if byte == end => Ok((false, i + 1)),
            _ => Err(syntax(i)),
        }
    }

    /// `shape` is that of an object here with no key yet.
    #[inline(never)]
    fn object(&mut self, start: usize, depth: usize, mut shape: Shape) -> Result<Value, Fail> {
        let depth = depth.checked_sub(1).ok_or_else(|| fail(Code::JsonDepth, start))?;
        let base = self.tape.open.len();
        let mut i = self.space(start + 1);
        if self.peek(i) == b'}' {
            return Ok(Value::new(Kind::Object, 0, 0, i + 1));
        }
        loop {
            let rest = self.bytes.get(i..).unwrap_or_default();
            let key = match self.tape.shapes.next(shape, rest) {
                Some(due) => {
                    let key = Key::of(due, i);
                    // Nearly every pair is this one: in a hand of its own, nothing of it has to wait in memory.
                    if let Some((at, quote)) = self.plain(key.end as usize) {
                        shape = key.shape;
                        self.put(&key, Value::quoted(Kind::Plain, at, quote));
                        let (is_more, next) = self.goes_on(quote + 1, b'}')?;
                        i = next;
                        if is_more {
                            continue;
                        }
                        break;
                    }
                    key
                }
                None => self.key_by_letters(i, shape, base)?,
            };
            shape = key.shape;
            let value = self.value(key.end as usize, depth, shape)?;
            let end = value.end();
            self.put(&key, value);
            let (is_more, next) = self.goes_on(end, b'}')?;
            i = next;
            if !is_more {
                break;
            }
        }
        // A shape that is known has no key twice.
        let is_wide = self.tape.open.len() - base > WIDEST;
        if is_wide && !shape.is_known() && self.tape.has_duplicate(self.text, base) {
            return Err(fail(Code::JsonDuplicateKey, i - 1));
        }
        Ok(Value { shape, ..self.close(Kind::Object, base, i) })
    }

    /// Of the root's list it is also noted where each element stands, since each is a webhook of its own.
    #[inline(never)]
    fn list<const ROOT: bool>(&mut self, start: usize, depth: usize, under: Shape) -> Result<Value, Fail> {
        let depth = depth.checked_sub(1).ok_or_else(|| fail(Code::JsonDepth, start))?;
        let base = self.tape.open.len();
        let mut i = self.space(start + 1);
        if self.peek(i) == b']' {
            return Ok(Value::new(Kind::Array, 0, 0, i + 1));
        }
        loop {
            let value = match self.peek(i) {
                b'{' => {
                    let shape = if ROOT { Shape::ELEMENT } else { self.tape.shapes.element(under) };
                    self.object(i, depth, shape)?
                }
                // What lies in a list in a list has no place of its own.
                _ => self.value(i, depth, Shape::NONE)?,
            };
            let end = value.end();
            self.tape.open.push(value.slot());
            if ROOT {
                self.tape.elements.push([i as u32, end as u32]);
            }
            let (is_more, next) = self.goes_on(end, b']')?;
            if !is_more {
                return Ok(self.close(Kind::Array, base, next));
            }
            i = self.space(next);
        }
    }

    /// A child of the container that is open.
    #[inline(always)]
    fn put(&mut self, key: &Key, value: Value) {
        let (tag, key_at, key_len, key_in_arena) = (key.tag, key.at, key.len, key.in_arena);
        self.tape.open.push(Slot { tag, key_at, key_len, key_in_arena, ..value.slot() });
    }

    #[inline(always)]
    fn close(&mut self, kind: Kind, base: usize, end: usize) -> Value {
        let slot = self.tape.close(kind, base);
        Value { kind, shape: Shape::NONE, at: slot.at, len: slot.len, end: end as u32 }
    }

    /// Over a key that is not due. `before` are the keys that the object has already, from `base` on. One with escapes is
    /// undone at once, so that `"a"` and `"\u0061"` are the same key.
    #[inline(never)]
    fn key_by_letters(&mut self, start: usize, before: Shape, base: usize) -> Result<Key, Fail> {
        let start = self.space(start);
        if self.peek(start) != b'"' {
            return Err(syntax(start));
        }
        let Value { kind, at, len, end, .. } = self.string(start)?;
        let raw = &self.bytes[at as usize..][..len as usize];
        let colon = self.space(end as usize);
        if self.peek(colon) != b':' {
            return Err(syntax(colon));
        }
        // One space is as much part of what a program writes as the colon is.
        let end = colon + 1 + usize::from(self.peek(colon + 1) == b' ');
        let text = &self.bytes[start..end];
        let mut key = Key { shape: Shape::NONE, tag: tag(raw), at, len, end: end as u32, in_arena: false };
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
                return Err(fail(Code::JsonDuplicateKey, start));
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

    /// Where a text without escapes begins and ends, if one stands here.
    #[inline(always)]
    fn plain(&self, quote: usize) -> Option<(usize, usize)> {
        if self.peek(quote) != b'"' {
            return None;
        }
        let end = plain_end(self.bytes, quote + 1);
        (self.peek(end) == b'"').then_some((quote + 1, end))
    }

    #[inline(always)]
    fn string(&self, quote: usize) -> Result<Value, Fail> {
        let start = quote + 1;
        let end = plain_end(self.bytes, start);
        if self.peek(end) == b'"' {
            return Ok(Value::quoted(Kind::Plain, start, end));
        }
        self.string_with_escapes(start, end)
    }

    /// Up to `i` it has none.
    #[cold]
    fn string_with_escapes(&self, start: usize, mut i: usize) -> Result<Value, Fail> {
        loop {
            match self.peek(i) {
                b'"' => return Ok(Value::quoted(Kind::Escaped, start, i)),
                b'\\' => i = plain_end(self.bytes, self.escape(i)?),
                _ => return Err(syntax(i)),
            }
        }
    }

    /// Over an escape.
    fn escape(&self, start: usize) -> Result<usize, Fail> {
        match self.peek(start + 1) {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(start + 2),
            b'u' => {
                let unit = self.hex4(start + 2)?;
                let end = start + 6;
                let (low, end) = match unit {
                    0xd800..0xdc00 if self.bytes[end..].starts_with(b"\\u") => (self.hex4(end + 2)?, end + 6),
                    _ => (0, end),
                };
                let lone =
                    matches!(unit, 0xdc00..0xe000) || matches!(unit, 0xd800..0xdc00) != matches!(low, 0xdc00..0xe000);
                if lone { Err(fail(Code::JsonEncoding, start)) } else { Ok(end) }
            }
            _ => Err(syntax(start + 1)),
        }
    }

    /// The value of the four hexadecimal digits from `start` on.
    fn hex4(&self, start: usize) -> Result<u16, Fail> {
        (start..start + 4).try_fold(0, |unit, i| {
            let digit = (self.peek(i) as char).to_digit(16).ok_or_else(|| syntax(i))?;
            Ok(unit << 4 | digit as u16)
        })
    }

    fn number(&self, start: usize) -> Result<Value, Fail> {
        let mut i = start + usize::from(self.peek(start) == b'-');
        i = match self.peek(i) {
            b'0' => i + 1,
            _ => self.digits(i)?,
        };
        if self.peek(i) == b'.' {
            i = self.digits(i + 1)?;
        }
        if matches!(self.peek(i), b'e' | b'E') {
            let is_signed = matches!(self.peek(i + 1), b'+' | b'-');
            i = self.digits(i + 1 + usize::from(is_signed))?;
        }
        Ok(Value::bare(Kind::Number, start, i))
    }

    /// Over digits, at least one. What may not follow a number is refused by whoever comes next.
    #[inline(always)]
    fn digits(&self, mut i: usize) -> Result<usize, Fail> {
        if !self.peek(i).is_ascii_digit() {
            return Err(syntax(i));
        }
        while self.peek(i).is_ascii_digit() {
            i += 1;
        }
        Ok(i)
    }

    #[inline(always)]
    fn literal(&self, start: usize, word: &str, kind: Kind) -> Result<Value, Fail> {
        if !self.bytes[start..].starts_with(word.as_bytes()) {
            return Err(syntax(start));
        }
        Ok(Value::bare(kind, start, start + word.len()))
    }
}

#[cold]
fn syntax(at: usize) -> Fail {
    fail(Code::JsonSyntax, at)
}

#[cold]
fn fail(code: Code, at: usize) -> Fail {
    Fail { code, at: at as u32 }
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
