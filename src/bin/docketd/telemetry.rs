//! Traces for a collector of OpenTelemetry: each request and each attempt at a job is a span, sent as JSON over HTTP (OTLP, `POST …/v1/traces`).
//!
//! The libraries do it; here is what they are told, and what must not be told. They are part of the program only with the feature `otel`.

#[cfg(feature = "otel")]
mod export;
#[cfg(all(test, feature = "otel"))]
mod tests;

use docket_core::redact::Redactor;
use tracing::Subscriber;
use tracing_subscriber::{Layer, registry::LookupSpan};

use crate::config::Telemetry;

/// Collects spans and sends them.
#[derive(Clone)]
pub struct Traces {
    #[cfg(feature = "otel")]
    provider: opentelemetry_sdk::trace::SdkTracerProvider,
}

#[cfg(not(feature = "otel"))]
impl Traces {
    /// Nothing, where nobody wants traces.
    ///
    /// # Errors
    /// When somebody does: this program cannot send any.
    pub fn start(to: &Telemetry, _redactor: Redactor) -> anyhow::Result<Option<Self>> {
        match to.traces_url() {
            None => Ok(None),
            Some(_) => Err(crate::config::ConfigError::OutOfRange {
                key: "telemetry.url",
                rule: "left out: this docketd was built without the feature `otel`, and sends no traces",
            }
            .into()),
        }
    }

    /// What hears of spans.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        tracing_subscriber::layer::Identity::new()
    }

    /// Waits for what is to be sent, which is nothing.
    #[allow(clippy::unused_async, reason = "with the feature it waits")]
    pub async fn flush(&self) {}
}

#[cfg(feature = "otel")]
mod sending {
    use std::time::Duration;

    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::{
        Resource,
        trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
    };

    use super::*;

    /// How many spans wait at most, how many go out together, and how long they gather.
    const QUEUE: usize = 4096;
    const BATCH: usize = 512;
    const GATHER: Duration = Duration::from_secs(2);

    /// How long the collector may take.
    const PATIENCE: Duration = Duration::from_secs(10);

    impl Traces {
        /// Sends what ends from now on; requests are made by the runtime that this is called in. `None` where nobody wants it.
        ///
        /// # Errors
        /// When this machine cannot make HTTP requests, or the token cannot be read.
        pub fn start(to: &Telemetry, redactor: Redactor) -> anyhow::Result<Option<Self>> {
            let Some(url) = to.traces_url() else {
                return Ok(None);
            };
            let exporter = export::exporter(&url, to.token()?, PATIENCE, redactor)?;
            let batches = BatchConfigBuilder::default()
                .with_max_queue_size(QUEUE)
                .with_max_export_batch_size(BATCH)
                .with_scheduled_delay(GATHER)
                .build();
            let resource = Resource::builder()
                .with_service_name("docketd")
                .with_attribute(opentelemetry::KeyValue::new(
                    "service.version",
                    env!("CARGO_PKG_VERSION"),
                ))
                .build();
            let provider = SdkTracerProvider::builder()
                .with_span_processor(
                    BatchSpanProcessor::builder(exporter)
                        .with_batch_config(batches)
                        .build(),
                )
                .with_resource(resource)
                .build();
            Ok(Some(Self { provider }))
        }

        /// What hears of spans.
        pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
            tracing_opentelemetry::layer()
                .with_tracer(self.provider.tracer("docketd"))
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
        }

        /// Waits until everything that has ended was sent, or the collector does not take it. Nothing is sent afterwards.
        pub async fn flush(&self) {
            let provider = self.provider.clone();
            let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(PATIENCE));
            // What is lost now was told of when it was lost.
            let _ = flushed.await;
        }
    }
}

#[cfg(all(test, not(feature = "otel")))]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_refused_where_no_traces_can_be_sent() {
        assert!(
            Traces::start(&Telemetry::default(), Redactor::default())
                .unwrap()
                .is_none()
        );
        let to = Telemetry {
            url: Some("http://127.0.0.1:4318".to_owned()),
            ..Telemetry::default()
        };
        let refused = Traces::start(&to, Redactor::default()).err().unwrap();
        assert!(refused.is::<crate::config::ConfigError>());
        assert!(refused.to_string().contains("feature `otel`"), "{refused}");
    }
}
