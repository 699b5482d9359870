//! Traces for a collector of OpenTelemetry: each request and each attempt at a job is a span, sent as JSON over HTTP (OTLP 1.x, `POST …/v1/traces`).
//!
//! The protocol is small and stable in its JSON form, so it is spoken here: the libraries for it bring some sixty crates along. Spans wait in a queue
//! of limited length; a collector that is away costs the spans of that time and nothing else.

mod encode;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use docket_core::redact::Redactor;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tracing::{
    Event, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

use crate::{config::Telemetry, log::Fields};
use encode::encode;

/// How many spans wait at most.
const QUEUE: usize = 4096;

/// How many spans go out together.
const BATCH: usize = 512;

/// How long spans gather.
const GATHER: Duration = Duration::from_secs(2);

/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many events one span keeps.
const MAX_EVENTS: usize = 128;

/// A span that has ended, or goes on.
#[derive(Debug, Clone)]
struct Span {
    trace_id: u128,
    span_id: u64,
    parent_id: Option<u64>,
    name: &'static str,
    began: SystemTime,
    ended: SystemTime,
    fields: BTreeMap<String, Value>,
    events: Vec<SpanEvent>,
    /// Something of ours failed in it.
    failed: bool,
}

/// A line of the server's own log that was written in a span.
#[derive(Debug, Clone)]
struct SpanEvent {
    at: SystemTime,
    fields: BTreeMap<String, Value>,
}

/// What the sending task hears.
enum Message {
    Ended(Box<Span>),
    /// Everything before is to be sent now, and then this is to be told.
    Flush(oneshot::Sender<()>),
}

/// Collects spans and sends them.
#[derive(Clone)]
pub struct Traces {
    out: mpsc::Sender<Message>,
    redactor: Arc<Redactor>,
}

impl Traces {
    /// Sends what ends from now on, from a task of the runtime that this is called in; `None` where nobody wants it.
    ///
    /// # Errors
    /// When this machine cannot make HTTP requests, or the token cannot be read.
    pub fn start(to: &Telemetry, redactor: Redactor) -> anyhow::Result<Option<Self>> {
        let Some(url) = to.traces_url() else {
            return Ok(None);
        };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(docket_client::tls::for_http(docket_client::tls::config()))
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let (out, inbox) = mpsc::channel(QUEUE);
        let collector = Collector {
            http,
            url,
            token: to.token()?,
            is_away: false,
        };
        tokio::spawn(send(collector, inbox));
        Ok(Some(Self {
            out,
            redactor: Arc::new(redactor),
        }))
    }

    /// Waits until everything that has ended was sent, or the collector does not take it.
    pub async fn flush(&self) {
        let (done, told) = oneshot::channel();
        if self.out.send(Message::Flush(done)).await.is_ok() {
            // An error means that the runtime ends.
            let _ = told.await;
        }
    }

    /// What is told of a span or a line, without secrets.
    fn collect(&self, record: impl FnOnce(&mut Fields<'_>)) -> BTreeMap<String, Value> {
        let mut fields = serde_json::Map::new();
        record(&mut Fields(&mut fields));
        let fields = fields.into_iter().map(|(name, mut value)| {
            self.redactor.redact_json(&mut value);
            (name, value)
        });
        fields.collect()
    }
}

/// Where spans go.
struct Collector {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    /// It did not take the last ones.
    is_away: bool,
}

/// Sends spans until the last sender is gone.
async fn send(mut collector: Collector, mut inbox: mpsc::Receiver<Message>) {
    let (mut batch, mut flushed) = (Vec::new(), Vec::new());
    while let Some(first) = inbox.recv().await {
        let mut next = Some(first);
        let until = tokio::time::Instant::now() + GATHER;
        while let Some(message) = next {
            match message {
                Message::Ended(span) => batch.push(*span),
                Message::Flush(done) => flushed.push(done),
            }
            if batch.len() == BATCH || !flushed.is_empty() {
                break;
            }
            // Whatever has gathered by then goes.
            next = tokio::time::timeout_at(until, inbox.recv()).await.ok().flatten();
        }
        if !batch.is_empty() {
            collector.send(&batch).await;
            batch.clear();
        }
        for done in flushed.drain(..) {
            let _ = done.send(());
        }
    }
}

impl Collector {
    /// Sends spans, and says once when the collector goes away, and once when it is back.
    async fn send(&mut self, batch: &[Span]) {
        let mut request = self
            .http
            .post(&self.url)
            .header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let sent = request.body(encode(batch)).send().await;
        match sent.and_then(reqwest::Response::error_for_status) {
            Ok(_) if self.is_away => {
                self.is_away = false;
                tracing::info!("the collector of traces takes them again");
            }
            Err(error) if !self.is_away => {
                self.is_away = true;
                tracing::warn!(
                    error = &error.without_url() as &dyn std::error::Error,
                    "the collector of traces does not take them; those of this time are lost"
                );
            }
            _ => {}
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Traces {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = span.parent().and_then(|parent: SpanRef<'_, S>| {
            let extensions = parent.extensions();
            extensions
                .get::<Span>()
                .map(|parent| (parent.trace_id, parent.span_id))
        });
        let now = SystemTime::now();
        let fields = self.collect(|fields| attributes.record(fields));
        let new = Span {
            trace_id: parent.map_or_else(|| fastrand::u128(1..), |(trace_id, _)| trace_id),
            span_id: fastrand::u64(1..),
            parent_id: parent.map(|(_, span_id)| span_id),
            name: attributes.metadata().name(),
            began: now,
            ended: now,
            fields,
            events: Vec::new(),
            failed: false,
        };
        span.extensions_mut().insert(new);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(known) = span.extensions_mut().get_mut::<Span>() {
            known.fields.extend(self.collect(|fields| values.record(fields)));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else {
            return;
        };
        let mut extensions = span.extensions_mut();
        let Some(known) = extensions.get_mut::<Span>() else {
            return;
        };
        let level = *event.metadata().level();
        known.failed |= level == tracing::Level::ERROR;
        if known.events.len() < MAX_EVENTS {
            let mut fields = self.collect(|fields| event.record(fields));
            fields.insert("level".to_owned(), level.as_str().into());
            known.events.push(SpanEvent {
                at: SystemTime::now(),
                fields,
            });
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(mut known) = span.extensions_mut().remove::<Span>() else {
            return;
        };
        known.ended = SystemTime::now();
        // A queue that is full loses what comes: nothing waits for a collector.
        let _ = self.out.try_send(Message::Ended(Box::new(known)));
    }
}
