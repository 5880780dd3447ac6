//! One answer on its way out: tokens in, events out.

use std::collections::VecDeque;

use goblin_core::event::{ChatEvent, FinishReason, Parsed, TokenLogprob, Usage};
use goblin_core::id::Ids;
use goblin_core::provider::ProviderError;
use tokio::sync::mpsc;

use crate::output::{OutputParser, Piece};
use crate::stop::StopFilter;
use crate::text::Utf8Joiner;

/// What the channel to a [`goblin_core::provider::ChatStream`] carries.
pub(crate) type Event = Result<ChatEvent, ProviderError>;

/// Takes the bytes of each token and sends what is certain.
pub(crate) struct Answer {
    events: mpsc::Sender<Event>,
    joiner: Utf8Joiner,
    stop: StopFilter,
    parser: OutputParser,
    ids: Ids,
    /// Bytes of whole text that came in and that left the stop filter.
    joined: usize,
    released: usize,
    /// Log-probabilities that wait for their text: where their text ends, and the entry.
    likelihoods: VecDeque<(usize, TokenLogprob)>,
    calls: u32,
    reasoning_tokens: u32,
    /// Memory used again for each token.
    whole: String,
    certain: String,
    pieces: VecDeque<Piece>,
}

impl Answer {
    pub(crate) fn new(events: mpsc::Sender<Event>, stop: StopFilter, parser: OutputParser, ids: Ids) -> Self {
        Self {
            events,
            joiner: Utf8Joiner::default(),
            stop,
            parser,
            ids,
            joined: 0,
            released: 0,
            likelihoods: VecDeque::new(),
            calls: 0,
            reasoning_tokens: 0,
            whole: String::new(),
            certain: String::new(),
            pieces: VecDeque::new(),
        }
    }

    /// Has the reader gone?
    pub(crate) fn is_abandoned(&self) -> bool {
        self.events.is_closed()
    }

    /// Sends [`Parsed::Started`].
    pub(crate) fn start(&mut self) {
        self.send(Parsed::Started);
    }

    /// Adds a token's bytes. `true`: a stop text was found.
    pub(crate) fn token(&mut self, bytes: &[u8], likelihood: Option<TokenLogprob>) -> bool {
        if self.parser.is_thinking() {
            self.reasoning_tokens += 1;
        }
        self.whole.clear();
        self.certain.clear();
        self.joiner.push(bytes, &mut self.whole);
        self.joined += self.whole.len();
        if let Some(likelihood) = likelihood {
            // A token that ends inside a character belongs to the text that completes it.
            let end = self.joined + usize::from(self.joiner.waiting() > 0);
            self.likelihoods.push_back((end, likelihood));
        }
        let stopped = self.stop.push(&self.whole, &mut self.certain);
        self.release(false);
        stopped
    }

    /// Ends the answer: sends what was held back (unless a stop text ended it), the reason and the usage.
    pub(crate) fn finish(mut self, reason: FinishReason, mut usage: Usage) {
        self.certain.clear();
        self.stop.finish(&mut self.certain);
        self.release(true);
        let reason = if self.calls > 0 && reason == FinishReason::Stop {
            FinishReason::ToolCalls
        } else {
            reason
        };
        usage.reasoning_tokens = self.reasoning_tokens;
        self.send(Parsed::Finished { reason });
        self.send(Parsed::Usage(usage));
    }

    /// Ends the answer with an error.
    pub(crate) fn fail(self, error: ProviderError) {
        // A reader that has gone needs no error.
        let _ = self.events.try_send(Err(error));
    }

    /// Sends what is in `certain`; at the end also what the parser holds.
    fn release(&mut self, last: bool) {
        self.released += self.certain.len();
        if self.parser.is_plain() {
            let ready = self.likelihoods_until(self.released);
            if !self.certain.is_empty() || !ready.is_empty() {
                let text = self.certain.clone();
                self.send(Parsed::Text {
                    text,
                    logprobs: ready,
                });
            }
            return;
        }
        let mut pieces = std::mem::take(&mut self.pieces);
        self.parser.push(&self.certain, &mut pieces);
        if last {
            self.parser.finish(&mut pieces);
        }
        for piece in pieces.drain(..) {
            match piece {
                Piece::Text(text) => {
                    let end = self.parser.text_end();
                    // What came before this text became reasoning, a call or a marker: it has nowhere to go.
                    drop(self.likelihoods_until(end - text.len()));
                    let logprobs = self.likelihoods_until(end);
                    self.send(Parsed::Text { text, logprobs });
                }
                Piece::Reasoning(text) => self.send(Parsed::Reasoning { text }),
                Piece::Call { name, arguments } => {
                    let id = Some(format!("call_{}", self.ids.next_id()));
                    let index = self.calls;
                    self.calls += 1;
                    self.send(Parsed::ToolCall {
                        index,
                        id,
                        name: Some(name),
                        arguments,
                    });
                }
            }
        }
        self.pieces = pieces;
    }

    /// Takes the log-probabilities of tokens that end at or before byte `end` of the answer.
    fn likelihoods_until(&mut self, end: usize) -> Vec<TokenLogprob> {
        let ready = self.likelihoods.iter().take_while(|(at, _)| *at <= end).count();
        self.likelihoods.drain(..ready).map(|(_, entry)| entry).collect()
    }

