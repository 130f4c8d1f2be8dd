//! An epoll with one descriptor in it.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

/// Waits until its one descriptor is readable.
#[derive(Debug)]
pub(super) struct Alone(OwnedFd);

impl Alone {
    pub(super) fn new(descriptor: &impl AsFd) -> Result<Alone, String> {
        let text = |error: Errno| error.to_string();
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(text)?;
        epoll::add(&epoll, descriptor, EventData::new_u64(0), EventFlags::IN).map_err(text)?;
        Ok(Alone(epoll))
    }

    #[inline]
    pub(super) fn wait(&self) -> Result<(), String> {
        match epoll::wait(&self.0, &mut [MaybeUninit::uninit()], None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}
