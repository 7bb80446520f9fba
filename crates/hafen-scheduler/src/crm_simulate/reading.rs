//! Taking a CIB in: what is no CIB, or breaks its schema, is refused; what follows an older schema is brought up to date.

use hafen_cib::schema;
use hafen_cib::upgrade::{self, Claim};
use hafen_cib::xml::Limits;
use hafen_cib::{Cib, Document};

use super::arguments::Source;
use super::{ReadError, Shell, exit};

/// Reads a CIB and takes it as Pacemaker does; complaints are collected.
///
/// # Errors
///
/// The exit status, where there is no CIB that could be planned for.
pub(super) fn read(source: &Source, shell: &mut dyn Shell, complaints: &mut Vec<String>) -> Result<Cib, u8> {
    let bytes = match shell.read(source) {
        Ok(bytes) => bytes,
        Err(ReadError::Disconnected(why)) => {
            complaints.push(format!("Could not connect to the CIB: {why}"));
            return Err(exit::DISCONNECTED);
        }
        Err(ReadError::Unreadable(why)) => {
            complaints.push(format!("crm_simulate: Could not read input XML: {why}"));
            return Err(exit::DATA_ERROR);
        }
    };
    let limits = if matches!(source, Source::Live) { Limits::DEFAULT } else { Limits::OFFLINE };
    let document = Document::parse_bytes_within(&bytes, &limits).map_err(|error| {
        complaints.push(format!("crm_simulate: Could not read input XML: {error}"));
        exit::DATA_ERROR
    })?;
    // The document has a copy of its own.
    drop(bytes);
    let claims = document.root().attribute("validate-with").is_some();
    let mut cib = Cib::from_document(document).map_err(|error| {
        complaints.push(format!("crm_simulate: {error}"));
        if claims { exit::CONFIG } else { exit::ERROR }
    })?;
    accept(&mut cib, complaints)?;
    Ok(cib)
}

/// Holds a CIB against its schema and brings it up to date.
///
/// # Errors
///
/// The exit status, where it breaks its schema or follows none.
pub(super) fn accept(cib: &mut Cib, complaints: &mut Vec<String>) -> Result<(), u8> {
    cib.status_or_new();
    let named = cib.root().attribute("validate-with").map(str::to_owned);
    match (upgrade::claim(cib), named) {
        (Claim::Schema { .. }, _) => {}
        (Claim::Unchecked, _) => {
            complaints.push(
                "Schema validation of configuration is disabled (support for validate-with set to \"none\" is \
                 deprecated and will be removed in a future release)"
                    .to_owned(),
            );
            return Ok(());
        }
        (Claim::Unknown, Some(named)) if named.is_empty() => return Ok(()),
        (Claim::Unknown, named) => {
            complaints.push(match named {
                Some(named) => format!("crm_simulate: validate-with=\"{named}\" names no known schema"),
                None => {
                    "crm_simulate: the CIB does not say which schema it follows (validate-with)".to_owned()
                }
            });
            return Err(exit::ERROR);
        }
    }
    let faults = schema::validate_and_upgrade(cib);
    if faults.is_empty() {
        return Ok(());
    }
    complaints.extend(faults.iter().map(|fault| format!("crm_simulate: {fault}")));
    Err(exit::CONFIG)
}
