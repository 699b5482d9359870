//! Errors of the seams below as problems.

use axum::response::{IntoResponse, Response};
use docket_http::Problem;
use docket_index::tarballs::TarballError;
use docket_jobs::LogError;

/// Why a handler beside v1 gave no answer.
#[derive(Debug)]
pub(crate) struct ApiError(pub(crate) Problem);

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<docket_db::Error> for ApiError {
    fn from(error: docket_db::Error) -> Self {
        Self(database(&error))
    }
}

/// A database that is away, busy or full comes back by itself; with everything else somebody has to look.
pub(crate) fn database(error: &docket_db::Error) -> Problem {
    if !error.is_temporary() {
        return Problem::internal(error);
    }
    let problem = Problem::unavailable("database-unavailable", "Database unavailable", error);
    problem.detail(
        "The server's database takes no requests at the moment, so nothing was stored. Try again in a while.",
    )
}

impl From<TarballError> for ApiError {
    fn from(error: TarballError) -> Self {
        let detail = match &error {
            TarballError::SourceUnavailable { .. } => {
                "This tarball is not here yet, and where it comes from did not give it. Try again later."
            }
            TarballError::Wrong { .. } => {
                "Where this tarball comes from gave other bytes than were published; they were not kept."
            }
            TarballError::Database(cause) => return Self(database(cause)),
            TarballError::Storage(cause) => return storage(cause, &error),
        };
        let problem =
            Problem::bad_gateway("tarball-source-unavailable", "Tarball source unavailable", &error);
        Self(problem.detail(detail))
    }
}

impl From<docket_index::git::Error> for ApiError {
    fn from(error: docket_index::git::Error) -> Self {
        match &error {
            docket_index::git::Error::Storage(cause) => storage(cause, &error),
            docket_index::git::Error::Database(cause) => Self(database(cause)),
            docket_index::git::Error::Missing(cause) => Self(git_missing(cause)),
            _ => Self(Problem::internal(&error)),
        }
    }
}

/// The machine lacks git: the registry can be read in other ways meanwhile, and an operator puts it there.
pub(crate) fn git_missing(cause: &std::io::Error) -> Problem {
    Problem::unavailable("git-missing", "Repositories unavailable", cause).detail(
        "This server has no git, which sends the repositories. Read the index over HTTP (/index/config.json), or tell the operator to install git.",
    )
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        match &error {
            LogError::Storage { cause, .. } => storage(cause, &error),
            LogError::Lost { .. } => {
                let problem = Problem::damaged("log-damaged", "Log damaged", &error);
                Self(problem.detail(
                    "Archived lines of this log are missing or damaged. Its operator can see which with `docketd doctor`.",
                ))
            }
            LogError::Database(cause) => Self(database(cause)),
        }
    }
}

/// A blob store that is away comes back by itself; with everything else somebody has to look.
fn storage(cause: &docket_storage::Error, error: &(dyn std::error::Error + 'static)) -> ApiError {
    if !matches!(cause, docket_storage::Error::Unavailable { .. }) {
        return ApiError(Problem::internal(error));
    }
    let problem = Problem::unavailable("storage-unavailable", "Storage unavailable", error);
    ApiError(problem.detail(
        "The store of tarballs, histories and archived logs does not answer this server. Try again later.",
    ))
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_git_is_told_apart_from_a_fault() {
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let ApiError(problem) = docket_index::git::Error::Missing(missing()).into();
        assert_eq!(problem.status(), 503);
        assert!(problem.text().contains("has no git"), "{}", problem.text());
    }
}
