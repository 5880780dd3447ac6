//! Bans, from addresses that a test on one machine cannot connect from.

use std::io::Write;
use std::sync::MutexGuard;

use goblin_auth::keys::NewKeyOptions;
use goblin_core::clock::Timestamp;
use goblin_store::key_file::KeyFile;
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::*;

const STRANGER: &str = "198.51.100.7";

struct House {
    guard: TierGuard,
    clock: Clock,
    key: String,
    _files: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let files = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_795_471_200_000));
        let rng = &mut rand::rngs::OsRng;
        let keys = TierKeys::of_file(KeyFile::open(files.path().join("keys.toml")).unwrap());
        let made = keys
            .make("laptop", NewKeyOptions::with_scopes([Scope::Infer]), &clock, rng)
            .unwrap();
        let meter = KeyMeter::memory(clock.clone());
        Self {
            guard: TierGuard::new(keys, meter, BanPolicy::default(), clock.clone()),
            clock,
            key: made.key.expose_secret().to_owned(),
            _files: files,
        }
    }

    /// What a request from `address` with `key` comes to: the code of its refusal, or the name of its key.
    async fn ask(&self, address: &str, key: &str) -> Result<Arc<str>, ErrorCode> {
        let mut request = Request::new(Body::empty());
        request
            .headers_mut()
            .insert("host", http::HeaderValue::from_static("tier"));
        request.headers_mut().insert("x-api-key", key.parse().unwrap());
        request.extensions_mut().insert(Peer(address.parse().unwrap()));
        self.guard.check(&request).map_err(|e| e.code)?;
        let (parts, _) = request.into_parts();
        let admitted = self.guard.admit(&parts, Scope::Infer).await;
        admitted.map(|a| a.name).map_err(|e| e.code)
    }

    /// Ten wrong keys, and how long their answers took together.
    async fn try_keys(&self) -> Duration {
        let began = Instant::now();
        for n in 0..10 {
            assert_eq!(
                self.ask(STRANGER, &format!("guess-{n}")).await,
                Err(ErrorCode::Unauthorized)
            );
        }
        began.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_tries_keys_waits_and_is_then_shut_out_even_with_a_right_one() {
    let house = House::new();
    assert_eq!(
        house.try_keys().await,
        Duration::from_millis(250 + 500 + 1000 + 2000 + 4 * 4000)
    );
    assert_eq!(house.ask(STRANGER, &house.key).await, Err(ErrorCode::RateLimited));
    assert_eq!(house.ask("198.51.100.8", &house.key).await, Ok("laptop".into()));
    house.clock.advance_ms(15 * 60 * 1000);
    assert_eq!(house.ask(STRANGER, &house.key).await, Ok("laptop".into()));
}

#[tokio::test(start_paused = true)]
async fn a_ban_says_when_to_come_back_and_nothing_about_keys() {
    let house = House::new();
    house.try_keys().await;
    house.clock.advance_ms(60_000);
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(Peer(STRANGER.parse().unwrap()));
    let error = house.guard.check(&request).unwrap_err();
    assert_eq!(
        (error.status(false), error.retry_after_seconds()),
        (429, Some(14 * 60))
    );
}

#[tokio::test(start_paused = true)]
async fn forgetting_the_key_is_told_at_once_and_never_leads_to_a_ban() {
    let house = House::new();
    let began = Instant::now();
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(Peer(STRANGER.parse().unwrap()));
    let (parts, _) = request.into_parts();
    for _ in 0..50 {
        let refused = house.guard.admit(&parts, Scope::Infer).await;
        assert_eq!(refused.err().map(|e| e.code), Some(ErrorCode::Unauthorized));
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(house.ask(STRANGER, &house.key).await, Ok("laptop".into()));
}

#[tokio::test(start_paused = true)]
async fn only_so_many_answers_wait_at_once() {
    let house = House::new();
    house.ask("203.0.113.1", "guess").await.unwrap_err();
    let _all = house.guard.0.slowed.try_acquire_many(MOST_SLOWED as u32).unwrap();
    let began = Instant::now();
    house.try_keys().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(
        house.ask(STRANGER, &house.key).await,
        Err(ErrorCode::RateLimited),
        "the ban holds"
    );
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_ban_is_logged_once_for_alerts_and_counted_until_it_ends() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .finish();
    let recorder = PrometheusBuilder::new().build_recorder();
    let measured = recorder.handle();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let house = House::new();
    let work = || {
        runtime.block_on(async {
            house.try_keys().await;
            for _ in 0..5 {
                house.ask(STRANGER, "guess").await.unwrap_err();
            }
        });
    };
    tracing::subscriber::with_default(subscriber, || metrics::with_local_recorder(&recorder, work));
    let text = String::from_utf8(log.lock().clone()).unwrap();
    let bans: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &serde_json::Value| event["event"] == "address_banned")
        .collect();
    assert_eq!(bans.len(), 1, "{text}");
    let said = (
        &bans[0]["address"],
        &bans[0]["failures"],
        &bans[0]["seconds"],
        &bans[0]["level"],
    );
    assert_eq!(
        said,
        (&STRANGER.into(), &10.into(), &900.into(), &"WARN".into()),
        "{text}"
    );
    assert!(!text.contains("guess"), "{text}");
    let rendered = measured.render();
    for line in [
        "goblin_tier_refused_keys_total{reason=\"unknown\"} 10",
        "goblin_tier_refused_keys_total{reason=\"banned\"} 5",
        "goblin_tier_banned_addresses 1",
    ] {
        assert!(rendered.contains(line), "{line} in {rendered}");
    }
    house.clock.advance_ms(15 * 60 * 1000);
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(house.ask("203.0.113.1", &house.key)).unwrap();
    });
    assert!(measured.render().contains("goblin_tier_banned_addresses 0"));
}
