//! What the demo shows: counts, the latest events and dead letters. On a terminal a table that is drawn over itself,
//! else plain lines. Shows keys, names and codes, never a body.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::{Duration, Instant};

const ENTITIES: [&str; 4] = ["customer", "cart", "order", "product"];
/// How many of the latest are shown.
const LATEST: usize = 6;
/// How often the table is drawn.
const EVERY: Duration = Duration::from_millis(250);

/// A canonical record, as it was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenEvent {
    pub vendor: String,
    pub entity: String,
    /// `koine.order.completed`.
    pub kind: String,
    pub key: String,
}

/// A dead letter, as it was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDeadLetter {
    pub vendor: String,
    pub event_type: String,
    pub code: String,
    pub pointer: String,
}

/// Counts of one vendor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub consumed: u64,
    /// In the order customer, cart, order, product.
    pub events: [u64; 4],
    pub ignored: u64,
    pub dead_letters: u64,
}

impl Counts {
    pub fn all_events(&self) -> u64 {
        self.events.iter().sum()
    }

    /// Whether every webhook has its outcome.
    pub fn is_balanced(&self) -> bool {
        self.consumed == self.all_events() + self.ignored + self.dead_letters
    }
}

pub struct View {
    vendors: Vec<(&'static str, Counts)>,
    events: VecDeque<SeenEvent>,
    dead_letters: VecDeque<SeenDeadLetter>,
    is_terminal: bool,
    drawn: usize,
    last: Option<Instant>,
    begun: Instant,
}

impl View {
    pub fn new(vendors: impl IntoIterator<Item = &'static str>, is_terminal: bool) -> View {
        View {
            vendors: vendors.into_iter().map(|vendor| (vendor, Counts::default())).collect(),
            events: VecDeque::new(),
            dead_letters: VecDeque::new(),
            is_terminal,
            drawn: 0,
            last: None,
            begun: Instant::now(),
        }
    }

    pub fn counts(&mut self, vendor: &str) -> Option<&mut Counts> {
        self.vendors.iter_mut().find(|(name, _)| *name == vendor).map(|(_, counts)| counts)
    }

    pub fn all(&self) -> &[(&'static str, Counts)] {
        &self.vendors
    }

    pub fn event(&mut self, seen: SeenEvent, out: &mut impl Write) -> io::Result<()> {
        let nth = ENTITIES.iter().position(|entity| *entity == seen.entity);
        if let (Some(nth), Some(counts)) = (nth, self.counts(&seen.vendor)) {
            counts.events[nth] += 1;
        }
        if !self.is_terminal {
            return writeln!(out, "event        {:<28} {}", seen.kind, seen.key);
        }
        remember(&mut self.events, seen);
        Ok(())
    }

    pub fn dead_letter(&mut self, seen: SeenDeadLetter, out: &mut impl Write) -> io::Result<()> {
        if let Some(counts) = self.counts(&seen.vendor) {
            counts.dead_letters += 1;
        }
        if !self.is_terminal {
            return writeln!(
                out,
                "dead letter  {:<28} {} at {:?}  {}",
                seen.code, seen.vendor, seen.pointer, seen.event_type
            );
        }
        remember(&mut self.dead_letters, seen);
        Ok(())
    }

    /// Draws the table over the last one, if it is time to.
    pub fn draw(&mut self, out: &mut impl Write) -> io::Result<()> {
        if !self.is_terminal || self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return Ok(());
        }
        self.last = Some(Instant::now());
        let text = self.table();
        if self.drawn > 0 {
            // Back up over what was drawn, and wipe it.
            write!(out, "\x1b[{}A\x1b[J", self.drawn)?;
        }
        // Long keys are cut at the edge and do not wrap: the lines would no longer be those that were counted.
        write!(out, "\x1b[?7l{text}\x1b[?7h")?;
        self.drawn = text.lines().count();
        out.flush()
    }

    /// Counts, rates, the latest events and dead letters.
    fn table(&self) -> String {
        let mut text = String::from("\n");
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        line(
            &mut text,
            ["vendor", "webhooks", "per s", "customer", "cart", "order", "product", "ignored", "dead letters"]
                .map(String::from),
        );
        for (vendor, counts) in &self.vendors {
            line(&mut text, cells(vendor, counts, seconds));
        }
        let total = total(&self.vendors);
        line(&mut text, cells("all", &total, seconds));
        text.push_str("\nlatest events\n");
        for nth in 0..LATEST {
            match self.events.get(nth) {
                Some(seen) => text.push_str(&format!("  {:<28} {}\n", seen.kind, seen.key)),
                None => text.push('\n'),
            }
        }
        text.push_str("\nlatest dead letters\n");
        for nth in 0..LATEST {
            match self.dead_letters.get(nth) {
                Some(seen) => {
                    text.push_str(&format!(
                        "  {:<22} {:<9} {} at {:?}\n",
                        seen.code, seen.vendor, seen.event_type, seen.pointer
                    ));
                }
                None => text.push('\n'),
            }
        }
        text
    }

