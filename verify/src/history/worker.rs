//! One thread's handles of a real bus; every call through them is recorded.

use super::event::{
    Batch, By, Got, Leaving, Masking, Outcome, Receiving, Registering, Retaining, Sending, What,
};
use super::forms::{self, bytes_of, outcome, refusal, send_by_bus, send_by_sender};
use super::recorder::{Begun, Log, Recorder};
use crate::port::Port;
use smd_lockfree::{
    Bus, Class, ManualClock, Outgoing, ParticipantHandle, Policy, RegisterError, Retained, Sender,
};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the threads of one run share.
#[derive(Debug)]
pub struct World {
    /// The bus under test.
    pub bus: Bus,
    /// Moves its clock, if that is done by hand.
    pub hand: Option<ManualClock>,
    recorder: Arc<Recorder>,
    ids: AtomicU32,
    handles: Mutex<Vec<(u32, ParticipantHandle)>>,
}

impl World {
    /// A bus of which nothing has been recorded.
    pub fn new(bus: Bus, hand: Option<ManualClock>) -> Arc<World> {
        Arc::new(World {
            bus,
            hand,
            recorder: Arc::default(),
            ids: AtomicU32::new(0),
            handles: Mutex::default(),
        })
    }

    fn id(&self) -> u32 {
        // RELAXED: only uniqueness matters.
        self.ids.fetch_add(1, Ordering::Relaxed)
    }
}

/// A form of sending one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are those of the API")]
pub enum Form {
    Bus,
    Sender,
    Value,
    Format,
    Wait,
    Poll,
    Draft,
}

/// A form of receiving.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are those of the API")]
pub enum Take {
    Try,
    Timeout,
    Blocking,
    Spinning,
    Poll,
    Drain(usize),
}

/// The choices of a registration.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names are those of the API")]
pub struct Choices {
    pub mask: Class,
    pub policy: Policy,
    pub depth: u32,
    pub exclude_own: bool,
    pub retained: bool,
    pub polled: bool,
}

/// The handles and the log of one thread.
#[derive(Debug)]
pub struct Worker {
    world: Arc<World>,
    thread: u32,
    log: Log,
    messages: u64,
    senders: Vec<(Sender, Option<u32>)>,
    members: Vec<(u32, Port)>,
    entries: Vec<(u32, Retained)>,
}

impl Worker {
    /// A thread without handles.
    pub fn new(world: &Arc<World>, thread: u32) -> Worker {
        let log = Log::new(thread, &world.recorder, world.bus.clock());
        let world = Arc::clone(world);
        let (senders, members, entries) = (Vec::new(), Vec::new(), Vec::new());
        Worker { world, thread, log, messages: 0, senders, members, entries }
    }

    /// What it recorded; its handles go.
    pub fn finish(mut self) -> Log {
        while !self.members.is_empty() {
            self.drop_member(0);
        }
        self.log
    }

    /// How many participants it has.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// How many senders it has.
    pub fn senders(&self) -> usize {
        self.senders.len()
    }

    /// How many retained entries it has.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Whether it keeps the state of a whole class.
    pub fn retains_class(&self) -> bool {
        self.entries.iter().any(|(_, retained)| retained.key().is_empty())
    }

    /// How many events it has recorded.
    pub fn recorded(&self) -> usize {
        self.log.len()
    }

    fn payload(&mut self) -> u64 {
        self.messages += 1;
        u64::from(self.thread + 1) << 32 | self.messages
    }

    /// A sender; of one of its participants, or nobody's.
    pub fn add_sender(&mut self, of: Option<usize>) {
        let sender = match of {
            Some(member) => {
                let (id, port) = &self.members[member];
                (port.get().sender(), Some(*id))
            }
            None => (self.world.bus.sender(), None),
        };
        self.senders.push(sender);
    }

    /// Drops a sender.
    pub fn drop_sender(&mut self, sender: usize) {
        self.senders.swap_remove(sender);
    }

