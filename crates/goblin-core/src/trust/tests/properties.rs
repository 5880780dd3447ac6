//! Every order of events and every failure at every point, over every kind of ladder: what must hold always.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::chat::{ChatRequest, Tool};

/// Something that happens next.
#[derive(Clone, Debug)]
enum Op {
    Say(Parsed),
    Ended,
    Failed(bool),
    /// The question at this place of those that are open is answered.
    Judge(usize, Heard),
    /// Milliseconds pass.
    Wait(u64),
    Found(Effect),
    /// Events nobody waits for: of a rung that is not asked, of a question that is not open.
    Stray(usize),
    Left,
}

fn piece() -> impl Strategy<Value = Parsed> {
    let word = prop_oneof![
        8 => "[a-z]{1,6}".prop_map(|w| format!(" {w}")),
        3 => Just(".".to_owned()),
        1 => Just("\n".to_owned()),
        1 => Just("  ".to_owned()),
        1 => Just(String::new()),
        1 => Just("\u{fffd}é😀".to_owned()),
        1 => "[a-z .]{20,200}",
    ];
    prop_oneof![
        12 => word.prop_map(|w| text(&w)),
        2 => Just(likely(" sure", -0.1)),
        2 => Just(Parsed::Reasoning { text: "hm.".into() }),
        1 => Just(call("t", "{}")),
        1 => Just(call("unknown", "{")),
        1 => Just(Parsed::Started),
        1 => prop_oneof![
            Just(FinishReason::Stop),
            Just(FinishReason::Length),
            Just(FinishReason::ToolCalls),
            Just(FinishReason::ContentFilter)
        ].prop_map(|reason| Parsed::Finished { reason }),
    ]
}

fn heard() -> impl Strategy<Value = Heard> {
    let good = prop_oneof![Just(0.99), Just(0.8), Just(0.6), Just(0.1), Just(f64::NAN)];
    let mass = prop_oneof![4 => Just(0.95), 1 => Just(0.2)];
    prop_oneof![
        6 => Just(probability(0.97)),
        6 => (good, mass).prop_map(|(value, mass)| Heard::Probability { value, mass, category: None }),
        1 => Just(Heard::Word),
        1 => Just(Heard::Failed),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        30 => piece().prop_map(Op::Say),
        4 => Just(Op::Ended),
        1 => any::<bool>().prop_map(Op::Failed),
        10 => (0..4_usize, heard()).prop_map(|(i, heard)| Op::Judge(i, heard)),
        2 => (1..400_u64).prop_map(Op::Wait),
        1 => prop_oneof![Just(Effect::Note), Just(Effect::KeepLocal)].prop_map(Op::Found),
        1 => (0..6_usize).prop_map(Op::Stray),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let last = prop_oneof![
        6 => Just(None),
        1 => Just(Some(Op::Left)),
        1 => Just(Some(Op::Found(Effect::Refuse)))
    ];
    (proptest::collection::vec(op(), 0..160), last).prop_map(|(mut ops, last)| {
        ops.extend(last);
        ops
    })
}

fn authority() -> impl Strategy<Value = Authority> {
    prop_oneof![3 => Just(Authority::Grant), 1 => Just(Authority::None)]
}

fn ladder() -> impl Strategy<Value = Vec<Rung>> {
    let rung = (
        any::<bool>(),
        prop_oneof![Just(None), (0.1..1.0).prop_map(Some)],
        any::<bool>(),
        proptest::option::of((authority(), authority())),
        proptest::collection::vec((authority(), any::<bool>()), 0..3),
    );
    proptest::collection::vec(rung, 1..5).prop_map(|rungs| {
        let all = rungs.into_iter().enumerate();
        all.map(|(i, (is_local, quality, priced, safety, confidence))| {
            let of = |(authority, self_judged)| Judge {
                authority,
                self_judged,
            };
            Rung {
                local: is_local,
                quality,
                price: priced.then_some(Price {
                    input_usd: 0.001,
                    output_usd: 0.002,
                }),
                answer_tokens: 20,
                safety: safety.map(|(quick, thorough)| SafetyJudge { quick, thorough }),
                confidence: confidence.into_iter().map(of).collect(),
                ..local(&format!("m{i}"), 0.0)
            }
        })
        .collect()
    })
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let verify = prop_oneof![
        4 => Just(VerifyMode::Hold),
        1 => Just(VerifyMode::Optimistic),
        1 => Just(VerifyMode::Final),
        1 => Just(VerifyMode::Off)
    ];
    let limits = (
        1..4_u32,
        proptest::option::of(1..3000_u64),
        proptest::option::of(0.0..0.3),
    );
    let flags = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop_oneof![5 => Just(true), 1 => Just(false)],
    );
    (verify, limits, flags).prop_map(|(verify, (max_steps, deadline_ms, max_cost_usd), flags)| {
        let (events, confidence, local_only, escalate) = flags;
        Settings {
            verify,
            max_steps,
            deadline_ms,
            max_cost_usd,
            events,
            confidence,
            local_only,
            escalate,
            judge_timeout_ms: 1000,
            max_answer_bytes: 2000,
            ..settings()
        }
    })
}

