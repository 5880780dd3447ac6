//! What a month costs beside models.

use goblin_core::costs::{CostPlan, FixedLine};
use goblin_core::money::NanoUsd;

use crate::config::check::{Config, Reader, UpstreamKind};
use crate::config::environment::Environment;
use crate::config::written::Source;

/// Most that one host may cost in a month.
const MOST: f64 = 1e9;

/// What a month costs beside models.
#[derive(Clone, Debug)]
pub(crate) struct CostsConfig {
    /// What sums are shown in.
    pub(crate) currency: String,
    /// What a US dollar is in it.
    pub(crate) per_usd: f64,
    /// Every host and what else is paid; defaults also of parts that this configuration does not have.
    pub(crate) fixed: Vec<FixedLine>,
    /// Does it run at Render?
    pub(crate) on_render: bool,
}

impl Reader<'_> {
    pub(super) fn costs(&mut self, environment: &Environment) -> CostsConfig {
        let currency = self.text("costs.currency").unwrap_or_else(|| "USD".to_owned());
        let per_usd = self.real("costs.currency_per_usd");
        let is_word = currency.len() <= 8 && currency.chars().all(char::is_alphanumeric);
        if !is_word {
            self.problem(
                "costs.currency",
                format!("`{currency}` is no currency. Write its letters, like EUR."),
            );
        }
        let given = |reader: &Self, path: &str| {
            let entry = reader.written.entries.get(path);
            entry.is_some_and(|entry| !matches!(entry.source, Source::Default))
        };
        if currency != "USD" && !given(self, "costs.currency_per_usd") {
            self.problem(
                "costs.currency",
                "providers are paid in US dollars. Say in costs.currency_per_usd what one is in this currency.",
            );
        }
        let mut fixed: Vec<FixedLine> = Vec::new();
        for path in ["costs.hosts", "costs.more"] {
            let assumed = !given(self, path);
            for text in self.list(path) {
                match line(&text, if assumed { 1.0 } else { per_usd }) {
                    Some(line) if fixed.iter().any(|other| other.name == line.name) => {
                        self.problem(path, format!("`{}` is there twice.", line.name));
                    }
                    Some(line) => fixed.push(FixedLine { assumed, ..line }),
                    None => self.problem(
                        path,
                        format!(
                            "`{text}` is no cost of a month. Write a name of one word, a sum or `?`, and a note, like \
                             `models 48 eight cores`."
                        ),
                    ),
                }
            }
        }
        CostsConfig {
            currency,
            per_usd,
            fixed,
            on_render: environment.get("RENDER").is_some(),
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 10^18 nano-dollars"
)]
fn line(text: &str, per_usd: f64) -> Option<FixedLine> {
    let mut words = text.split_whitespace();
    let (name, sum) = (words.next()?, words.next()?);
    let monthly = match sum {
        "?" => None,
        sum => {
            let sum = sum.parse::<f64>().ok().filter(|sum| (0.0..=MOST).contains(sum))?;
            Some((sum / per_usd * 1e9).round() as NanoUsd)
        }
    };
    Some(FixedLine {
        name: name.to_owned(),
        monthly,
        note: words.collect::<Vec<_>>().join(" "),
        assumed: false,
    })
}

impl Config {
    /// What reports of costs are made from. Of the defaults only what this configuration has.
    pub(crate) fn cost_plan(&self) -> CostPlan {
        let is_there = |line: &&FixedLine| !line.assumed || self.has(&line.name);
        CostPlan {
            currency: self.costs.currency.clone(),
            per_usd: self.costs.per_usd,
            fixed: self.costs.fixed.iter().filter(is_there).cloned().collect(),
            baseline: self.money.baseline.clone(),
            redis: self.limits.redis.is_some(),
            gives_again: self.cache.enabled && self.cache.common_queries,
            budgets: self.money.budgets.len(),
            prices_as_of: self.policy.catalogue.as_of.clone(),
        }
    }

    /// Does this configuration have a part that is paid for elsewhere?
    fn has(&self, part: &str) -> bool {
        match part {
            "page" => !self.server.frontend_url.is_empty(),
            "backend" => self.costs.on_render || self.database.is_shared(),
            "database" => self.database.is_shared(),
            "cache" => self.limits.redis.is_some(),
            "models" => {
                let elsewhere = |url: &url::Url| url.host_str().is_some_and(|host| !is_this_machine(host));
                let mut servers = self.upstream.servers.iter();
                servers.any(|server| !matches!(server.kind, UpstreamKind::Cloud(_)) && elsewhere(&server.url))
            }
            _ => true,
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
