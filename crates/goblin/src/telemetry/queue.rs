//! What waits to be told: a bounded queue for each of those who are told, and the task that empties it. Whoever puts
//! something in never waits. What does not fit, and what could not be delivered, is lost and counted.

use std::time::Duration;

use goblin_net::{HttpClient, Request, Url};
use http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// Longest pause that a server which refuses may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The end things are put in. Cloning shares the queue.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    sender: Sender<T>,
    sink: &'static str,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            sink: self.sink,
        }
    }
}

/// A queue for at most `most` items of what `sink` is told.
pub(crate) fn queue<T>(sink: &'static str, most: usize) -> (Queue<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(most);
    (Queue { sender, sink }, receiver)
}

impl<T> Queue<T> {
    /// Puts one in, or loses it.
    pub(crate) fn offer(&self, item: T) {
        if self.sender.try_send(item).is_err() {
            lost(self.sink, "queue_full", 1);
        }
        let waiting = self.sender.max_capacity() - self.sender.capacity();
        gauge(self.sink, waiting);
    }
}

#[allow(clippy::cast_precision_loss, reason = "queues are short")]
fn gauge(sink: &'static str, waiting: usize) {
    metrics::gauge!("goblin_telemetry_queue_items", "sink" => sink).set(waiting as f64);
}

fn lost(sink: &'static str, reason: &'static str, items: usize) {
    metrics::counter!("goblin_telemetry_lost_total", "sink" => sink, "reason" => reason)
        .increment(items as u64);
}

/// Somebody who is told, over HTTP.
pub(crate) struct Sink {
    /// In metrics and in the log.
    pub(crate) name: &'static str,
    /// How they are reached.
    pub(crate) client: HttpClient,
    /// Where.
    pub(crate) url: Url,
    /// With every request.
    pub(crate) headers: HeaderMap,
    /// The media type of what is sent.
    pub(crate) media_type: &'static str,
    /// Longest a request may take, its answer included.
    pub(crate) wait: Duration,
    /// Did the last one fail?
    pub(crate) failing: bool,
}

/// Why something was not delivered, and how long to leave them alone.
struct Undelivered {
    reason: &'static str,
    told: String,
    pause: Option<Duration>,
}

impl Sink {
    /// Sends once. Failures are counted, and logged when they begin and when they end. Says for how long to pause.
    pub(crate) async fn deliver(&mut self, body: Vec<u8>, items: usize) -> Option<Duration> {
        let failed = match timeout(self.wait, self.send(body)).await {
            Ok(Ok(())) => {
                metrics::counter!("goblin_telemetry_sent_total", "sink" => self.name).increment(items as u64);
                if std::mem::take(&mut self.failing) {
                    tracing::info!(sink = self.name, "telemetry is delivered again");
                }
                return None;
            }
            Ok(Err(failed)) => failed,
            Err(_) => Undelivered {
                reason: "timeout",
                told: format!("no answer within {} ms", self.wait.as_millis()),
                pause: None,
            },
        };
        lost(self.name, failed.reason, items);
        if !std::mem::replace(&mut self.failing, true) {
            let (address, why) = (self.url.address(), failed.told);
            tracing::warn!(
                sink = self.name,
                address,
                why,
                "telemetry is not delivered; what cannot be is lost and counted in goblin_telemetry_lost_total"
            );
        }
        Some(failed.pause.unwrap_or_default())
    }

    /// Is this taken? Nothing is counted.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn takes(&self, body: Vec<u8>) -> Result<(), String> {
        match timeout(self.wait, self.send(body)).await {
            Ok(sent) => sent.map_err(|failed| failed.told),
            Err(_) => Err(format!("no answer within {} ms", self.wait.as_millis())),
        }
    }

    async fn send(&self, body: Vec<u8>) -> Result<(), Undelivered> {
        let mut request = Request::new(Method::POST, self.url.clone());
        request.headers = self.headers.clone();
        let media_type = http::HeaderValue::from_static(self.media_type);
        request.headers.insert(header::CONTENT_TYPE, media_type);
        request.body = body.into();
        let unreachable = |error: goblin_net::NetError| Undelivered {
            reason: "unreachable",
            told: error.to_string(),
            pause: None,
        };
        let answer = self.client.send(request).await.map_err(unreachable)?;
        let status = answer.status;
        if status.is_success() {
            // Read, so that the connection can be used again.
            let _read = answer.body.collect().await;
            return Ok(());
        }
        let pause = answer
            .headers
            .get(header::RETRY_AFTER)
            .filter(|_| {
                matches!(
                    status,
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
                )
            })
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE));
        Err(Undelivered {
            reason: "refused",
            told: format!("it answered {}", status.as_u16()),
            pause,
        })
    }
}

/// How a queue is emptied.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Most items in one request.
    pub(crate) most: usize,
    /// How long is collected for one, and the least pause after a failure.
    pub(crate) collect: Duration,
}

/// Empties a queue until told to stop; then what is left is sent, as far as its caller's patience reaches.
pub(crate) async fn empty<T>(
    mut items: Receiver<T>,
    mut sink: Sink,
    pace: Pace,
    write: impl Fn(&[T]) -> Vec<u8>,
    stop: CancellationToken,
) {
    let mut batch = Vec::new();
    while let Some(Some(first)) = stop.run_until_cancelled(items.recv()).await {
        batch.push(first);
        let until = Instant::now() + pace.collect;
        while batch.len() < pace.most && !stop.is_cancelled() {
            match timeout_at(until, stop.run_until_cancelled(items.recv())).await {
                Ok(Some(Some(item))) => batch.push(item),
                Ok(_) | Err(_) => break,
            }
        }
        let paused = sink.deliver(write(&batch), batch.len()).await;
        batch.clear();
        if let Some(pause) = paused {
            let _over = timeout(pause.max(pace.collect), stop.cancelled()).await;
        }
    }
    while let Ok(item) = items.try_recv() {
        batch.push(item);
        if batch.len() == pace.most {
            sink.deliver(write(&batch), batch.len()).await;
            batch.clear();
        }
    }
    if !batch.is_empty() {
        sink.deliver(write(&batch), batch.len()).await;
    }
}
