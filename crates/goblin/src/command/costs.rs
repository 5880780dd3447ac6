//! `goblin costs`: what a month costs, read from the database of this configuration, also while a goblin runs on it.

use anyhow::bail;
use goblin_core::clock::Clock;
use goblin_core::costs::findings::{Evidence, Finding};
use goblin_core::costs::month::Month;
use goblin_core::costs::{CostItem, CostReport, Foresight, report};
use goblin_core::owner::Owner;

use crate::cli::Costs;
use crate::command::trace::bars;
use crate::command::users;
use crate::config::Config;
use crate::output::{Colour, Output};

/// Most models and users that are printed; `--json` has all.
const MOST_ROWS: usize = 15;

/// `goblin costs`.
///
/// # Errors
///
/// When there is no database, it cannot be read, or the month has not begun.
pub(crate) async fn run(asked: &Costs, config: &Config, output: Output) -> anyhow::Result<bool> {
    let now = Clock::System.now();
    let month = asked.month.unwrap_or_else(|| Month::of(now));
    if month.begins() > now {
        bail!(
            "{month} has not begun. Name a month that has, for example {}.",
            Month::of(now)
        );
    }
    let store = users::open(config).await?;
    let facts = store.find_cost_facts(Owner::LOCAL_TENANT, month).await;
    store.close().await;
    let report = report(&config.cost_plan(), &facts?, month, now);
    if asked.json {
        output.json(&report);
    } else {
        Picture {
            report: &report,
            output,
        }
        .show();
    }
    Ok(true)
}

/// A report as it is printed.
struct Picture<'a> {
    report: &'a CostReport,
    output: Output,
}

