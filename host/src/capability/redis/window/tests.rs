use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::capability::PayloadForm;

struct Job(Commands);

impl HasCommands for Job {
    fn commands(&self) -> &Commands {
        &self.0
    }
}

/// One command for each word `key=value`.
fn job(words: &str) -> Job {
    let mut commands = Commands::default();
    for word in words.split(' ') {
        let (key, value) = word.split_once('=').unwrap();
        commands.begin_publish(key.as_bytes());
        commands.content().push(0, b"", Bytes::from(value.to_owned()), PayloadForm::Verbatim, b"");
        commands.end(0);
    }
    Job(commands)
}

/// The values in what was written.
fn values(outbox: &mut Outbox) -> String {
    let bytes = std::mem::take(outbox).into_bytes();
    let text = String::from_utf8(bytes).unwrap();
    text.split("*3\r\n").skip(1).map(|command| command.trim_end().rsplit("\r\n").next().unwrap()).collect()
}

fn settle(window: &mut Window<Job>, outcomes: &str) {
    for outcome in outcomes.chars() {
        window.settle(outcome == '+');
    }
}

#[test]
fn answers_settle_parcels_in_order() {
    let (mut window, mut outbox) = (Window::new(), Outbox::default());
    for words in ["a=1 b=2", "a=3"] {
        window.send(job(words), &mut outbox);
    }
    assert_eq!(values(&mut outbox), "123");
    settle(&mut window, "+");
    assert!(window.take_done().is_none() && !window.is_answered());
    settle(&mut window, "+");
    assert_eq!(window.take_done().unwrap().0.len(), 2);
    settle(&mut window, "+");
    assert_eq!(window.take_done().unwrap().0.len(), 1);
    assert!(window.is_answered() && window.is_open() && window.awaited().is_none());
}

#[test]
fn what_stands_behind_a_failure_of_its_key_is_sent_again_in_order() {
    let (mut window, mut outbox) = (Window::new(), Outbox::default());
    for words in ["a=1 b=2 a=3", "b=4", "a=5 c=6"] {
        window.send(job(words), &mut outbox);
    }
    values(&mut outbox);
    settle(&mut window, "-+++");
    assert!(!window.is_open());
    assert_eq!(window.take_done().unwrap().0.len(), 1, "b=4 waits for nobody");
    settle(&mut window, "++");
    assert!(window.is_answered() && window.take_done().is_none());
    window.resend(&mut outbox, false);
    assert_eq!(values(&mut outbox), "135");
    assert_eq!(window.awaited().unwrap().failures, 1);
    settle(&mut window, "+-");
    assert!(window.take_done().is_none());
    settle(&mut window, "+");
    window.resend(&mut outbox, false);
    assert_eq!(values(&mut outbox), "35");
    settle(&mut window, "++");
    assert!(window.is_open());
    assert!(window.take_done().is_some() && window.take_done().is_some() && window.take_done().is_none());
}

#[test]
fn after_a_lost_connection_everything_that_is_not_answered_is_sent_again() {
    let (mut window, mut outbox) = (Window::new(), Outbox::default());
    for words in ["a=1 b=2 a=3", "b=4 a=5", "a=6"] {
        window.send(job(words), &mut outbox);
    }
    values(&mut outbox);
    settle(&mut window, "+-++");
    window.resend(&mut outbox, false);
    assert_eq!(values(&mut outbox), "2456", "a failure and what stands behind it go along");
    settle(&mut window, "++++");
    assert_eq!(std::iter::from_fn(|| window.take_done()).count(), 3);
    assert_eq!(window.len(), 0);
}

#[test]
fn a_command_can_be_tried_alone() {
    let (mut window, mut outbox) = (Window::new(), Outbox::default());
    for words in ["a=1 b=2 b=4", "c=3"] {
        window.send(job(words), &mut outbox);
    }
    settle(&mut window, "+");
    values(&mut outbox);
    for _ in 0..2 {
        window.resend(&mut outbox, true);
        assert_eq!(values(&mut outbox), "2", "also when it was lost again");
        assert!(!window.is_open(), "what is new stands behind what is held back");
    }
    settle(&mut window, "+");
    assert!(window.is_answered() && window.take_done().is_none());
    window.resend(&mut outbox, false);
    assert_eq!(values(&mut outbox), "43");
    assert!(window.is_open());
    settle(&mut window, "++");
    assert_eq!(std::iter::from_fn(|| window.take_done()).count(), 2);
}

