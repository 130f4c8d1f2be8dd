//! A participant under test, with or without a descriptor.

use smd_lockfree::Participant;

/// What receives.
#[derive(Debug)]
pub(crate) enum Port {
    Plain(Participant),
    #[cfg(unix)]
    Polled(smd_lockfree::Descriptor),
}

impl Port {
    /// With a descriptor, where the system has them; the error says why there is none.
    pub(crate) fn new(participant: Participant, polled: bool) -> Result<Port, String> {
        #[cfg(unix)]
        if polled {
            let descriptor = participant.into_descriptor();
            return descriptor.map(Port::Polled).map_err(|error| error.to_string());
        }
        let _ = polled;
        Ok(Port::Plain(participant))
    }

    pub(crate) fn get(&self) -> &Participant {
        match self {
            Port::Plain(participant) => participant,
            #[cfg(unix)]
            Port::Polled(descriptor) => descriptor,
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut Participant {
        match self {
            Port::Plain(participant) => participant,
            #[cfg(unix)]
            Port::Polled(descriptor) => descriptor,
        }
    }
}
