//! What senders do over and over: their programs write the keys of their objects in one order. So the key that came after this
//! one last time is compared with what stands there, and only what is different is read letter by letter. It can change how
//! long the reading takes and never what is read. Knows no vendor.

use super::tape::is_same;

/// How many keys are remembered. Others take their places.
const KEYS: usize = 4096;

/// A key as it stood in a body, from its first quote to where its value began.
#[derive(Clone, Copy)]
pub struct Known {
    text: [u8; Known::LONGEST],
    /// Of the text; 0: there is none.
    pub text_len: u8,
    pub key_len: u8,
    pub tag: u32,
    /// What came after it last time, and before that: behind the last key of an object comes either another of the same list or
    /// what follows the list.
    next: [u16; 2],
}

impl Known {
    const LONGEST: usize = 40;
    const NONE: Known = Known { text: [0; Known::LONGEST], text_len: 0, key_len: 0, tag: 0, next: [0; 2] };
}

pub struct Routine {
    known: Vec<Known>,
    /// The key that was read last.
    last: u16,
}

impl Default for Routine {
    fn default() -> Self {
        Routine { known: vec![Known::NONE; KEYS], last: 0 }
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
        let [first, second] = self.known.get(self.last as usize)?.next;
        self.last = if self.is_at(first, rest) {
            first
        } else if self.is_at(second, rest) {
            second
        } else {
            return None;
        };
        self.known.get(self.last as usize)
    }

    #[inline(always)]
    fn is_at(&self, place: u16, rest: &[u8]) -> bool {
        let Some(known) = self.known.get(place as usize) else { return false };
        let len = known.text_len as usize;
        // Where nothing is remembered the text is empty, and no key is.
        len > 0 && known.text.get(..len).zip(rest.get(..len)).is_some_and(|(text, rest)| is_same(text, rest))
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
        let next = &mut self.known[self.last as usize % KEYS].next;
        if next[0] != place as u16 {
            *next = [place as u16, next[0]];
        }
        self.last = place as u16;
    }
}
