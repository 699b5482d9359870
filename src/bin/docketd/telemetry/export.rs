//! What leaves the process: spans without secrets, by our own HTTP client.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use docket_core::redact::Redactor;
use opentelemetry::{
    KeyValue, Value,
    trace::{SpanKind, Status},
};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use tokio::runtime::Handle;

/// Makes what sends spans to `url`.
///
/// # Errors
/// When this machine cannot make HTTP requests.
pub(super) fn exporter(
    url: &str,
    token: Option<String>,
    patience: Duration,
    redactor: Redactor,
) -> anyhow::Result<Exporter> {
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(docket_client::tls::for_http(docket_client::tls::config()))
        .timeout(patience)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let headers = token.map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
    let inner = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Http {
            client: http,
            runtime: Handle::current(),
        })
        .with_protocol(Protocol::HttpJson)
        .with_endpoint(url)
        .with_timeout(patience)
        .with_headers(HashMap::from_iter(headers))
        .build()?;
    Ok(Exporter {
        inner,
        redactor,
        is_away: AtomicBool::new(false),
    })
}

/// Our client of HTTP. Spans are sent from a thread of their own, and requests made by the runtime.
struct Http {
    client: reqwest::Client,
    runtime: Handle,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

#[async_trait]
impl HttpClient for Http {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, request) = (self.client.clone(), reqwest::Request::try_from(request)?);
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request).await?;
            let status = answer.status();
            let body = answer.bytes().await?;
            Ok::<_, reqwest::Error>((status, body))
        });
        // An address may hold what nobody should read.
        let (status, body) = sent.await?.map_err(reqwest::Error::without_url)?;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Ok(response)
    }
}

/// Sends spans without secrets, and says once when the collector goes away, and once when it is back.
#[derive(Debug)]
pub(super) struct Exporter {
    inner: opentelemetry_otlp::SpanExporter,
    redactor: Redactor,
    is_away: AtomicBool,
}

impl Exporter {
    fn prepare(&self, span: &mut SpanData) {
        // Requests come from outside, jobs from inside.
        if span.name == "request" {
            span.span_kind = SpanKind::Server;
        }
        span.attributes.iter_mut().for_each(|one| self.redact(one));
        for event in &mut span.events.events {
            event.name = self.redacted(&event.name).into();
            event.attributes.iter_mut().for_each(|one| self.redact(one));
        }
        if let Status::Error { description } = &mut span.status {
            *description = Cow::Owned(self.redacted(description));
        }
    }

    fn redacted(&self, text: &str) -> String {
        self.redactor.redact(text).into_owned()
    }

    fn redact(&self, attribute: &mut KeyValue) {
        if !matches!(attribute.value, Value::Bool(_) | Value::I64(_) | Value::F64(_)) {
            attribute.value = self.redacted(&attribute.value.as_str()).into();
        }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(|span| self.prepare(span));
        let sent = self.inner.export(batch).await;
        let was_away = self.is_away.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Ok(()) if was_away => tracing::info!("the collector of traces takes them again"),
            Err(error) if !was_away => tracing::warn!(
                error = error as &dyn std::error::Error,
                "the collector of traces does not take them; those of this time are lost"
            ),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
