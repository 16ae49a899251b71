//! The configuration file: TOML to known keys, each with its line.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::error::{Place, Problem, Report};
use super::nearest::nearest;
use super::schema::{self, Key};
use super::value::{Given, Value};

/// What is given, by the key's own name.
pub(super) type Values = BTreeMap<&'static str, Given>;

/// Reads a file's text. Broken TOML is reported with everything that is broken.
///
/// # Errors
/// `Err` if the text is no TOML: nothing in it can be relied on.
pub(super) fn read(text: &str, file: &Arc<str>, report: &mut Report) -> Result<Values, ()> {
    // Editors on Windows like to put a byte order mark first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::new(text, file);
    let (document, faults) = DeTable::parse_recoverable(text);
    if faults.is_empty() {
        let document = lines.convert_table(document.get_ref());
        return Ok(known_keys(schema::KEYS, "", document, report));
    }
    for fault in faults.iter().take(MOST_FAULTS) {
        let place = lines.place(fault.span().map_or(text.len(), |span| span.start));
        report.error(Problem::at(&place, format!("this is not TOML: {}", fault.message())));
    }
    Err(())
}

/// Takes the known keys out of a table, and reports all others. `prefix` stands before the keys in errors.
pub(super) fn known_keys(
    keys: &'static [Key],
    prefix: &str,
    table: BTreeMap<String, Given>,
    report: &mut Report,
) -> Values {
    let mut values = Values::new();
    let mut aliases = Vec::new();
    flatten(keys, "", table, report, &mut |report, written, given| {
        let name = written.to_lowercase();
        let Some(key) = schema::find(keys, &name) else {
            let hint = suggest(keys, &name);
            return report.error(Problem::at(&given.place, format!("unknown key \"{prefix}{written}\"{hint}")));
        };
        if key.name != name {
            aliases.push((key.name, name, given));
        } else if let Some(earlier) = values.insert(key.name, given) {
            report.error(Problem::at(
                &earlier.place,
                format!("{prefix}{name} is given twice; upper and lower case make no difference"),
            ));
        }
    });
    for (name, alias, given) in aliases {
        if values.get(name).is_some_and(|stronger| !stronger.is_empty()) {
            report.warn(Problem::at(&given.place, format!("{alias} is ignored, because {name} is given too")));
        } else {
            values.insert(name, given);
        }
    }
    values
}

/// Calls `take` with the full name of every value that is not a table of keys.
fn flatten(
    keys: &'static [Key],
    path: &str,
    table: BTreeMap<String, Given>,
    report: &mut Report,
    take: &mut impl FnMut(&mut Report, &str, Given),
) {
    for (written, given) in table {
        let name = format!("{path}{written}");
        if !schema::is_table(keys, &name.to_lowercase()) {
            take(report, &name, given);
        } else if let Value::Table(inner) = given.value {
            flatten(keys, &format!("{}.", name.to_lowercase()), inner, report, take);
        } else {
            report.error(given.problem(&name, "is not a table", &format!("a table, which begins with [{name}]")));
        }
    }
}

/// A known name that is spelt alike, or that has the same last part in another table.
fn suggest(keys: &'static [Key], name: &str) -> String {
    let tables = schema::names(keys).filter_map(|key| key.split_once('.').map(|(table, _)| table));
    let known: Vec<&str> = schema::names(keys).chain(tables).collect();
    let alike = nearest(name, known.iter().copied());
    let elsewhere = || known.iter().copied().find(|key| last_part(key) == last_part(name));
    alike.or_else(elsewhere).map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"))
}

fn last_part(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

/// Where the lines of a text begin.
struct Lines<'a> {
    starts: Vec<usize>,
    file: &'a Arc<str>,
}

impl<'a> Lines<'a> {
    fn new(text: &str, file: &'a Arc<str>) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1).collect();
        Self { starts, file }
    }

    fn place(&self, offset: usize) -> Place {
        Place::Line { file: Arc::clone(self.file), line: self.starts.partition_point(|start| *start <= offset) + 1 }
    }

    fn convert_table(&self, table: &DeTable<'_>) -> BTreeMap<String, Given> {
        table
            .iter()
            .map(|(key, value)| {
                // A table's own span is its whole text, so the key says better where it stands.
                let place = self.place(key.span().start);
                (key.get_ref().to_string(), Given { value: self.convert(value), place })
            })
            .collect()
    }

    fn convert(&self, value: &Spanned<DeValue<'_>>) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(integer) => convert_integer(integer),
            DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(boolean) => Value::Boolean(*boolean),
            DeValue::Datetime(datetime) => Value::Text(datetime.to_string()),
            DeValue::Array(entries) => Value::List(
                entries
                    .iter()
                    .map(|entry| Given { value: self.convert(entry), place: self.place(entry.span().start) })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.convert_table(table)),
        }
    }
}

fn convert_integer(integer: &DeInteger<'_>) -> Value {
    // What even 128 bits cannot hold is out of every range; its digits say so best.
    i128::from_str_radix(integer.as_str(), integer.radix())
        .map_or_else(|_| Value::Text(integer.to_string()), Value::Integer)
}

/// Faults of TOML that are told; one fault often makes more of them.
const MOST_FAULTS: usize = 10;
