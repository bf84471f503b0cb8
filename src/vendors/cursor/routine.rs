//! What senders do over and over: their programs write the keys of their objects in one order. So the key that came after this
//! one last time is compared with what stands there, and only what is different is read letter by letter. It can change how
//! long the reading takes and never what is read. Knows no vendor.

use super::tape::is_same;

/// How many keys are remembered. Others take their places.
const KEYS: usize = 1024;

/// A key as it stood in a body, from its first quote to where its value began.
#[derive(Clone, Copy)]
pub struct Known {
    text: [u8; Known::LONGEST],
    /// Of the text; 0: there is none.
    pub text_len: u8,
    pub key_len: u8,
    pub tag: u32,
    /// The one that came after it.
    next: u16,
}

impl Known {
    const LONGEST: usize = 40;
    const NONE: Known = Known { text: [0; Known::LONGEST], text_len: 0, key_len: 0, tag: 0, next: 0 };
}

pub struct Routine {
    known: Box<[Known; KEYS]>,
    /// The key that was read last.
    last: u16,
}

impl Default for Routine {
    fn default() -> Self {
        Routine { known: Box::new([Known::NONE; KEYS]), last: 0 }
    }
}

impl Routine {
    /// A new body.
    pub fn begin(&mut self) {
        self.last = 0;
    }

    /// The key that is due, if it is what `rest` begins with.
    #[inline(always)]
    pub fn next(&mut self, rest: &[u8]) -> Option<&Known> {
        let next = self.known[self.last as usize % KEYS].next;
        let known = &self.known[next as usize % KEYS];
        let text = known.text.get(..known.text_len as usize)?;
        // Of none the text is empty, and no key is.
        if text.is_empty() || !is_same(rest.get(..text.len())?, text) {
            return None;
        }
        self.last = next;
        Some(known)
    }

    /// Another key came: `text` from its first quote to its value, the key's own length and tag, and the tag of the key that its
    /// object stands under.
    pub fn learn(&mut self, text: &[u8], key_len: usize, tag: u32, under: u32) {
        // Place 0 is that of the beginning.
        let place = (under.rotate_left(7) ^ tag) as usize % (KEYS - 1) + 1;
        let known = &mut self.known[place];
        if known.tag != tag || known.text.get(..known.text_len as usize) != Some(text) {
            let mut copy = [0; Known::LONGEST];
            // A long one is not remembered; what comes after it is.
            let text_len = match copy.get_mut(..text.len()) {
                Some(room) => {
                    room.copy_from_slice(text);
                    text.len()
                }
                None => 0,
            };
            *known = Known { text: copy, text_len: text_len as u8, key_len: key_len as u8, tag, next: known.next };
        }
        self.known[self.last as usize % KEYS].next = place as u16;
        self.last = place as u16;
    }
}