    /// Sends one message of `len` bytes; through the bus if there is no such sender.
    pub fn send(&mut self, form: Form, sender: usize, class: Class, len: usize) -> Outcome {
        let payload = self.payload();
        let bytes = bytes_of(payload, len);
        let bus = form == Form::Bus || sender >= self.senders.len();
        if form == Form::Draft {
            return self.draft(bus, sender, class, payload, &bytes);
        }
        let begun = self.log.begin();
        let (result, owner) = if bus {
            (send_by_bus(&self.world.bus, form, class, &bytes), None)
        } else {
            let (sender, owner) = &mut self.senders[sender];
            (send_by_sender(sender, form, class, &bytes), *owner)
        };
        self.note_send(begun, class, payload, owner, None, outcome(result))
    }

    fn note_send(
        &mut self,
        begun: Begun,
        class: Class,
        payload: u64,
        owner: Option<u32>,
        entry: Option<u32>,
        outcome: Outcome,
    ) -> Outcome {
        let sending = Sending { class, payload, owner, entry, outcome };
        self.log.note(begun, What::Send(sending));
        outcome
    }

    fn draft(
        &mut self,
        bus: bool,
        sender: usize,
        class: Class,
        payload: u64,
        bytes: &[u8],
    ) -> Outcome {
        let world = Arc::clone(&self.world);
        let begun = self.log.begin();
        // Out of the list, so that the log stays free while the draft borrows it.
        let held = (!bus).then(|| self.senders.swap_remove(sender));
        let (draft, owner) = match &held {
            Some((sender, owner)) => (sender.alloc(class, bytes.len()), *owner),
            None => (world.bus.alloc(class, bytes.len()), None),
        };
        let given = match &draft {
            Ok(Some(_)) => Outcome::Allocated,
            Ok(None) => Outcome::Unwanted,
            Err(error) => refusal(*error),
        };
        let mut came = self.note_send(begun, class, payload, owner, None, given);
        if let Ok(Some(mut draft)) = draft {
            draft.copy_from_slice(bytes);
            let begun = self.log.begin();
            let result = draft.send().map_err(|refused| refused.error);
            came = self.note_send(begun, class, payload, owner, None, outcome(result));
        }
        self.senders.extend(held);
        came
    }

    /// Sends messages of these classes and lengths in one batch.
    pub fn batch(&mut self, sender: usize, all: &[(Class, usize)]) {
        let messages: Vec<(Class, u64)> =
            all.iter().map(|(class, _)| (*class, self.payload())).collect();
        let bytes: Vec<Vec<u8>> =
            messages.iter().zip(all).map(|((_, id), (_, len))| bytes_of(*id, *len)).collect();
        let outgoing: Vec<Outgoing<'_>> = all
            .iter()
            .zip(&bytes)
            .map(|((class, _), bytes)| Outgoing::new(*class, bytes))
            .collect();
        let begun = self.log.begin();
        let (sender, owner) = &self.senders[sender];
        let (sent, stopped) = match sender.send_batch(&outgoing) {
            Ok(sent) => (sent, None),
            Err(error) => (error.sent, Some(refusal(error.error))),
        };
        let range = sent.first.zip(sent.last);
        let (queued, unwanted, owner) = (sent.queued, sent.unwanted, *owner);
        let batch = Batch { messages, owner, queued, unwanted, range, stopped };
        self.log.note(begun, What::Batch(batch));
    }

    /// Registers; `false`: the bus is closed.
    pub fn register(&mut self, choices: Choices) -> bool {
        let begun = self.log.begin();
        let result = (self.world.bus.participant().mask(choices.mask).policy(choices.policy))
            .depth(choices.depth)
            .exclude_own(choices.exclude_own)
            .retained(choices.retained)
            .register();
        let id = self.world.id();
        let number = match &result {
            Ok(participant) => Some(participant.since()),
            Err(RegisterError::Closed) => None,
            Err(other) => panic!("a registration that is in order was refused: {other:?}"),
        };
        let Choices { mask, policy, depth, exclude_own, retained, polled } = choices;
        let participant = id;
        let registering =
            Registering { participant, mask, policy, depth, exclude_own, retained, number };
        self.log.note(begun, What::Register(registering));
        if let Ok(participant) = result {
            let handle = participant.handle();
            let mut handles = self.world.handles.lock().unwrap_or_else(PoisonError::into_inner);
            handles.push((id, handle));
            drop(handles);
            let port = Port::new(participant, polled).expect("a descriptor");
            self.members.push((id, port));
        }
        number.is_some()
    }

