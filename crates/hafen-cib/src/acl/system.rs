//! Users as the tables of the system (`/etc/passwd`, `/etc/group`) have them.

use super::User;

impl User {
    /// A user by name, with its groups; one that no table knows has none.
    #[must_use]
    pub fn named(name: &str, passwd: &str, group: &str) -> User {
        let entry = entries(passwd).find(|fields| fields.first() == Some(&name));
        let gid = entry.and_then(|fields| fields.get(3)?.parse().ok());
        User { name: name.to_owned(), groups: groups(name, gid, group) }
    }

    /// The user of a process by its numbers. One without an entry is called by its number, as nobody else is.
    #[must_use]
    pub fn numbered(uid: u32, gid: u32, passwd: &str, group: &str) -> User {
        let number = uid.to_string();
        let entry = entries(passwd).find(|fields| fields.get(2) == Some(&number.as_str()));
        let known = entry.and_then(|fields| fields.first().copied()).filter(|name| !name.is_empty());
        // The name of another user must not come out of a user's number.
        let name = known.map_or_else(|| format!("#{number}"), str::to_owned);
        User { groups: groups(&name, Some(gid), group), name }
    }
}

fn entries(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().map(|line| line.split(':').collect())
}

/// The groups that name a user as a member, and its own one.
fn groups(name: &str, gid: Option<u32>, group: &str) -> Vec<String> {
    let own = gid.map(|gid| gid.to_string());
    let is_in = |fields: &Vec<&str>| {
        let members = fields.get(3).copied().unwrap_or_default();
        own.as_deref().is_some_and(|own| fields.get(2) == Some(&own))
            || members.split(',').any(|member| member.trim() == name)
    };
    entries(group).filter(is_in).filter_map(|fields| fields.first().map(|name| (*name).to_owned())).collect()
}