    fn send(&mut self, parsed: Parsed) {
        // The channel holds the longest possible answer, so it is never full; a closed one means that the
        // reader has gone, which the decode loop sees before its next step.
        let _ = self.events.try_send(Ok(ChatEvent::from(parsed)));
    }
}

#[cfg(test)]
mod tests {
    use goblin_core::event::TopLogprob;

    use super::*;
    use crate::output::ToolStyle;

    fn answer(stops: &[&str]) -> (Answer, mpsc::Receiver<Event>) {
        parsed_answer(stops, OutputParser::new(None, false, false))
    }

    fn parsed_answer(stops: &[&str], parser: OutputParser) -> (Answer, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(100);
        let stop = StopFilter::new(stops.iter().map(|s| (*s).to_owned()));
        (Answer::new(sender, stop, parser, Ids::counting()), receiver)
    }

    /// The content of an answer made of `tokens`, and the tokens its log-probabilities name.
    fn content_and_tokens(parser: OutputParser, tokens: &[&str]) -> (String, String) {
        let (mut a, receiver) = parsed_answer(&["STOP"], parser);
        for token in tokens {
            assert!(!a.token(token.as_bytes(), entry(token)));
        }
        a.finish(FinishReason::Stop, Usage::default());
        let (mut content, mut named) = (String::new(), String::new());
        for event in events(receiver) {
            if let Parsed::Text { text, logprobs } = event {
                content.push_str(&text);
                logprobs.iter().for_each(|l| named.push_str(&l.chosen.token));
            }
        }
        (content, named)
    }

    fn entry(token: &str) -> Option<TokenLogprob> {
        let chosen = TopLogprob {
            token: token.to_owned(),
            logprob: -0.5,
            bytes: None,
        };
        Some(TokenLogprob {
            chosen,
            top_logprobs: Vec::new(),
        })
    }

    fn events(mut receiver: mpsc::Receiver<Event>) -> Vec<Parsed> {
        std::iter::from_fn(|| receiver.try_recv().ok())
            .map(|e| e.unwrap().parsed)
            .collect()
    }

    #[test]
    fn log_probabilities_travel_with_their_text() {
        let (mut a, receiver) = answer(&["END"]);
        assert!(!a.token(b"one", entry("one")));
        assert!(!a.token(b"E", entry("E")));
        assert!(!a.token(b"x", entry("x")));
        let half = "é".as_bytes();
        a.token(&half[..1], entry("a"));
        a.token(&half[1..], entry("b"));
        assert!(a.token(b"END", entry("END")));
        a.finish(FinishReason::Stop, Usage::default());
        let texts: Vec<(String, usize)> = events(receiver)
            .into_iter()
            .filter_map(|p| {
                if let Parsed::Text { text, logprobs } = p {
                    Some((text, logprobs.len()))
                } else {
                    None
                }
            })
            .collect();
        let expected = [("one", 1), ("Ex", 2), ("é", 2)];
        assert_eq!(texts, expected.map(|(t, n)| (t.to_owned(), n)));
    }

    #[test]
    fn log_probabilities_wait_while_the_parser_holds_text_back() {
        let hermes = || OutputParser::new(Some(ToolStyle::Hermes), false, false);
        let thinking = || OutputParser::new(None, true, false);
        let cases: [(OutputParser, &[&str], &str); 6] = [
            (hermes(), &["a", " <", "b", "> S", "T", "o"], "a <b> STo"),
            (hermes(), &["end", " <tool", "_"], "end <tool_"),
            (
                hermes(),
                &[
                    "Hi",
                    "<tool_call>",
                    "{\"name\":\"f\"}",
                    "</tool",
                    "_call>",
                    "\n",
                    "and",
                    " on",
                ],
                "Hiand on",
            ),
            (
                hermes(),
                &["<tool_call>", "no call", "</tool_call>", "x"],
                "no callx",
            ),
            (
                thinking(),
                &["<", "think", ">", "hm", "</think>", "\n\n", "Yes", "!"],
                "Yes!",
            ),
            (
                OutputParser::new(Some(ToolStyle::Llama3), false, false),
                &["{", "not", " json"],
                "{not json",
            ),
        ];
        for (parser, tokens, expected) in cases {
            let (content, named) = content_and_tokens(parser, tokens);
            assert_eq!(
                (content.as_str(), named.as_str()),
                (expected, expected),
                "{tokens:?}"
            );
        }
    }

    #[test]
    fn an_answer_ends_with_reason_and_usage() {
        let (mut a, receiver) = answer(&["END"]);
        a.start();
        a.token(b"so E", None);
        a.finish(
            FinishReason::Length,
            Usage {
                prompt_tokens: 3,
                ..Usage::default()
            },
        );
        let events = events(receiver);
        assert_eq!(events.len(), 5);
        assert!(
            matches!(&events[2], Parsed::Text { text, .. } if text == "E"),
            "{events:?}"
        );
        assert_eq!(
            events[3],
            Parsed::Finished {
                reason: FinishReason::Length
            }
        );
        assert!(matches!(events[4], Parsed::Usage(Usage { prompt_tokens: 3, .. })));
    }
}