    /// Changes a mask.
    pub fn set_mask(&mut self, member: usize, mask: Class) {
        let (participant, port) = &mut self.members[member];
        let begun = self.log.begin();
        let number = port.get_mut().set_mask(mask).ok();
        let masking = Masking { participant: *participant, mask, number };
        self.log.note(begun, What::Mask(masking));
    }

    /// Ends a registration of this thread.
    pub fn leave(&mut self, member: usize) {
        let (participant, port) = self.members.swap_remove(member);
        let Port::Plain(port) = port else {
            // It can only be dropped.
            self.members.push((participant, port));
            return self.drop_member(self.members.len() - 1);
        };
        let begun = self.log.begin();
        let number = Some(port.leave());
        self.log.note(begun, What::Leave(Leaving { participant, number, by: By::Itself }));
    }

    /// Drops a participant.
    pub fn drop_member(&mut self, member: usize) {
        let (participant, port) = self.members.swap_remove(member);
        let begun = self.log.begin();
        drop(port);
        self.log.note(begun, What::Leave(Leaving { participant, number: None, by: By::Drop }));
    }

    /// Ends a registration of any thread, the `choice`-th of all that are known.
    pub fn leave_by_handle(&mut self, choice: usize) {
        let mut handles = self.world.handles.lock().unwrap_or_else(PoisonError::into_inner);
        if handles.is_empty() {
            return;
        }
        let index = choice % handles.len();
        let (participant, handle) = handles.swap_remove(index);
        drop(handles);
        let begun = self.log.begin();
        let number = handle.leave();
        self.log.note(begun, What::Leave(Leaving { participant, number, by: By::Handle }));
    }

    /// Receives; the last thing that came.
    pub fn receive(&mut self, member: usize, form: Take) -> Got {
        let (participant, port) = &mut self.members[member];
        let begun = self.log.begin();
        let log = &self.log;
        let mut all: Vec<(u64, Got)> = Vec::new();
        forms::receive(port.get_mut(), form, |got| all.push((log.moment(), got)));
        let last = all.last().map_or(Got::Empty, |(_, got)| *got);
        let participant = *participant;
        let whats =
            all.into_iter().map(|(seen, got)| What::Receive(Receiving { participant, seen, got }));
        self.log.note_all(begun, whats);
        last
    }

    /// Receives until there is nothing.
    pub fn exhaust(&mut self, member: usize) -> Got {
        loop {
            let got = self.receive(member, Take::Try);
            if matches!(got, Got::Empty | Got::Left | Got::Closed) {
                return got;
            }
        }
    }

    /// Sleeps for messages until the end.
    pub fn receive_to_the_end(&mut self, member: usize) {
        while !matches!(self.receive(member, Take::Blocking), Got::Left | Got::Closed) {}
    }

    /// Marks a class, or a key in it that only this worker has, as retained.
    pub fn retain(&mut self, class: Class, keyed: bool) {
        let entry = self.world.id();
        let key = format!("key {entry}");
        let begun = self.log.begin();
        let result = if keyed {
            self.world.bus.retain_key(class, key.as_bytes())
        } else {
            self.world.bus.retain(class)
        };
        let done = result.is_ok();
        self.log.note(begun, What::Retain(Retaining { entry, class, keyed, done }));
        self.entries.extend(result.ok().map(|retained| (entry, retained)));
    }

    /// Sends the state of an entry.
    pub fn send_state(&mut self, index: usize, len: usize) -> Outcome {
        let payload = self.payload();
        let bytes = bytes_of(payload, len);
        let begun = self.log.begin();
        let (entry, retained) = &self.entries[index];
        let (entry, class) = (*entry, retained.class());
        let result = retained.send(&bytes);
        self.note_send(begun, class, payload, None, Some(entry), outcome(result))
    }

    /// Clears an entry.
    pub fn clear(&mut self, index: usize) {
        let (entry, retained) = self.entries.swap_remove(index);
        let begun = self.log.begin();
        let was = retained.clear();
        assert!(was, "an entry that nobody else clears was gone");
        self.log.note(begun, What::Clear(entry));
    }

    /// Closes the bus.
    pub fn close(&mut self) {
        let begun = self.log.begin();
        let number = self.world.bus.close();
        self.log.note(begun, What::Close(number));
    }
}
