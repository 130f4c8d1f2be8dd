//! The memory of one frame: units of 16 bytes, each of which may begin a record.
//!
//! ```text
//!   unit:  | head (atomic u64) | time (u64) | payload ...          | next record ...
//!   byte:  0                   8            16                      a multiple of 16
//! ```
//!
//! A head is the only atomic word of a record. Everything else is plain memory that its claimer
//! writes before the head is stored (release) and that readers touch after they loaded it
//! (acquire): edge `log.publish`. The loom back end keeps the bytes in ordinary memory beside a
//! tracked cell for each unit, so that a missing edge is reported as the data race that it is.

/// Bytes in a unit: the smallest record, and what every record is padded to.
pub(crate) const UNIT: usize = 16;

#[cfg(not(smd_loom))]
pub(crate) use plain::{Memory, Slab, Spot};
#[cfg(smd_loom)]
pub(crate) use tracked::{Memory, Slab, Spot};

#[cfg(not(smd_loom))]
mod plain {
    use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
    use std::marker::PhantomData;
    use std::ptr::NonNull;

    use super::super::atomic::AtomicU64;
    use super::UNIT;

    // The memory is reached as `AtomicU64` heads and as bytes: both need this to hold.
    #[cfg(not(smd_shuttle))]
    const _: () = assert!(size_of::<AtomicU64>() == 8);

    /// One zeroed allocation, aligned to a pair of cache lines.
    #[derive(Debug)]
    pub(crate) struct Slab {
        memory: NonNull<u8>,
        units: u32,
        #[cfg(smd_shuttle)]
        heads: Box<[AtomicU64]>,
    }

    // SAFETY: the memory is owned; what may touch which byte when is the log's protocol.
    unsafe impl Send for Slab {}
    // SAFETY: shared access goes through the atomic heads and the unsafe methods below.
    unsafe impl Sync for Slab {}

