//! What is asked for, beside what the registry has of the package already (registry spec, 3.1 and 3.4).

use docket_core::metadata::Metadata;
use docket_core::operation::Publish;

use crate::rejection::Rejection;

/// Names that the registry needs for itself.
const RESERVED: &[&str] = &["metadata"];

/// Checks a request against the metadata of the package; `None` when it is not registered.
///
/// # Errors
///
/// A [`Rejection`] when the name is reserved, the location is missing or another one, or the version was unpublished.
pub fn check(metadata: Option<&Metadata>, request: &Publish) -> Result<(), Rejection> {
    let (name, version) = (&request.name, request.version);
    if RESERVED.contains(&name.as_str()) {
        return Err(Rejection::NameReserved(name.clone()));
    }
    let Some(metadata) = metadata else {
        return match &request.location {
            Some(_) => Ok(()),
            None => Err(Rejection::LocationMissing { name: name.clone() }),
        };
    };
    if let Some(requested) = &request.location
        && *requested != metadata.location
    {
        return Err(Rejection::LocationDiffers {
            name: name.clone(),
            registered: Box::new(metadata.location.clone()),
            requested: Box::new(requested.clone()),
        });
    }
    if let Some(entry) = metadata.unpublished.get(&version) {
        return Err(Rejection::Unpublished {
            name: name.clone(),
            version,
            entry: format!("{}, on {}", entry.reason, entry.unpublished_time),
        });
    }
    Ok(())
}