/// A driver that does what it is told, and looks whether that is right.
struct World {
    cascade: Cascade,
    settings: Settings,
    rungs: Vec<Rung>,
    prompt_acts: bool,
    now: u64,
    running: Option<usize>,
    open: BTreeMap<AskId, Ask>,
    /// Everything each rung said.
    said: BTreeMap<usize, String>,
    tokens: BTreeMap<usize, u32>,
    most: BTreeMap<usize, Option<u32>>,
    answered: BTreeSet<usize>,
    /// Bytes of each rung's text somebody with authority found safe.
    safe: BTreeMap<usize, usize>,
    prompt_safe: bool,
    /// A safety judge turned out to write words only.
    words: bool,
    kept_local: bool,
    /// What the reader sees, and whose it is.
    seen: String,
    whose: Option<usize>,
    ever: BTreeSet<usize>,
    ended: Option<End>,
}

impl World {
    fn new(settings: Settings, rungs: Vec<Rung>, prompt: Option<Judge>) -> Option<Self> {
        let form = Form::of(&ChatRequest {
            tools: vec![Tool {
                name: "t".into(),
                description: None,
                parameters: serde_json::Value::Null,
                strict: None,
            }],
            ..ChatRequest::default()
        });
        let cascade = Cascade::new(settings.clone(), rungs.clone(), prompt, Arc::new(form)).ok()?;
        let acts = prompt.is_some_and(|j| j.authority.acts()) && settings.verify != VerifyMode::Off;
        Some(Self {
            cascade,
            settings,
            rungs,
            prompt_acts: acts,
            now: 0,
            running: None,
            open: BTreeMap::new(),
            said: BTreeMap::new(),
            tokens: BTreeMap::new(),
            most: BTreeMap::new(),
            answered: BTreeSet::new(),
            safe: BTreeMap::new(),
            prompt_safe: false,
            words: false,
            kept_local: false,
            seen: String::new(),
            whose: None,
            ever: BTreeSet::new(),
            ended: None,
        })
    }

    fn on(&mut self, event: Event) {
        let mut out = Vec::new();
        self.cascade.on(self.now, event, &mut out);
        for action in out {
            assert!(self.ended.is_none(), "after the end: {action:?}");
            self.look_at(action);
        }
    }

