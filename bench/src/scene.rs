//! One bus with its participants, and payloads ready to be sent: for what is measured of the bus alone.

use smd_lockfree::{Bus, Class, Clock, Participant, Sender, Sent};

use crate::payload::{LEN, Tally, fill};

/// What is sent to be received.
pub const WANTED: Class = Class::NETWORK;
/// What the uninterested want.
pub const OTHER: Class = Class::METRICS;
/// Messages that are sent at most before they are received, far below the backlog that a participant may have.
pub const ROUND: usize = 256;

/// A bus, those who want [`WANTED`] and those who want [`OTHER`]. A measurement takes what it needs apart.
#[derive(Debug)]
pub struct Scene {
    /// The bus.
    pub bus: Bus,
    /// A sender of it.
    pub sender: Sender,
    /// Those who want [`WANTED`].
    pub wanting: Vec<Participant>,
    /// Those who want [`OTHER`].
    pub others: Vec<Participant>,
    /// What [`Scene::fill`] has written.
    pub payloads: Box<[[u8; LEN]; ROUND]>,
    sent: u64,
    tallies: Vec<Tally>,
}

impl Scene {
    /// A bus with so many participants of either kind.
    ///
    /// # Errors
    /// If the bus refuses one.
    pub fn new(clock: Clock, wanting: usize, others: usize) -> Result<Scene, String> {
        let bus = Bus::builder().clock(clock).build().map_err(|error| error.to_string())?;
        let register = |mask, count| {
            let all: Result<Vec<_>, _> = (0..count).map(|_| bus.register(mask)).collect();
            all.map_err(|error| error.to_string())
        };
        Ok(Scene {
            sender: bus.sender(),
            wanting: register(WANTED, wanting)?,
            others: register(OTHER, others)?,
            payloads: Box::new([[0; LEN]; ROUND]),
            sent: 0,
            tallies: vec![Tally::default(); wanting],
            bus,
        })
    }

    /// Writes the payloads of the next `count` messages, at most [`ROUND`], for the caller to send all of them.
    pub fn fill(&mut self, count: usize) {
        for (payload, n) in self.payloads.iter_mut().take(count).zip(self.sent..) {
            fill(payload, n);
        }
        self.sent += count.min(ROUND) as u64;
    }

    /// Sends the next `count` messages, at most [`ROUND`].
    ///
    /// # Errors
    /// If one is refused, or not wanted.
    pub fn send(&mut self, class: Class, count: usize) -> Result<(), String> {
        self.fill(count);
        for payload in self.payloads.iter().take(count) {
            match self.sender.send(class, payload) {
                Ok(Sent::Queued(_)) => (),
                Ok(Sent::Unwanted) => return Err("a message was not wanted".to_owned()),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    /// Receives what is there: those who want it must have got all messages until now, and the others nothing.
    ///
    /// # Errors
    /// If a message was lost, out of order or damaged, or came to somebody who does not want it.
    pub fn check(&mut self) -> Result<(), String> {
        for (participant, tally) in self.wanting.iter_mut().zip(&mut self.tallies) {
            participant
                .drain(|message| tally.absorb(message.bytes()))
                .map_err(|error| error.to_string())?;
            tally.check(self.sent)?;
        }
        nothing_left(&mut self.others)
    }
}

/// Whether these participants have received everything.
///
/// # Errors
/// If not.
pub fn nothing_left(participants: &mut [Participant]) -> Result<(), String> {
    for participant in participants {
        match participant.drain(|_| ()) {
            Ok(0) => (),
            Ok(more) => return Err(format!("there were {more} messages more")),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_arrives_where_it_is_wanted() {
        let scene = Scene::new(Clock::manual().0, 2, 3);
        let Ok(mut scene) = scene else { panic!("{scene:?}") };
        for count in [1, ROUND] {
            assert_eq!(scene.send(WANTED, count), Ok(()));
            assert_eq!(scene.check(), Ok(()));
        }
        assert_eq!(scene.send(OTHER, 2), Ok(()));
        assert_eq!(nothing_left(&mut scene.others), Err("there were 2 messages more".to_owned()));
        assert!(scene.check().is_err());
        assert_eq!(scene.send(Class::INTERACTION, 1), Err("a message was not wanted".to_owned()));
    }
}
