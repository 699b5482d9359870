//! Who comes in: connections, with and without TLS, by HTTP/1.1 and HTTP/2, and no more of them than there are places.
//!
//! Whoever connects has some seconds for each thing it has to say, so nobody holds a place by saying little (*slow loris*).

#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;
use tracing::{debug, error};

use crate::{Tls, place::Placed};

/// How long a connection has for its TLS handshake, for the head of each request, and without any request.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How often somebody who speaks HTTP/2 is asked whether it is still there, and how long it has for its answer.
const STILL_THERE: Duration = Duration::from_secs(30);

/// How many requests one connection of HTTP/2 has under way at once.
const MAX_STREAMS: u32 = 128;

/// How long nobody is let in when the system has no more files for connections.
const EXHAUSTED: Duration = Duration::from_secs(1);

/// How many connections there are by default at most.
pub const MAX_CONNECTIONS: usize = 10_000;

/// How a server lets clients in.
#[derive(Debug, Clone)]
pub struct Door {
    /// The certificate; without one the server speaks plain HTTP.
    pub tls: Option<Tls>,
    /// How many connections there may be at once. Who comes then waits until another one goes.
    pub max_connections: usize,
    /// How long a connection has for its TLS handshake, for the head of each request, and without any request.
    pub head_timeout: Duration,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            tls: None,
            max_connections: MAX_CONNECTIONS,
            head_timeout: HEAD_TIMEOUT,
        }
    }
}

impl Door {
    /// Answers requests on `listener` with `router` until `shutdown`, and then those that are under way.
    pub(crate) async fn keep(self, listener: TcpListener, router: Router, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.max_connections));
        let connections = TaskTracker::new();
        if let Some(tls) = self.tls.clone() {
            tokio::spawn(tls.keep(shutdown.clone()));
        }
        loop {
            let next = async {
                let place = places.clone().acquire_owned().await;
                let place = place.expect("nobody closes the places");
                (place, accept(&listener).await)
            };
            let (place, (stream, peer)) = tokio::select! {
                next = next => next,
                () = shutdown.cancelled() => break,
            };
            let connection = Connection {
                door: self.clone(),
                router: router.clone(),
                peer,
                shutdown: shutdown.clone(),
            };
            connections.spawn(async move {
                // Clients go away as they like: that is no trouble of ours.
                if let Err(error) = connection.serve(stream, place).await {
                    debug!(%peer, error = &*error, "a connection ended");
                }
            });
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }
}

/// The next connection. Errors are of one connection, or of a system that has no more files: neither ends the server.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::ConnectionReset
                ) => {}
            Err(error) => {
                error!(
                    error = &error as &dyn std::error::Error,
                    "no connection can be taken; trying again"
                );
                sleep(EXHAUSTED).await;
            }
        }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One connection.
struct Connection {
    door: Door,
    router: Router,
    peer: SocketAddr,
    shutdown: CancellationToken,
}

impl Connection {
    async fn serve(self, stream: TcpStream, place: OwnedSemaphorePermit) -> Result<(), BoxError> {
        // Lines of a log are small, and wait for no others.
        stream.set_nodelay(true)?;
        let limit = self.door.head_timeout;
        let Some(tls) = &self.door.tls else {
            return match timeout(limit, begins_as_http2(&stream)).await?? {
                true => self.serve_http2(Placed::new(stream, place)).await,
                false => self.serve_http1(Placed::new(stream, place)).await,
            };
        };
        let handshake = TlsAcceptor::from(tls.config()).accept(stream);
        let stream = timeout(limit, handshake).await??;
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => self.serve_http2(Placed::new(stream, place)).await,
            _ => self.serve_http1(Placed::new(stream, place)).await,
        }
    }

    async fn serve_http1<S>(self, stream: Placed<S>) -> Result<(), BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| self.answer(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.door.head_timeout)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        self.see_through(connection, |connection| connection.graceful_shutdown())
            .await
    }

    async fn serve_http2<S>(self, stream: Placed<S>) -> Result<(), BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| self.answer(request));
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(STILL_THERE)
            .keep_alive_timeout(STILL_THERE)
            .max_concurrent_streams(MAX_STREAMS)
            .serve_connection(TokioIo::new(stream), service);
        self.see_through(connection, |connection| connection.graceful_shutdown())
            .await
    }

    /// Serves a connection until it ends; when the server stops, `stop` has it end after the requests that are under way.
    async fn see_through<C, E>(&self, connection: C, stop: impl FnOnce(Pin<&mut C>)) -> Result<(), BoxError>
    where
        C: Future<Output = Result<(), E>>,
        BoxError: From<E>,
    {
        let mut connection = pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return Ok(ended?),
            () = self.shutdown.cancelled() => stop(connection.as_mut()),
        }
        Ok(connection.await?)
    }

    /// Hands a request to the router, with the address from which it came.
    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, Infallible>> + use<> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.router.clone().call(request)
    }
}

/// Whether a client without TLS speaks HTTP/2 from its first byte on. Nothing is taken from `stream`.
async fn begins_as_http2(stream: &TcpStream) -> io::Result<bool> {
    /// How all connections of HTTP/2 begin, and no method of HTTP/1.1.
    const BEGIN: &[u8] = b"PRI ";
    /// How long to wait for the rest of it: a peek does not tell when there is more.
    const REST: Duration = Duration::from_millis(20);
    let mut first = [0; BEGIN.len()];
    loop {
        let length = stream.peek(&mut first).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first[..length] != BEGIN[..length] {
            return Ok(false);
        }
        if length == BEGIN.len() {
            return Ok(true);
        }
        sleep(REST).await;
    }
}