    impl Slab {
        pub(crate) fn new(units: u32) -> Self {
            let layout = Self::layout(units);
            // SAFETY: the layout is not empty: a frame has at least one unit.
            let memory = unsafe { alloc_zeroed(layout) };
            let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout) };
            Self {
                memory,
                units,
                #[cfg(smd_shuttle)]
                heads: (0..units).map(|_| AtomicU64::new(0)).collect(),
            }
        }

        fn layout(units: u32) -> Layout {
            Layout::from_size_align(units.max(1) as usize * UNIT, 128).expect("a frame fits memory")
        }

        pub(crate) fn units(&self) -> u32 {
            self.units
        }

        /// Where the memory lies.
        #[inline(always)]
        pub(crate) fn memory(&self) -> Memory<'_> {
            Memory {
                base: self.memory,
                units: self.units,
                #[cfg(smd_shuttle)]
                heads: &self.heads,
                slab: PhantomData,
            }
        }

        /// Writes bytes into a record that nobody else may touch yet.
        ///
        /// # Safety
        /// `[at, at + bytes.len())` is in bounds, lies in a record that the caller has claimed and
        /// not published, and misses its head.
        #[inline(always)]
        pub(crate) unsafe fn write(&self, at: usize, bytes: &[u8]) {
            debug_assert!(at + bytes.len() <= self.units as usize * UNIT);
            // SAFETY: the caller's promise: in bounds, and exclusively ours.
            let to = unsafe { self.memory.as_ptr().add(at) };
            // A length that the compiler knows is a few moves, another one a call: the usual ones
            // are told apart.
            let from = bytes.as_ptr();
            // SAFETY: as above, for each length.
            unsafe {
                match bytes.len() {
                    0 => {}
                    8 => to.copy_from_nonoverlapping(from, 8),
                    16 => to.copy_from_nonoverlapping(from, 16),
                    32 => to.copy_from_nonoverlapping(from, 32),
                    64 => to.copy_from_nonoverlapping(from, 64),
                    len => to.copy_from_nonoverlapping(from, len),
                }
            }
        }

        /// Writes one word, native byte order.
        ///
        /// # Safety
        /// As for [`Slab::write`], and `at` is a multiple of 8.
        #[inline(always)]
        pub(crate) unsafe fn write_word(&self, at: usize, word: u64) {
            debug_assert!(at + 8 <= self.units as usize * UNIT && at.is_multiple_of(8));
            // SAFETY: the caller's promise: in bounds, aligned, exclusively ours.
            unsafe { self.memory.as_ptr().add(at).cast::<u64>().write(word) };
        }

        /// Makes the first `units` units zero again.
        ///
        /// # Safety
        /// The frame is private: its count was brought to 0 by the caller, or nobody saw it yet.
        pub(crate) unsafe fn clear(&self, units: u32) {
            let units = units.min(self.units) as usize;
            // SAFETY: in bounds, and private.
            unsafe { self.memory.as_ptr().write_bytes(0, units * UNIT) };
            #[cfg(smd_shuttle)]
            for head in &self.heads[..units] {
                head.store(0, super::super::atomic::Ordering::Relaxed);
            }
        }
    }

    /// Where a slab's memory lies: a copy, so that a loop over records keeps it in a register, whatever
    /// else is written meanwhile.
    #[derive(Clone, Copy)]
    pub(crate) struct Memory<'s> {
        base: NonNull<u8>,
        units: u32,
        #[cfg(smd_shuttle)]
        heads: &'s [AtomicU64],
        slab: PhantomData<&'s Slab>,
    }

    impl<'s> Memory<'s> {
        /// The head of the record that begins at `unit`.
        ///
        /// # Safety
        /// `unit` is below [`Slab::units`].
        #[inline(always)]
        pub(crate) unsafe fn head(self, unit: u32) -> &'s AtomicU64 {
            debug_assert!(unit < self.units);
            #[cfg(smd_shuttle)]
            {
                &self.heads[unit as usize]
            }
            #[cfg(not(smd_shuttle))]
            // SAFETY: in bounds (the caller's promise), aligned to 16, zeroed when made; the eight
            // bytes at a unit's start are only ever accessed as this atomic while shared.
            unsafe {
                &*self.base.as_ptr().add(unit as usize * UNIT).cast::<AtomicU64>()
            }
        }

        /// Reads one word of a published record.
        ///
        /// # Safety
        /// In bounds, aligned to 8, and in a record whose head the caller has seen published.
        #[inline(always)]
        pub(crate) unsafe fn word(self, at: usize) -> u64 {
            // SAFETY: the caller's promise; a published record is never written again while the
            // caller holds its frame.
            unsafe { self.base.as_ptr().add(at).cast::<u64>().read() }
        }

        /// Borrows bytes of a published record.
        ///
        /// # Safety
        /// In bounds, in a record whose head the caller has seen published, and the frame stays
        /// referenced for `'a`.
        #[inline(always)]
        pub(crate) unsafe fn bytes<'a>(self, at: usize, len: usize) -> &'a [u8] {
            debug_assert!(at + len <= self.units as usize * UNIT);
            // SAFETY: initialised (zeroed, then written before publication), never written again
            // while the frame is referenced.
            unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(at), len) }
        }
    }

    /// A unit of a slab, for a walk from record to record.
    #[derive(Clone, Copy)]
    pub(crate) struct Spot<'s> {
        at: NonNull<u8>,
        #[cfg(any(smd_shuttle, debug_assertions))]
        memory: Memory<'s>,
        slab: PhantomData<&'s Slab>,
    }

    impl<'s> Memory<'s> {
        /// The place of a unit.
        ///
        /// # Safety
        /// `unit` is below [`Slab::units`].
        #[inline(always)]
        pub(crate) unsafe fn spot(self, unit: u32) -> Spot<'s> {
            debug_assert!(unit < self.units);
            Spot {
                // SAFETY: in bounds, the caller's promise.
                at: unsafe { self.base.add(unit as usize * UNIT) },
                #[cfg(any(smd_shuttle, debug_assertions))]
                memory: self,
                slab: PhantomData,
            }
        }

        /// Which unit a place is.
        #[inline(always)]
        pub(crate) fn unit(self, spot: Spot<'_>) -> u32 {
            ((spot.at.as_ptr() as usize - self.base.as_ptr() as usize) / UNIT) as u32
        }
    }

    impl<'s> Spot<'s> {
        /// The place so many units further on.
        ///
        /// # Safety
        /// It is below [`Slab::units`].
        #[inline(always)]
        pub(crate) unsafe fn further(self, units: usize) -> Spot<'s> {
            self.check((units + 1) * UNIT);
            // SAFETY: in bounds, the caller's promise.
            Spot { at: unsafe { self.at.add(units * UNIT) }, ..self }
        }

        /// Checks, in a debug build, that so many bytes from here on lie in the slab.
        #[inline(always)]
        fn check(self, _bytes: usize) {
            #[cfg(debug_assertions)]
            {
                let from = self.at.as_ptr() as usize - self.memory.base.as_ptr() as usize;
                assert!(from + _bytes <= self.memory.units as usize * UNIT, "beyond the slab");
            }
        }

        /// The head of the record that begins here.
        #[inline(always)]
        pub(crate) fn head(self) -> &'s AtomicU64 {
            #[cfg(smd_shuttle)]
            {
                &self.memory.heads[self.memory.unit(self) as usize]
            }
            #[cfg(not(smd_shuttle))]
            // SAFETY: as in `Memory::head`.
            unsafe {
                self.at.cast::<AtomicU64>().as_ref()
            }
        }

        /// Reads the word `offset` bytes from here, in the record that begins here.
        ///
        /// # Safety
        /// As for [`Memory::word`].
        #[inline(always)]
        pub(crate) unsafe fn word(self, offset: usize) -> u64 {
            self.check(offset + 8);
            // SAFETY: the caller's promise.
            unsafe { self.at.add(offset).cast::<u64>().read() }
        }

        /// Borrows bytes of the record that begins here.
        ///
        /// # Safety
        /// As for [`Memory::bytes`].
        #[inline(always)]
        pub(crate) unsafe fn bytes<'a>(self, offset: usize, len: usize) -> &'a [u8] {
            self.check(offset + len);
            // SAFETY: the caller's promise.
            unsafe { std::slice::from_raw_parts(self.at.as_ptr().add(offset), len) }
        }
    }

    impl Drop for Slab {
        fn drop(&mut self) {
            // SAFETY: allocated in `new` with the same layout, freed once.
            unsafe { dealloc(self.memory.as_ptr(), Self::layout(self.units)) };
        }
    }
}

