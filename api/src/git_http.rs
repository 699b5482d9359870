//! `git clone` over HTTP of the two repositories, read-only, by `git http-backend`.
//!
//! git's own CGI program knows all protocol versions, partial clone filters and compressed requests; we bring the copy up to date and carry bytes.

use std::{io::ErrorKind, path::Path as FilePath, process::Stdio};

use axum::{
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use docket_http::Problem;
use docket_index::{Repository, git::GitViews};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};
use tokio_util::io::ReaderStream;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiState,
    error::{ApiError, git_missing},
    extract::Path,
    openapi::Refused,
};

/// The largest list of wanted and known commits a client may send, in bytes.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(info_refs))
        .routes(routes!(upload_pack))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
}

/// Begins a `git clone` or `git fetch` of `registry.git` or `registry-index.git`.
#[utoipa::path(
    get,
    path = "/git/{repository}/info/refs",
    tag = "packages",
    params(("repository" = String, Path, example = "registry.git"), ("service" = String, Query, example = "git-upload-pack")),
    responses(
        (status = 200, description = "The refs.", content_type = "application/x-git-upload-pack-advertisement", body = Vec<u8>),
        Refused<403>, Refused<404>,
    )
)]
async fn info_refs(
    State(views): State<GitViews>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let repository = find_repository(&name)?;
    if query.as_deref() != Some("service=git-upload-pack") {
        let forbidden = Problem::new(StatusCode::FORBIDDEN, "read-only", "Read-only repository");
        return Err(forbidden
            .detail("These repositories are written by the registry; they can only be fetched.")
            .into());
    }
    let path = views.bring_up_to_date(repository).await?;
    let call = Call {
        path: &path,
        method: Method::GET,
        suffix: "info/refs",
        query: "service=git-upload-pack",
    };
    call.answer(&headers, Bytes::new()).await
}

/// Goes on with it.
#[utoipa::path(
    post,
    path = "/git/{repository}/git-upload-pack",
    tag = "packages",
    params(("repository" = String, Path, example = "registry.git")),
    request_body(content = Vec<u8>, content_type = "application/x-git-upload-pack-request"),
    responses(
        (status = 200, description = "The objects.", content_type = "application/x-git-upload-pack-result", body = Vec<u8>),
        (status = 415, description = "The body is of another type, says git.", content_type = "text/plain", body = String),
        Refused<404>, Refused<413>,
    )
)]
async fn upload_pack(
    State(views): State<GitViews>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let body = body?;
    // The request may follow an answer of another process, whose copy had come further.
    let path = views.bring_up_to_date(find_repository(&name)?).await?;
    let call = Call {
        path: &path,
        method: Method::POST,
        suffix: "git-upload-pack",
        query: "",
    };
    call.answer(&headers, body).await
}

fn find_repository(name: &str) -> Result<Repository, Problem> {
    let repository = name.strip_suffix(".git").unwrap_or(name).parse();
    repository
        .map_err(|_| Problem::not_found("There are two repositories: registry.git and registry-index.git."))
}

/// One call of the CGI program.
struct Call<'a> {
    path: &'a FilePath,
    method: Method,
    suffix: &'a str,
    query: &'a str,
}

impl Call<'_> {
    async fn answer(self, headers: &HeaderMap, body: Bytes) -> Result<Response, ApiError> {
        let failed = |cause: std::io::Error| ApiError(Problem::internal(&cause));
        let mut child = self
            .spawn(headers, body.len())
            .map_err(|cause| match cause.kind() {
                // A copy that is up to date needed no git so far.
                ErrorKind::NotFound => ApiError(git_missing(&cause)),
                _ => failed(cause),
            })?;
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // Written beside the reading: the program may answer before it has read everything.
        tokio::spawn(async move {
            // A program that stops reading has its reasons, and says them in its answer.
            let _ = stdin.write_all(&body).await;
        });
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut status = StatusCode::OK;
        let mut answer = HeaderMap::new();
        loop {
            let mut line = String::new();
            if stdout.read_line(&mut line).await.map_err(failed)? == 0 {
                return Err(failed(std::io::Error::other(
                    "git http-backend ended without an answer",
                )));
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            if name.eq_ignore_ascii_case("status") {
                let code = value.split(' ').next().and_then(|code| code.parse().ok());
                status = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            } else if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                answer.insert(name, value);
            }
        }
        Ok((
            status,
            answer,
            Body::from_stream(ReaderStream::new(Guarded {
                stdout,
                _child: child,
            })),
        )
            .into_response())
    }

    fn spawn(&self, headers: &HeaderMap, length: usize) -> std::io::Result<Child> {
        let text = |name: HeaderName| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let folder = self.path.parent().expect("a copy lies in a folder");
        let name = self
            .path
            .file_name()
            .expect("a copy has a name")
            .to_string_lossy();
        Command::new("git")
            // The copies are ours, whoever owns the folder.
            .args(["-c", "safe.directory=*", "http-backend"])
            .env("GIT_PROJECT_ROOT", folder)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("PATH_INFO", format!("/{name}/{}", self.suffix))
            .env("REQUEST_METHOD", self.method.as_str())
            .env("QUERY_STRING", self.query)
            .env("CONTENT_TYPE", text(header::CONTENT_TYPE))
            .env("CONTENT_LENGTH", length.to_string())
            .env("HTTP_CONTENT_ENCODING", text(header::CONTENT_ENCODING))
            .env("GIT_PROTOCOL", text(HeaderName::from_static("git-protocol")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }
}

/// The program's output; when the client goes away, the program ends with it.
struct Guarded {
    stdout: BufReader<tokio::process::ChildStdout>,
    _child: Child,
}

impl tokio::io::AsyncRead for Guarded {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.stdout).poll_read(cx, buffer)
    }
}