    fn look_at(&mut self, action: Action) {
        match action {
            Action::Start { rung, max_tokens } => self.started(rung, max_tokens),
            Action::Cancel { rung } => {
                assert_eq!(self.running.take(), Some(rung), "only what runs is stopped");
            }
            Action::Ask { id, ask } => assert!(self.open.insert(id, ask).is_none()),
            Action::Unask(id) => assert!(self.open.remove(&id).is_some()),
            Action::Release { rung, parsed } => self.released(rung, parsed),
            Action::Supersede { shown, by } => {
                assert!(self.settings.events && self.whose == Some(shown) && shown != by);
                self.seen.clear();
                self.whose = None;
            }
            Action::Retract { rung } => {
                assert!(self.settings.events && self.whose == Some(rung));
                self.seen.clear();
                self.whose = None;
            }
            Action::End(end) => self.ended(end),
            Action::Checking { .. } | Action::StepEnded { .. } | Action::Note(_) => {}
        }
    }

    fn started(&mut self, rung: usize, max_tokens: Option<u32>) {
        assert_eq!(self.running.replace(rung), None, "one at a time");
        let elsewhere = !self.rungs[rung].local;
        assert!(!(elsewhere && (self.settings.local_only || self.kept_local)));
        assert!(
            self.most.insert(rung, max_tokens).is_none(),
            "nobody is asked twice"
        );
        assert!((self.answered.len() as u32) < self.settings.max_steps);
        assert!(self.settings.deadline_ms.is_none_or(|d| self.now < d));
        let priced = self.rungs[rung].price.is_some() || !elsewhere;
        assert!(priced || self.settings.max_cost_usd.is_none());
    }

    fn released(&mut self, rung: usize, parsed: Parsed) {
        assert!(
            !self.prompt_acts || self.prompt_safe || self.words,
            "before the verdict about the question"
        );
        assert!(
            self.whose.is_none_or(|whose| whose == rung),
            "two answers at once"
        );
        self.whose = Some(rung);
        self.ever.insert(rung);
        assert!(
            self.settings.events || self.ever.len() == 1,
            "a plain client sees one answer"
        );
        match parsed {
            Parsed::Text { text, .. } => self.seen.push_str(&text),
            Parsed::ToolCall { name, .. } => assert_eq!(name.as_deref(), Some("t")),
            _ => {}
        }
        let said = &self.said[&rung];
        assert!(
            said.starts_with(&self.seen),
            "{:?} is not the beginning of {said:?}",
            self.seen
        );
        if self.settings.verify == VerifyMode::Hold {
            self.assert_verified(rung);
        }
    }

    /// Everything seen was found safe, where somebody can say so.
    fn assert_verified(&self, rung: usize) {
        let acts = self.rungs[rung].safety.is_some_and(|judge| judge.acts());
        let blank = self.seen.trim().is_empty();
        if acts && !self.words && !blank {
            let safe = self.safe.get(&rung).copied().unwrap_or(0);
            assert!(
                self.seen.len() <= safe,
                "{} of {safe} verified bytes",
                self.seen.len()
            );
        }
    }

    fn ended(&mut self, end: End) {
        assert!(self.open.is_empty(), "questions are left: {:?}", self.open);
        assert_eq!(self.running, None, "a rung still runs");
        match &end {
            End::Finished { rung, .. } => {
                let said = self.said.get(rung).cloned().unwrap_or_default();
                assert_eq!(self.seen, said, "the answer is whole");
                if self.settings.verify != VerifyMode::Off {
                    self.assert_verified(*rung);
                }
            }
            End::Rejected { shown, .. } | End::Failed { shown, .. } => {
                assert_eq!(*shown, self.whose.is_some());
            }
            End::Left => {}
        }
        if let Some(most) = self.settings.max_cost_usd {
            assert!(
                self.cascade.spent_usd() <= most + 1e-9,
                "{} of {most}",
                self.cascade.spent_usd()
            );
        }
        self.ended = Some(end);
    }

