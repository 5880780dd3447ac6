//! What waits to be told: a bounded queue for each of those who are told, and the task that empties it. Whoever puts
//! something in never waits, and wakes the task only when a batch begins or is full. What does not fit, and what could not be delivered, is lost and counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use goblin_net::{HttpClient, Request, Url};
use http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// Longest pause that a server which refuses may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The end things are put in. Cloning shares the queue.
#[derive(Debug)]
pub(crate) struct Queue<T>(Arc<Shared<T>>);

/// The end they are taken from.
#[derive(Debug)]
pub(crate) struct Waiting<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    items: Mutex<VecDeque<T>>,
    /// How many may wait.
    most: usize,
    /// How many are sent at once.
    batch: usize,
    /// The first of a batch has come, or its last. Whoever sends is not woken for those between.
    came: Notify,
    sink: &'static str,
    /// Once things are counted.
    gauge: OnceLock<metrics::Gauge>,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A queue for at most `most` items of what `sink` is told, `batch` at once.
pub(crate) fn queue<T>(sink: &'static str, most: usize, batch: usize) -> (Queue<T>, Waiting<T>) {
    let shared = Arc::new(Shared {
        items: Mutex::new(VecDeque::new()),
        most,
        batch: batch.clamp(1, most.max(1)),
        came: Notify::new(),
        sink,
        gauge: OnceLock::new(),
    });
    (Queue(Arc::clone(&shared)), Waiting(shared))
}

impl<T> Queue<T> {
    /// Puts one in, or loses it.
    pub(crate) fn offer(&self, item: T) {
        let shared = &*self.0;
        let waiting = {
            let mut items = shared.lock();
            if items.len() >= shared.most {
                drop(items);
                return lost(shared.sink, "queue_full", 1);
            }
            items.push_back(item);
            items.len()
        };
        if waiting == 1 || waiting == shared.batch {
            shared.came.notify_one();
        }
        shared.show(waiting);
    }
}

impl<T> Waiting<T> {
    /// How many are sent at once, at most.
    fn batch(&self) -> usize {
        self.0.batch
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Takes what fits into one request, in the order it came.
    pub(crate) fn take(&self) -> Vec<T> {
        let (taken, left) = {
            let mut items = self.0.lock();
            let most = items.len().min(self.0.batch);
            (items.drain(..most).collect(), items.len())
        };
        self.0.show(left);
        taken
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        // Nothing that can panic happens behind it.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[allow(clippy::cast_precision_loss, reason = "queues are short")]
    fn show(&self, waiting: usize) {
        if let Some(gauge) = self.gauge.get() {
            gauge.set(waiting as f64);
        }
    }
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

/// Empties a queue until told to stop; then what is left is sent, as far as its caller's patience reaches. `collect`: how long
/// is collected for one request, and the least pause after a failure.
pub(crate) async fn empty<T>(
    items: Waiting<T>,
    mut sink: Sink,
    collect: Duration,
    write: impl Fn(&[T]) -> Vec<u8>,
    stop: CancellationToken,
) {
    let gauge = metrics::gauge!("goblin_telemetry_queue_items", "sink" => sink.name);
    let _known = items.0.gauge.set(gauge);
    while !stop.is_cancelled() {
        if items.len() == 0 {
            let _came = stop.run_until_cancelled(items.0.came.notified()).await;
            continue;
        }
        let until = Instant::now() + collect;
        while items.len() < items.batch() && !stop.is_cancelled() {
            let more = stop.run_until_cancelled(items.0.came.notified());
            if timeout_at(until, more).await.is_err() {
                break;
            }
        }
        let batch = items.take();
        if let Some(pause) = sink.deliver(write(&batch), batch.len()).await {
            let _over = timeout(pause.max(collect), stop.cancelled()).await;
        }
    }
    loop {
        let batch = items.take();
        if batch.is_empty() {
            return;
        }
        sink.deliver(write(&batch), batch.len()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_lost_and_what_fits_keeps_its_order() {
        let (queue, waiting) = queue("spans", 3, 2);
        for item in 1..=5 {
            queue.offer(item);
        }
        assert_eq!(waiting.len(), 3);
        assert_eq!(waiting.take(), [1, 2], "no more than are sent at once");
        queue.offer(6);
        assert_eq!((waiting.take(), waiting.take()), (vec![3, 6], vec![]));
    }

    #[tokio::test]
    async fn whoever_sends_is_woken_for_the_first_and_the_last_of_a_batch_only() {
        let (queue, waiting) = queue("spans", 9, 3);
        let mut woken = Vec::new();
        for item in 1..=4 {
            queue.offer(item);
            let came = timeout(Duration::ZERO, waiting.0.came.notified()).await;
            woken.push(came.is_ok());
        }
        assert_eq!(woken, [true, false, true, false]);
    }
}
