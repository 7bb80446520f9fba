//! corosync.conf: read, edited and written again, with everything that Hafen does not know left as it is.

mod check;
mod parse;
mod views;

pub use check::{Finding, check};
pub use views::{NodeEntry, Transport};

/// The name of the folder-less file, for messages.
pub const FILE_NAME: &str = "corosync.conf";

/// What stands in a section, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A comment or an empty line, as written (without its indentation).
    Comment(String),
    /// `key: value`
    Pair {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// `name { ... }`
    Section(Section),
}

/// A section; the file as a whole is one without a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// `totem`, `node`, ...
    pub name: String,
    /// What is in it.
    pub items: Vec<Item>,
}

/// A whole corosync.conf.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CorosyncConf {
    /// What stands in the file.
    pub root: Section,
}

/// Where a file cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {detail}")]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub detail: String,
}

impl Section {
    /// An empty section.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), items: Vec::new() }
    }

    /// The value of a key; where it stands twice the later one counts, as for Corosync.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.items.iter().rev().find_map(|item| match item {
            Item::Pair { key: own, value } if own == key => Some(value.as_str()),
            _ => None,
        })
    }

    /// Sets a key where it stands, or at the end of the section's pairs.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        let value = value.into();
        let mut places = self.items.iter_mut().filter_map(|item| match item {
            Item::Pair { key: own, value } if own == key => Some(value),
            _ => None,
        });
        if let Some(place) = places.next_back() {
            *place = value;
            return;
        }
        let pair = |item: &Item| matches!(item, Item::Pair { .. });
        let end = self.items.iter().rposition(pair).map_or(0, |last| last + 1);
        self.items.insert(end, Item::Pair { key: key.to_owned(), value });
    }

    /// Removes a key wherever it stands.
    pub fn unset(&mut self, key: &str) {
        self.items.retain(|item| !matches!(item, Item::Pair { key: own, .. } if own == key));
    }

    /// The first section of that name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections(name).next()
    }

    /// All sections of that name.
    pub fn sections<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a Section> + use<'a, 'n> {
        self.items.iter().filter_map(move |item| match item {
            Item::Section(section) if section.name == name => Some(section),
            _ => None,
        })
    }

    /// All sections of that name, to be changed.
    pub fn sections_mut<'a, 'n>(
        &'a mut self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a mut Section> + use<'a, 'n> {
        self.items.iter_mut().filter_map(move |item| match item {
            Item::Section(section) if section.name == name => Some(section),
            _ => None,
        })
    }

    /// The first section of that name; it is added at the end where there is none.
    pub fn section_mut(&mut self, name: &str) -> &mut Section {
        let place = |item: &Item| matches!(item, Item::Section(section) if section.name == name);
        let index = self.items.iter().position(place).unwrap_or_else(|| {
            self.items.push(Item::Section(Section::new(name)));
            self.items.len() - 1
        });
        match &mut self.items[index] {
            Item::Section(section) => section,
            _ => unreachable!("the place of a section holds one"),
        }
    }
}

impl CorosyncConf {
    /// The first section of that name at the top, to be changed; it is added where there is none.
    pub fn top(&mut self, name: &str) -> &mut Section {
        self.root.section_mut(name)
    }

    /// A value of a section at the top.
    pub fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.root.sections(section).filter_map(|section| section.get(key)).last()
    }
}

#[cfg(test)]
mod tests;