    fn say(&mut self, parsed: Parsed) {
        let Some(rung) = self.running else { return };
        let tokens = match &parsed {
            Parsed::Text { text, logprobs } if logprobs.is_empty() => window::likely_tokens(text),
            Parsed::Text { logprobs, .. } => logprobs.len() as u32,
            Parsed::Reasoning { text } => window::likely_tokens(text),
            Parsed::ToolCall { arguments, .. } => window::likely_tokens(arguments),
            _ => 0,
        };
        // A server stops at the limit it was given.
        let used = self.tokens.entry(rung).or_default();
        if self.most[&rung].is_some_and(|most| *used + tokens > most) {
            let reason = FinishReason::Length;
            self.on(Event::Said {
                rung,
                parsed: Parsed::Finished { reason },
            });
            return self.end_stream();
        }
        *used += tokens;
        if let Parsed::Text { text, .. } = &parsed {
            self.said.entry(rung).or_default().push_str(text);
        } else {
            self.said.entry(rung).or_default();
        }
        if parsed.is_content() {
            self.answered.insert(rung);
        }
        self.on(Event::Said { rung, parsed });
    }

    fn end_stream(&mut self) {
        if let Some(rung) = self.running.take() {
            self.answered.insert(rung);
            self.said.entry(rung).or_default();
            self.on(Event::Ended { rung });
        }
    }

    fn judge(&mut self, place: usize, heard: Heard) {
        let Some((id, ask)) = self.open.iter().nth(place).map(|(id, ask)| (*id, *ask)) else {
            return;
        };
        self.open.remove(&id);
        let safe = matches!(heard, Heard::Probability { value, mass, .. } if value >= 0.7 && mass >= 0.5);
        match ask {
            Ask::Prompt => self.prompt_safe |= safe,
            Ask::Safety { rung, upto, .. } if safe => {
                let known = self.safe.entry(rung).or_default();
                *known = upto.max(*known);
            }
            _ => {}
        }
        self.words |= heard == Heard::Word;
        self.on(Event::Judged { ask: id, heard });
    }

    fn play(&mut self, op: Op) {
        match op {
            Op::Say(parsed) => self.say(parsed),
            Op::Ended => self.end_stream(),
            Op::Failed(next_may_help) => {
                if let Some(rung) = self.running.take() {
                    self.on(Event::Failed { rung, next_may_help });
                }
            }
            Op::Judge(place, heard) => self.judge(place, heard),
            Op::Wait(ms) => {
                self.now += ms;
                if self.cascade.wake_at().is_some_and(|at| at <= self.now) {
                    self.on(Event::Tick);
                }
            }
            Op::Found(effect) => {
                self.kept_local |= effect == Effect::KeepLocal;
                self.on(Event::Found(Found {
                    about: About::Prompt,
                    rule: "rule".into(),
                    effect,
                }));
            }
            Op::Stray(rung) if self.running != Some(rung) => {
                let parsed = text("stray");
                self.on(Event::Said { rung, parsed });
                self.on(Event::Ended { rung });
                let ask = AskId(1000 + rung as u32);
                let heard = probability(0.0);
                self.on(Event::Judged { ask, heard });
            }
            Op::Stray(_) => {}
            Op::Left => self.on(Event::Left),
        }
    }

    /// Every stream ends, and time passes. Then everything must end.
    fn wind_down(&mut self) {
        for _ in 0..200 {
            if self.ended.is_some() {
                return;
            }
            if self.running.is_some() {
                self.end_stream();
            } else {
                let at = self.cascade.wake_at();
                self.now = at.expect("it waits for nothing");
                self.on(Event::Tick);
            }
        }
        panic!("it does not end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn whatever_happens(
        settings in any_settings(),
        rungs in ladder(),
        prompt in proptest::option::of(authority()),
        ops in ops(),
        asked_after in 0..2_usize,
    ) {
        let prompt = prompt.map(|authority| Judge { authority, self_judged: false });
        let Some(mut world) = World::new(settings, rungs, prompt) else { return Ok(()) };
        let (before, after) = ops.split_at(asked_after.min(ops.len()));
        for op in before {
            if let Op::Found(_) = op {
                world.play(op.clone());
            }
        }
        world.on(Event::Asked);
        for op in after {
            world.play(op.clone());
        }
        world.wind_down();
    }
}
