//! The README on the page of a package, out of its tarball.

use std::time::Duration;

use docket_core::{manifest::Manifest, metadata::Metadata, name::PackageName, version::Version};
use docket_index::tarballs::{MAX_README_BYTES, Readme};

use super::super::{
    format::size,
    markdown::{Files, render},
};
use crate::ApiState;

/// How long the page waits for a tarball that has to be fetched first; the fetching goes on.
const PATIENCE: Duration = Duration::from_millis(800);

/// What the page shows.
pub(super) enum View {
    /// HTML that was made harmless.
    Html(String),
    /// Why there is nothing else.
    Nothing(String),
}

pub(super) async fn read(
    state: &ApiState,
    name: &PackageName,
    version: Version,
    metadata: &Metadata,
    manifest: Option<&Manifest>,
) -> View {
    let nothing = |text: &str| View::Nothing(text.to_owned());
    let Some(entry) = metadata.published.get(&version).cloned() else {
        return nothing("This version was unpublished; its files are not here any more.");
    };
    let (tarballs, owned) = (state.tarballs.clone(), name.clone());
    // On its own, so that what takes longer is there when the page is asked for again.
    let reading = tokio::spawn(async move { tarballs.readme(&owned, version, &entry).await });
    match tokio::time::timeout(PATIENCE, reading).await {
        Err(_elapsed) => nothing("The README is being fetched. Look again in a moment."),
        Ok(Ok(Ok(Some(Readme::Text(text))))) => {
            let files = Files::new(
                manifest.map_or(&metadata.location, |manifest| &manifest.location),
                manifest.map_or("", |manifest| manifest.git_ref.as_str()),
            );
            // What authors have let slip is shown to nobody here.
            View::Html(render(&state.jobs.redactor().redact(&text), &files))
        }
        Ok(Ok(Ok(Some(Readme::TooLong)))) => View::Nothing(format!(
            "The README is longer than {}; read it where the package comes from.",
            size(MAX_README_BYTES)
        )),
        Ok(Ok(Ok(Some(Readme::None)))) => nothing("This version has no README."),
        Ok(Ok(Ok(None))) => nothing("The tarball of this version was not imported to this server."),
        Ok(Ok(Err(error))) => {
            tracing::debug!(package.name = %name, error = &error as &dyn std::error::Error, "a README could not be read");
            nothing("The README cannot be read at the moment.")
        }
        Ok(Err(_panicked)) => nothing("The README cannot be read."),
    }
}
