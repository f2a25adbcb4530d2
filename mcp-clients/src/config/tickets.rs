//! How a ticket of a case is made, found again, updated and closed; whether it is done is the gate's.

use serde::{Deserialize, Serialize};

use super::{Read, Said};

/// `[effects.tickets.NAME]`: this server keeps the tickets of cases.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tickets {
    /// Makes one; slots: `{{title}}`, `{{body}}`, `{{severity}}`, `{{case}}`, `{{marker}}`. Its tool only raises.
    pub create: Option<Said>,
    /// Finds it again by `{{marker}}`; `path` is where its id stands.
    pub find: Option<Read>,
    /// Tells it what has changed; slots: `{{ticket}}`, `{{case}}`, `{{comment}}`.
    pub update: Option<Said>,
    /// Closes it when a person has closed the case; the same slots.
    pub close: Option<Said>,
    /// Whether tickets are closed at all; yes when not given.
    pub closes: Option<bool>,
}

impl Tickets {
    /// Fills in what is not given from `under`.
    #[must_use]
    pub fn over(self, under: Self) -> Self {
        Self {
            create: self.create.or(under.create),
            find: self.find.or(under.find),
            update: self.update.or(under.update),
            close: self.close.or(under.close),
            closes: self.closes.or(under.closes),
        }
    }

    /// The same with tools named as those of one server.
    #[must_use]
    pub fn of_server(mut self, server: &str) -> Self {
        let said = self.create.iter_mut().chain(&mut self.update);
        let tools = said.chain(&mut self.close).map(|s| &mut s.tool);
        for tool in tools.chain(self.find.iter_mut().map(|r| &mut r.tool)) {
            *tool = format!("{server}.{tool}");
        }
        self
    }
}