#[derive(Debug, Clone)]
enum Step {
    /// A parcel with a command for each of these keys.
    Send(Vec<u8>),
    /// The server answers: whether the command is done.
    Answer(bool),
    /// The connection is lost, and a new one there. The server had carried out so much of what was not answered.
    Reconnect { carried_out: prop::sample::Index, alone: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::collection::vec(0..3_u8, 1..5).prop_map(Step::Send),
        8 => Just(Step::Answer(true)),
        2 => Just(Step::Answer(false)),
        1 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(carried_out, alone)| Step::Reconnect { carried_out, alone }),
    ];
    prop::collection::vec(step, 0..80)
}

/// A window with a server at its end.
struct Run {
    window: Window<Job>,
    outbox: Outbox,
    /// Commands that the server has and that are not answered: key and value.
    unanswered: VecDeque<(String, String)>,
    /// Every command that was carried out, by its key.
    carried_out: BTreeMap<String, Vec<u32>>,
    sent: u32,
    parcels: usize,
    settled: usize,
}

impl Run {
    fn new() -> Self {
        Self {
            window: Window::new(),
            outbox: Outbox::default(),
            unanswered: VecDeque::new(),
            carried_out: BTreeMap::new(),
            sent: 0,
            parcels: 0,
            settled: 0,
        }
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Send(keys) if self.window.is_open() => {
                let words: Vec<String> =
                    keys.iter().zip(self.sent..).map(|(key, value)| format!("{key}={value}")).collect();
                self.sent += keys.len() as u32;
                self.parcels += 1;
                self.window.send(job(&words.join(" ")), &mut self.outbox);
            }
            Step::Answer(is_done) => self.answer(is_done)?,
            Step::Reconnect { carried_out, alone } => {
                let count = carried_out.index(self.unanswered.len() + 1);
                for (key, value) in self.unanswered.drain(..).take(count) {
                    self.carried_out.entry(key).or_default().push(value.parse().unwrap());
                }
                self.unanswered.clear();
                self.window.resend(&mut self.outbox, alone);
            }
            Step::Send(_) => {}
        }
        self.write();
        if self.window.is_answered() && !self.window.is_open() {
            self.window.resend(&mut self.outbox, false);
            self.write();
        }
        prop_assert_eq!(self.window.awaiting(), self.unanswered.len());
        Ok(())
    }

    fn answer(&mut self, is_done: bool) -> Result<(), TestCaseError> {
        let Some((key, value)) = self.unanswered.pop_front() else { return Ok(()) };
        let awaited = self.window.awaited().expect("an answer is awaited for what was sent");
        prop_assert_eq!(awaited.commands.body_of(awaited.index), value.as_bytes());
        if is_done {
            self.carried_out.entry(key).or_default().push(value.parse().unwrap());
        }
        self.window.settle(is_done);
        while let Some(job) = self.window.take_done() {
            self.settled += 1;
            for index in 0..job.0.len() {
                let (key, value) = (job.0.key_of(index), job.0.body_of(index));
                let carried_out = &self.carried_out[str::from_utf8(key).unwrap()];
                prop_assert!(carried_out.contains(&str::from_utf8(&value).unwrap().parse().unwrap()), "settled unsent");
            }
        }
        Ok(())
    }

    /// What waits to be written is at the server.
    fn write(&mut self) {
        let text = String::from_utf8(std::mem::take(&mut self.outbox).into_bytes()).unwrap();
        for command in text.split("*3\r\n").skip(1) {
            let lines: Vec<&str> = command.split("\r\n").collect();
            self.unanswered.push_back((lines[3].to_owned(), lines[5].to_owned()));
        }
    }
}

proptest! {
    #[test]
    fn no_failure_and_no_lost_connection_loses_a_command_or_the_order_of_its_key(steps in steps()) {
        let mut run = Run::new();
        for step in steps {
            run.step(step)?;
        }
        // A server that takes everything ends it.
        let rounds = 4 * (run.sent as usize + 1);
        for _ in 0..rounds {
            run.step(Step::Answer(true))?;
        }
        prop_assert_eq!((run.window.len(), run.settled), (0, run.parcels));
        prop_assert_eq!(run.carried_out.values().flatten().collect::<std::collections::BTreeSet<_>>().len(), run.sent as usize);
        for (key, values) in &run.carried_out {
            // Whoever came too early comes again behind its predecessor.
            let mut last: Vec<u32> = Vec::new();
            for value in values {
                last.retain(|other| other != value);
                last.push(*value);
            }
            prop_assert!(last.is_sorted(), "key {}: {:?}", key, values);
        }
    }
}
