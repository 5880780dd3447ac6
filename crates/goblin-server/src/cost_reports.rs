//! Reports of what months cost, kept for a short while: each is read from everything that was used in months.

use goblin_core::clock::Timestamp;
use goblin_core::costs::CostReport;
use goblin_core::costs::month::Month;
use tokio::sync::Mutex;

/// How long a report is given again, in milliseconds.
const KEEP_MS: u64 = 30_000;
/// Most reports that are kept.
const MOST: usize = 32;

/// The reports that were made in the last half minute. The lock is held while one is made: many callers cause one reading,
/// and no two are read at once.
#[derive(Debug, Default)]
pub struct CostReports(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    tenant: String,
    month: Month,
    made: Timestamp,
    report: CostReport,
}

impl CostReports {
    /// The report of a tenant's month: the one before while it is at most 30 seconds old, else what `make` makes.
    /// `CostReport::at` says when it was made. What fails is not kept.
    ///
    /// # Errors
    /// What `make` says.
    pub(crate) async fn get<E>(
        &self,
        (tenant, month): (&str, Month),
        now: Timestamp,
        make: impl Future<Output = Result<CostReport, E>>,
    ) -> Result<CostReport, E> {
        let mut kept = self.0.lock().await;
        // Whoever waited here has an earlier `now` than the report.
        kept.retain(|one| one.made.0.abs_diff(now.0) < KEEP_MS);
        if let Some(one) = kept.iter().find(|one| one.tenant == tenant && one.month == month) {
            return Ok(one.report.clone());
        }
        let report = make.await?;
        if kept.len() >= MOST {
            kept.remove(0);
        }
        kept.push(Kept {
            tenant: tenant.to_owned(),
            month,
            made: now,
            report: report.clone(),
        });
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use goblin_core::costs::{CostFacts, CostPlan, report};

    use super::*;

    struct Desk {
        reports: CostReports,
        made: AtomicUsize,
    }

    impl Desk {
        /// Asks for a report; how many were made by then.
        async fn ask(&self, tenant: &str, month: &str, now: i64) -> usize {
            let month = Month::parse(month).unwrap();
            let now = Timestamp(now);
            let make = async {
                tokio::task::yield_now().await;
                self.made.fetch_add(1, Ordering::SeqCst);
                Ok::<_, ()>(report(&CostPlan::default(), &CostFacts::default(), month, now))
            };
            let report = self.reports.get((tenant, month), now, make).await.unwrap();
            assert_eq!(report.month, month.to_string());
            self.made.load(Ordering::SeqCst)
        }
    }

    fn desk() -> Desk {
        Desk {
            reports: CostReports::default(),
            made: AtomicUsize::new(0),
        }
    }

    const NOW: i64 = 1_795_471_200_000;

    #[tokio::test]
    async fn a_report_is_read_once_in_half_a_minute() {
        let desk = desk();
        assert_eq!(desk.ask("a", "2026-11", NOW).await, 1);
        assert_eq!(desk.ask("a", "2026-11", NOW + 29_999).await, 1);
        assert_eq!(desk.ask("a", "2026-11", NOW + 30_000).await, 2);
        assert_eq!(
            desk.ask("b", "2026-11", NOW + 30_000).await,
            3,
            "another tenant's"
        );
        assert_eq!(desk.ask("a", "2026-10", NOW + 30_000).await, 4, "another month");
        assert_eq!(
            desk.ask("a", "2026-11", NOW + 29_990).await,
            4,
            "asked a moment before"
        );
    }

    #[tokio::test]
    async fn many_who_ask_at_once_cause_one_reading() {
        let desk = desk();
        join_all((0..20).map(|n| desk.ask("a", "2026-11", NOW + n))).await;
        assert_eq!(desk.made.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn only_so_many_are_kept_and_a_failure_is_not() {
        let desk = desk();
        for year in 1970..1970 + MOST + 1 {
            desk.ask("a", &format!("{year}-01"), NOW).await;
        }
        assert_eq!(desk.reports.0.lock().await.len(), MOST);
        let month = Month::parse("2026-11").unwrap();
        let failed = async { Err("the database is away") };
        let failed = desk.reports.get(("a", month), Timestamp(NOW), failed).await;
        assert_eq!(failed, Err("the database is away"));
        assert_eq!(desk.ask("a", "2026-11", NOW).await, MOST + 2);
    }
}