impl Picture<'_> {
    fn show(&self) {
        let Self { report, output } = *self;
        let so_far = match report.forecast.state {
            Foresight::Over => "",
            _ => " so far",
        };
        let title = format!("Costs of {}{so_far} (UTC), in {}", report.month, report.currency);
        output.line(output.coloured(&title, Colour::Bold));
        output.line("");
        self.hosts();
        output.line("");
        output.line(self.ahead());
        if let Some(elsewhere) = self.elsewhere() {
            output.line(elsewhere);
        }
        self.bars("DAY", &report.days);
        self.table("MODEL", &report.models);
        self.table("USER", &report.users);
        if report.months.len() > 1 {
            self.bars("MONTH", &report.months);
        }
        self.findings();
    }

    /// A sum of US dollars in the operator's currency.
    fn sum(&self, usd: f64) -> String {
        sum(usd * self.report.currency_per_usd)
    }

    /// What requests cost; `unknown` where nothing of it is known.
    fn cost(&self, item: &CostItem) -> String {
        match item.unknown_cost {
            0 => self.sum(item.cost_usd),
            n if n == item.requests => "unknown".to_owned(),
            n => format!("{} + {n} unknown", self.sum(item.cost_usd)),
        }
    }

    fn hosts(&self) {
        let report = self.report;
        let mut rows: Vec<Vec<String>> = report
            .fixed
            .iter()
            .map(|host| {
                let sum = host
                    .monthly_usd
                    .map_or_else(|| "unknown".to_owned(), |usd| self.sum(usd));
                let mark = if host.assumed {
                    " (a default: see [costs])"
                } else {
                    ""
                };
                vec![host.name.clone(), sum, format!("{}{mark}", host.note)]
            })
            .collect();
        let whole = &report.providers;
        let requests = format!("{} requests, {} of them local", whole.requests, whole.local);
        rows.push(vec!["providers".to_owned(), self.cost(whole), requests]);
        let least = if report.at_least { "at least " } else { "" };
        let all = format!("{least}{}", self.sum(report.total_usd));
        rows.push(vec!["in all".to_owned(), all, String::new()]);
        self.output.table(&["WHAT", "THE MONTH", ""], rows);
    }

    /// Where the month is going.
    fn ahead(&self) -> String {
        let seen = &self.report.forecast;
        let (Some(providers), Some(low), Some(high), Some(total)) =
            (seen.providers_usd, seen.low_usd, seen.high_usd, seen.total_usd)
        else {
            return match seen.state {
                Foresight::Over => "The month is over.".to_owned(),
                _ => format!(
                    "No forecast yet: {} days since the first use are over, {} are needed.",
                    seen.days_seen, seen.days_needed
                ),
            };
        };
        let least = if self.report.at_least { "at least " } else { "" };
        format!(
            "At the end of the month: {least}{} in all; providers {}, likely between {} and {}. {}",
            self.sum(total),
            self.sum(providers),
            self.sum(low),
            self.sum(high),
            seen.method
        )
    }

    /// What answers of the operator's machines would have cost.
    fn elsewhere(&self) -> Option<String> {
        let whole = &self.report.providers;
        let baseline = self.report.baseline.as_deref().filter(|_| whole.local > 0)?;
        Some(match whole.would_have_cost_usd {
            usd if usd > 0.0 => format!(
                "{} local answers would have cost {} at {baseline}.",
                whole.local,
                self.sum(usd)
            ),
            _ => format!(
                "What {} local answers would have cost is unknown: {baseline} has no price.",
                whole.local
            ),
        })
    }

    fn bars(&self, heading: &str, items: &[CostItem]) {
        let whole = |item: &CostItem| item.cost_usd + item.fixed_usd;
        let most = items.iter().map(whole).fold(0.0, f64::max);
        if most <= 0.0 {
            return;
        }
        let rows = items.iter().map(|item| {
            vec![
                item.id.clone(),
                bars::probability(whole(item) / most, None),
                self.sum(item.fixed_usd),
                self.cost(item),
                self.sum(item.would_have_cost_usd),
            ]
        });
        self.output.line("");
        let headings = [heading, "", "HOSTS", "PROVIDERS", "LOCAL WOULD HAVE"];
        self.output.table(&headings, rows.collect());
    }

    fn table(&self, heading: &str, items: &[CostItem]) {
        if items.is_empty() {
            return;
        }
        let rows = items.iter().take(MOST_ROWS).map(|item| {
            let nobody = if item.id.is_empty() {
                "(no model)"
            } else {
                &item.id
            };
            vec![
                item.name.clone().unwrap_or_else(|| nobody.to_owned()),
                item.requests.to_string(),
                self.cost(item),
                self.sum(item.would_have_cost_usd),
            ]
        });
        self.output.line("");
        let headings = [heading, "REQUESTS", "PROVIDERS", "LOCAL WOULD HAVE"];
        self.output.table(&headings, rows.collect());
        if items.len() > MOST_ROWS {
            let more = items.len() - MOST_ROWS;
            self.output.line(format_args!("and {more} more; --json has all"));
        }
    }

    fn findings(&self) {
        let (output, findings) = (self.output, &self.report.findings);
        output.line("");
        if findings.is_empty() {
            output.line("Nothing found that could cost less.");
            return;
        }
        output.line(output.coloured("What could cost less, or is not known", Colour::Bold));
        for finding in findings {
            output.line("");
            output.line(output.coloured(&finding.found, Colour::Yellow));
            for number in &finding.evidence {
                output.line(format_args!("  {}: {}", number.name, self.number(number)));
            }
            output.line(format_args!("  do: {}{}", finding.fix, self.saves(finding)));
        }
    }

    fn number(&self, number: &Evidence) -> String {
        match number.unit.as_str() {
            "usd" => format!("{} {}", self.sum(number.value), self.report.currency),
            _ => number.value.to_string(),
        }
    }

    fn saves(&self, finding: &Finding) -> String {
        let saved = finding.saves_usd.map(|usd| self.sum(usd));
        saved.map_or_else(String::new, |sum| {
            format!(" Saves up to {sum} {} a month.", self.report.currency)
        })
    }
}

/// Two digits, or two that matter where it is less.
fn sum(amount: f64) -> String {
    if amount == 0.0 || amount >= 0.01 {
        return format!("{amount:.2}");
    }
    let mut digits = 3;
    while digits < 9 && amount * 10_f64.powi(digits) < 10.0 {
        digits += 1;
    }
    format!("{amount:.*}", usize::try_from(digits).unwrap_or(9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sums_are_not_rounded_to_nothing() {
        for (amount, text) in [
            (0.0, "0.00"),
            (12.345, "12.35"),
            (0.01, "0.01"),
            (0.0012, "0.0012"),
            (0.000_000_5, "0.00000050"),
        ] {
            assert_eq!(sum(amount), text);
        }
    }
}
