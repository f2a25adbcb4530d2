//! Reads the dialect files, puts what they stand on under them and the operator's settings over them.

use std::collections::BTreeMap;

use crate::config::QueriesConfig;
use crate::data::DataFile;

use super::super::library::PlaybookFault;
use super::form::DialectForm;
use super::{Dialect, faults};

/// All dialects there are.
#[derive(Debug)]
pub(in crate::playbook) struct Dialects {
    /// By name.
    all: BTreeMap<String, (Dialect, Shipped)>,
    /// The one in force.
    in_force: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shipped {
    Yes,
    No,
}

impl Shipped {
    fn of(file: &DataFile) -> Self {
        match file.overridden {
            true => Self::No,
            false => Self::Yes,
        }
    }
}

impl Dialects {
    /// Names of shipped dialects that neither have a query nor say that it is not available.
    pub(in crate::playbook) fn lacking(&self, query: &str) -> Vec<&str> {
        let lacks = |(d, shipped): &&(Dialect, Shipped)| *shipped == Shipped::Yes && !d.has(query);
        self.all
            .values()
            .filter(lacks)
            .map(|(d, _)| d.name())
            .collect()
    }

    /// The dialect in force.
    pub(in crate::playbook) fn in_force(&self) -> Option<&Dialect> {
        self.all.get(&self.in_force).map(|(d, _)| d)
    }
}

/// Puts the dialects together and finds every fault in them.
pub(in crate::playbook) fn dialects(
    files: Vec<(DataFile, DialectForm)>,
    settings: &QueriesConfig,
    found: &mut Vec<PlaybookFault>,
) -> Dialects {
    let forms: BTreeMap<String, (DialectForm, Shipped)> = files
        .iter()
        .map(|(file, form)| (file.stem().to_owned(), (form.clone(), Shipped::of(file))))
        .collect();
    let mut all = BTreeMap::new();
    for (file, form) in files {
        let mut fault = |message: String| found.push(PlaybookFault::new(&file.name, message));
        let name = file.stem().to_owned();
        let based = based((form, Shipped::of(&file)), &forms, &mut fault);
        let Some((mut form, shipped)) = based else {
            continue;
        };
        if name == settings.dialect {
            set(&mut form, settings, &mut fault);
        }
        let Some(language) = form.form else {
            fault("says no `form`: sqlite, snowflake, search_dsl or spl".to_owned());
            continue;
        };
        let dialect = Dialect {
            name: name.clone(),
            language,
            form,
        };
        faults::of(&dialect).into_iter().for_each(fault);
        all.insert(name, (dialect, shipped));
    }
    Dialects {
        all,
        in_force: settings.dialect.clone(),
    }
}

/// The dialect over the one that it stands on, and that over the next; shipped is what stands on nothing of the operator's.
fn based(
    (mut form, mut shipped): (DialectForm, Shipped),
    forms: &BTreeMap<String, (DialectForm, Shipped)>,
    fault: &mut impl FnMut(String),
) -> Option<(DialectForm, Shipped)> {
    for _ in 0..=forms.len() {
        let Some(base) = form.extends.take() else {
            return Some((form, shipped));
        };
        let Some((under, whose)) = forms.get(&base) else {
            fault(format!(
                "extends `{base}`, but there is no queries/{base}.yaml"
            ));
            return None;
        };
        if *whose == Shipped::No {
            shipped = Shipped::No;
        }
        form = form.over(under.clone());
    }
    fault("extends itself".to_owned());
    None
}

/// The operator's settings over the file.
fn set(form: &mut DialectForm, settings: &QueriesConfig, fault: &mut impl FnMut(String)) {
    for (family, tables) in &settings.tables {
        match form.tables.get_mut(family) {
            Some(own) => own.clone_from(tables),
            None => {
                let known: Vec<&str> = form.tables.keys().map(String::as_str).collect();
                fault(format!(
                    "[queries.tables] {family}: the dialect has no such family of tables; it has {}",
                    match known.as_slice() {
                        [] => "none".to_owned(),
                        known => known.join(", "),
                    }
                ));
            }
        }
    }
    if let Some(argument) = &settings.argument {
        let carries = |v: &serde_json::Value| v.as_str() == Some("{query}");
        let old: Vec<String> = form
            .call
            .iter()
            .filter(|(_, v)| carries(v))
            .map(|(k, _)| k.clone())
            .collect();
        old.iter().for_each(|k| drop(form.call.remove(k)));
        form.call.insert(argument.clone(), "{query}".into());
    }
    form.call.extend(settings.arguments.clone());
}