#[cfg(smd_loom)]
mod tracked {
    use loom::cell::UnsafeCell;

    use super::super::atomic::{AtomicU64, Ordering};
    use super::UNIT;

    /// The model's form: the same methods, every byte access reported to loom.
    pub(crate) struct Slab {
        heads: Box<[AtomicU64]>,
        bodies: Box<[UnsafeCell<()>]>,
        memory: Box<[std::cell::UnsafeCell<u64>]>,
    }

    /// As in the plain form.
    #[derive(Clone, Copy)]
    pub(crate) struct Spot<'s> {
        slab: &'s Slab,
        unit: u32,
    }

    impl<'s> Spot<'s> {
        pub(crate) unsafe fn further(self, units: usize) -> Spot<'s> {
            Spot { unit: self.unit + units as u32, ..self }
        }

        pub(crate) fn head(self) -> &'s AtomicU64 {
            &self.slab.heads[self.unit as usize]
        }

        pub(crate) unsafe fn word(self, offset: usize) -> u64 {
            // SAFETY: the caller's promise.
            unsafe { self.slab.word(self.unit as usize * UNIT + offset) }
        }

        pub(crate) unsafe fn bytes<'a>(self, offset: usize, len: usize) -> &'a [u8] {
            // SAFETY: the caller's promise.
            unsafe { self.slab.bytes(self.unit as usize * UNIT + offset, len) }
        }
    }

    /// As in the plain form.
    pub(crate) type Memory<'s> = &'s Slab;

    impl std::fmt::Debug for Slab {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "Slab({} units)", self.heads.len())
        }
    }

    // SAFETY: as for the plain form.
    unsafe impl Send for Slab {}
    // SAFETY: as for the plain form.
    unsafe impl Sync for Slab {}

    impl Slab {
        pub(crate) fn new(units: u32) -> Self {
            Self {
                heads: (0..units).map(|_| AtomicU64::new(0)).collect(),
                bodies: (0..units).map(|_| UnsafeCell::new(())).collect(),
                memory: (0..units * 2).map(|_| std::cell::UnsafeCell::new(0)).collect(),
            }
        }

        pub(crate) fn units(&self) -> u32 {
            self.heads.len() as u32
        }

        pub(crate) fn memory(&self) -> Memory<'_> {
            self
        }

        pub(crate) unsafe fn spot(&self, unit: u32) -> Spot<'_> {
            Spot { slab: self, unit }
        }

        pub(crate) fn unit(&self, spot: Spot<'_>) -> u32 {
            spot.unit
        }

        fn base(&self) -> *mut u8 {
            self.memory.as_ptr().cast_mut().cast()
        }

        fn written(&self, at: usize, len: usize) {
            for unit in at / UNIT..(at + len).div_ceil(UNIT) {
                self.bodies[unit].with_mut(|_| ());
            }
        }

        fn read(&self, at: usize, len: usize) {
            for unit in at / UNIT..(at + len).div_ceil(UNIT) {
                self.bodies[unit].with(|_| ());
            }
        }

        pub(crate) unsafe fn head(&self, unit: u32) -> &AtomicU64 {
            &self.heads[unit as usize]
        }

        pub(crate) unsafe fn write(&self, at: usize, bytes: &[u8]) {
            self.written(at, bytes.len());
            // SAFETY: as for the plain form.
            unsafe {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base().add(at), bytes.len());
            }
        }

        pub(crate) unsafe fn write_word(&self, at: usize, word: u64) {
            self.written(at, 8);
            // SAFETY: as for the plain form.
            unsafe { self.base().add(at).cast::<u64>().write(word) };
        }

        pub(crate) unsafe fn word(&self, at: usize) -> u64 {
            self.read(at, 8);
            // SAFETY: as for the plain form.
            unsafe { self.base().add(at).cast::<u64>().read() }
        }

        pub(crate) unsafe fn bytes<'a>(&self, at: usize, len: usize) -> &'a [u8] {
            self.read(at, len);
            // SAFETY: as for the plain form.
            unsafe { std::slice::from_raw_parts(self.base().add(at), len) }
        }

        pub(crate) unsafe fn clear(&self, units: u32) {
            let units = units.min(self.units());
            self.written(0, units as usize * UNIT);
            for unit in 0..units as usize {
                // RELAXED: private.
                self.heads[unit].store(0, Ordering::Relaxed);
                // SAFETY: private.
                unsafe { *self.memory[unit * 2].get() = 0 };
                // SAFETY: private.
                unsafe { *self.memory[unit * 2 + 1].get() = 0 };
            }
        }
    }
}
