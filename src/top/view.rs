//! What the keys have made of the view: which section, sorted how, from which row on.

use super::keys::Key;
use super::sections::Section;

/// Signs that a filter has at most.
const FILTER: usize = 64;

/// How one section is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sorting {
    /// The place of its order.
    pub order: usize,
    /// The other way round.
    pub reverse: bool,
    /// The first row that is shown, unless there are fewer.
    pub from: usize,
}

/// What is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Which section.
    pub section: Section,
    /// How each is shown.
    pub sortings: [Sorting; 4],
    /// Words that rows have.
    pub filter: String,
    /// The filter is being typed.
    pub typing: bool,
    /// Nothing is asked.
    pub paused: bool,
    /// The keys are told.
    pub help: bool,
}

impl View {
    /// How the section is shown.
    #[must_use]
    pub fn sorting(&self) -> Sorting {
        self.sortings[self.section.place()]
    }

    fn section_mut(&mut self) -> &mut Sorting {
        &mut self.sortings[self.section.place()]
    }

    fn go(&mut self, section: Section) {
        (self.section, self.help) = (section, false);
    }

    fn scroll(&mut self, to: impl FnOnce(usize) -> usize) {
        let sorting = self.section_mut();
        sorting.from = to(sorting.from);
    }

    /// Takes a key; `page` rows are shown of `rows`. Returns whether to go on.
    pub fn press(&mut self, key: Key, page: usize, rows: usize) -> bool {
        if key == Key::Interrupt {
            return false;
        }
        if self.typing {
            match key {
                Key::Enter => self.typing = false,
                Key::Escape => (self.typing, self.filter) = (false, String::new()),
                Key::Backspace => drop(self.filter.pop()),
                Key::Char(c) if self.filter.chars().count() < FILTER && !c.is_control() => self.filter.push(c),
                _ => {}
            }
            self.scroll(|_| 0);
            return true;
        }
        let last = rows.saturating_sub(page);
        let place = self.section.place();
        match key {
            Key::Char('q') => return false,
            Key::Char('?' | 'h') => self.help = !self.help,
            Key::Escape if self.help => self.help = false,
            Key::Escape => self.filter.clear(),
            Key::Char(digit @ '1'..='4') => {
                let place = usize::from(digit as u8 - b'1');
                self.go(Section::ALL[place]);
            }
            Key::Tab | Key::Right => self.go(Section::ALL[(place + 1) % Section::ALL.len()]),
            Key::BackTab | Key::Left => self.go(Section::ALL[(place + Section::ALL.len() - 1) % Section::ALL.len()]),
            Key::Up | Key::Char('k') => self.scroll(|from| from.min(last).saturating_sub(1)),
            Key::Down | Key::Char('j') => self.scroll(|from| (from + 1).min(last)),
            Key::PageUp => self.scroll(|from| from.min(last).saturating_sub(page.max(1))),
            Key::PageDown | Key::Char(' ') => self.scroll(|from| from.saturating_add(page.max(1)).min(last)),
            Key::Home => self.scroll(|_| 0),
            Key::End => self.scroll(|_| last),
            Key::Char('s') => {
                let orders = self.section.orders().len();
                let sorting = self.section_mut();
                *sorting = Sorting { order: (sorting.order + 1) % orders, reverse: false, from: 0 };
            }
            Key::Char('r') => {
                let sorting = self.section_mut();
                (sorting.reverse, sorting.from) = (!sorting.reverse, 0);
            }
            Key::Char('/') => (self.typing, self.help) = (true, false),
            Key::Char('p') => self.paused = !self.paused,
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(view: &mut View, keys: &str) -> bool {
        keys.chars().all(|c| view.press(Key::Char(c), 10, 35))
    }

    #[test]
    fn keys_do_what_they_say() {
        let mut view = View::default();
        assert!(pressed(&mut view, "3ssr"));
        assert_eq!((view.section, view.sorting()), (Section::Models, Sorting { order: 2, reverse: true, from: 0 }));
        view.press(Key::Tab, 10, 35);
        view.press(Key::Tab, 10, 35);
        assert_eq!((view.section, view.sorting()), (Section::Workloads, Sorting::default()), "each has its own");
        view.press(Key::BackTab, 10, 35);
        assert_eq!(view.section, Section::Alerts);
        for (key, from) in [
            (Key::PageDown, 10),
            (Key::End, 25),
            (Key::Down, 25),
            (Key::Up, 24),
            (Key::PageUp, 14),
            (Key::Home, 0),
            (Key::Up, 0),
        ] {
            view.press(key, 10, 35);
            assert_eq!(view.sorting().from, from, "{key:?}");
        }
        assert!(pressed(&mut view, "p?") && view.paused && view.help);
        assert!(!pressed(&mut view, "q"));
    }

    #[test]
    fn a_filter_takes_every_sign_until_it_is_done() {
        let mut view = View::default();
        assert!(pressed(&mut view, "/quit"), "q is a letter here");
        view.press(Key::Backspace, 10, 35);
        view.press(Key::Enter, 10, 35);
        assert_eq!((view.filter.as_str(), view.typing), ("qui", false));
        assert!(pressed(&mut view, &format!("/{}", "x".repeat(100))) && view.filter.len() == FILTER);
        assert!(!view.clone().press(Key::Interrupt, 10, 35), "Ctrl-C always ends");
        view.press(Key::Escape, 10, 35);
        assert_eq!((view.filter.as_str(), view.typing), ("", false));
    }
}
