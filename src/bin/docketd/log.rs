//! The server's own log on standard error: for people, or as one JSON object on each line. No secret passes.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use docket_core::{redact::Redactor, time::Timestamp};
use docket_jobs::Clock;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter,
        format::{JsonFields, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{
    config::{Format, Log},
    telemetry::Traces,
};

/// What is traced, whatever is told: the spans of requests are at a level of their own.
const TRACED: &str = "info,docket_http=debug";

/// Begins to tell what happens, and to trace it where somebody collects that. `RUST_LOG` wins over the level of `log`.
///
/// # Errors
/// When the level does not decode.
pub fn start(log: &Log, redactor: Redactor, traces: Option<Traces>) -> anyhow::Result<()> {
    let filter = match EnvFilter::try_from_default_env() {
        Ok(filter) => filter,
        Err(_) => log.filter()?,
    };
    let ansi = io::stderr().is_terminal();
    let writer = Redacted {
        redactor: Arc::new(redactor),
        to: io::stderr,
    };
    tracing_subscriber::registry()
        .with(layer(log.format, ansi, writer).with_filter(filter))
        .with(traces.map(|traces| traces.layer().with_filter(EnvFilter::new(TRACED))))
        .init();
    Ok(())
}

fn layer<S, W>(format: Format, ansi: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        Format::Pretty => layer.with_ansi(ansi).boxed(),
        Format::Json => layer.fmt_fields(JsonFields::new()).event_format(JsonLine).boxed(),
    }
}

/// Where lines are written without their secrets.
struct Redacted<M> {
    redactor: Arc<Redactor>,
    to: M,
}

impl<'a, W: Write, M: Fn() -> W> MakeWriter<'a> for Redacted<M> {
    type Writer = RedactedWriter<W>;

    fn make_writer(&'a self) -> Self::Writer {
        RedactedWriter {
            redactor: self.redactor.clone(),
            to: (self.to)(),
        }
    }
}

/// Gets each line as a whole.
struct RedactedWriter<W> {
    redactor: Arc<Redactor>,
    to: W,
}

impl<W: Write> Write for RedactedWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.to.write_all(self.redactor.redact(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// One JSON object for each line: `timestamp`, `level`, `target`, `message`, and the line's own fields. The causes of an error follow it, and
/// what is known of the request stands in `span`.
struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        let now: Timestamp = Clock::system().now();
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), now.to_string().into());
        line.insert("level".to_owned(), about.level().as_str().into());
        line.insert("target".to_owned(), about.target().into());
        event.record(&mut Fields(&mut line));
        if let Some(span) = context.lookup_current() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            let fields = fields.and_then(|fields| serde_json::from_str(&fields.fields).ok());
            let mut fields: Map<String, Value> = fields.unwrap_or_default();
            fields.insert("name".to_owned(), span.name().into());
            line.insert("span".to_owned(), fields.into());
        }
        let text = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

/// Collects the fields of a line or a span.
pub struct Fields<'a>(pub &'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let (mut text, mut cause) = (value.to_string(), value.source());
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        self.put(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(format: Format, tell: impl FnOnce()) -> String {
        let kept = Kept::default();
        let (redactor, to) = (Redactor::new(["geheim".to_owned()]), kept.clone());
        let writer = Redacted {
            redactor: Arc::new(redactor),
            to: move || to.clone(),
        };
        let subscriber = tracing_subscriber::registry().with(layer(format, false, writer));
        tracing::subscriber::with_default(subscriber, tell);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the file cannot be read")]
    struct Outer(#[source] io::Error);

    fn tell() {
        let error = Outer(io::Error::other("no \"room\""));
        let _span = tracing::info_span!("request", url.path = "/x", request.id = "7").entered();
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            job.id = %"abc",
            duration_ms = 5,
            "it took {} ms and geheim\nand https://me:pass@example.org",
            5
        );
    }

    /// The fields that docs/server-log.md promises.
    #[test]
    fn a_line_for_programs_is_one_object() {
        let line = told(Format::Json, tell);
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        let mut object: Map<String, Value> = serde_json::from_str(&line).unwrap();
        let timestamp = object.remove("timestamp").unwrap();
        assert!(Timestamp::parse_strict(timestamp.as_str().unwrap()).is_ok());
        let expected = serde_json::json!({
            "level": "WARN",
            "target": "docketd::log::tests",
            "message": "it took 5 ms and [redacted]\nand https://[redacted]@example.org",
            "error": "the file cannot be read: no \"room\"",
            "job.id": "abc",
            "duration_ms": 5,
            "span": {"name": "request", "url.path": "/x", "request.id": "7"},
        });
        assert_eq!(Value::from(object), expected);
    }

    #[test]
    fn a_line_for_people_has_no_secret_either() {
        let line = told(Format::Pretty, tell);
        assert!(line.contains(" WARN request{") && line.contains("room"), "{line}");
        assert!(line.contains("[redacted]"), "{line}");
        assert!(!line.contains("geheim") && !line.contains("pass@"), "{line}");
    }
}