    /// The last word: every vendor's counts, and whether they balance.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        line(
            &mut text,
            ["vendor", "webhooks", "", "customer", "cart", "order", "product", "ignored", "dead letters"]
                .map(String::from),
        );
        for (vendor, counts) in &self.vendors {
            let mut cells = cells(vendor, counts, 1.0);
            cells[2] = String::new();
            line(&mut text, cells);
        }
        let all = total(&self.vendors);
        let mut cells = cells("all", &all, 1.0);
        cells[2] = String::new();
        line(&mut text, cells);
        let sign = if all.is_balanced() { "=" } else { "≠" };
        text.push_str(&format!(
            "\n{} consumed {sign} {} events + {} ignored + {} dead letters\n",
            all.consumed,
            all.all_events(),
            all.ignored,
            all.dead_letters
        ));
        text
    }
}

fn remember<T>(list: &mut VecDeque<T>, item: T) {
    list.push_front(item);
    list.truncate(LATEST);
}

fn total(vendors: &[(&'static str, Counts)]) -> Counts {
    let mut all = Counts::default();
    for (_, counts) in vendors {
        all.consumed += counts.consumed;
        all.ignored += counts.ignored;
        all.dead_letters += counts.dead_letters;
        all.events.iter_mut().zip(counts.events).for_each(|(sum, n)| *sum += n);
    }
    all
}

fn cells(vendor: &str, counts: &Counts, seconds: f64) -> [String; 9] {
    let [customer, cart, order, product] = counts.events.map(|n| n.to_string());
    let rate = format!("{:.1}", counts.consumed as f64 / seconds);
    let (consumed, ignored, dead) = (counts.consumed, counts.ignored, counts.dead_letters);
    [
        vendor.to_owned(),
        consumed.to_string(),
        rate,
        customer,
        cart,
        order,
        product,
        ignored.to_string(),
        dead.to_string(),
    ]
}

fn line(text: &mut String, cells: [String; 9]) {
    for (nth, (cell, width)) in cells.iter().zip([10, 9, 8, 9, 6, 7, 8, 8, 13]).enumerate() {
        if nth == 0 {
            text.push_str(&format!("{cell:<width$}"));
        } else if !(width == 8 && nth == 2 && cell.is_empty()) {
            text.push_str(&format!("{cell:>width$}"));
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(vendor: &str, entity: &str) -> SeenEvent {
        SeenEvent {
            vendor: vendor.into(),
            entity: entity.into(),
            kind: format!("koine.{entity}.saved"),
            key: "k".into(),
        }
    }

    #[test]
    fn counts_what_it_sees_and_says_whether_it_balances() {
        let mut view = View::new(["spree", "bold"], false);
        let mut out = Vec::new();
        view.event(event("spree", "order"), &mut out).unwrap();
        view.event(event("spree", "cart"), &mut out).unwrap();
        let letter = SeenDeadLetter {
            vendor: "bold".into(),
            event_type: "order.saved".into(),
            code: "money.invalid".into(),
            pointer: "/data/order/total".into(),
        };
        view.dead_letter(letter, &mut out).unwrap();
        view.counts("spree").unwrap().consumed = 3;
        view.counts("bold").unwrap().consumed = 1;
        assert!(view.summary().contains("4 consumed ≠ 2 events + 0 ignored + 1 dead letters"), "{}", view.summary());
        view.counts("spree").unwrap().ignored = 1;
        assert!(view.summary().contains("4 consumed = 2 events + 1 ignored + 1 dead letters"), "{}", view.summary());
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(!text.contains('\x1b'), "no colours in a pipe");
    }

    #[test]
    fn a_table_is_drawn_over_the_last_one() {
        let mut view = View::new(["spree"], true);
        let mut out = Vec::new();
        view.event(event("spree", "order"), &mut out).unwrap();
        assert!(out.is_empty(), "nothing between the tables");
        view.draw(&mut out).unwrap();
        let lines = out.iter().filter(|byte| **byte == b'\n').count();
        view.last = None;
        view.draw(&mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains(&format!("\x1b[{lines}A")));
    }
}
