//! The log: one append for each message, whatever the number of participants.
//!
//! A send claims room in the tail segment with one compare-and-swap, fills it and publishes it.
//! Each participant walks the segments with a cursor of its own that nobody else ever writes. The
//! window of live segments is short: a segment that leaves it is handed over, as a counted
//! reference or as a compact copy, to exactly those slow participants that still want something of
//! it; everybody else is not even looked at.
//!
//! ```text
//!                 low                              tail
//!                  |                                |
//!      retired     v         window                 v
//!   ...........[ segment ]->[ segment ]->[ segment ]->[ segment: claim word ]
//!        |          ^  sealed    ^ sealed     ^             ^
//!        |          |            |            |             `-- senders claim, fill, publish
//!        v          cursor of a  cursor of b  cursor of c
//!   spill of d: ref, chunk, ref, chunk  -- d is slow; it walks its spill, then goes on at low
//! ```
//!
//! # Words, states, who may change what
//!
//! | word | states | changed by |
//! |---|---|---|
//! | `frame.refs` | private (count 0), a life (tag, count) | `begin` by the owner; +1 by `acquire` with the right tag, or by a holder; -1 by a holder |
//! | `frame.claim` | open, sealed, sealed and closed | any holder, by compare-and-swap; never after it is sealed |
//! | `frame.next` | null, the successor | once, by a holder of a sealed segment |
//! | record head | 0, published | its claimer, once; in an open chunk by compare-and-swap (rule H4) |
//! | `tail`, `low` | a segment of the window | `tail`: any holder of the segment in it; `low`: the retirer |
//! | `retiring` | free, taken | the retirer (rule R1) |
//! | `record.next_sequence` | grows | its participant alone |
//! | `spill.taken` | grows | who takes or trims a node, by compare-and-swap (rule H2) |
//! | `spill.filled` | grows | the retirer alone |
//!
//! # Rules: frames
//!
//! - **F1** A frame at count 0 belongs to who brought it there, or to who took it from the pool.
//!   Only such an owner writes its words whole and clears its memory. Reuse waits for no epoch.
//! - **F2** A frame is *used* only by who holds a reference on it. A raw pointer (`tail`, `low`,
//!   `next`, a spill slot) is used under a pin, and only to acquire.
//! - **F3** `tail` and `low`: acquire whatever life is there, then load the pointer again; if it
//!   changed, release and start over. `next` of a held segment s: under the same pin, see that
//!   `low` is at most s+1, then acquire by the tag of s+1; only then is the frame surely not freed.
//! - **F4** Frames are freed only by the pool when it is full, and through the epoch.
//!
//! # Rules: sending
//!
//! - **S1** Claim: one compare-and-swap on the claim word of the tail. The word seen, or left there
//!   by this sender's own last claim, was loaded before the registry version was found current, so
//!   the claim comes after every change of the registry that touched the word.
//! - **S2** Between claim and publication: copy, no allocation, no user code. The class bits enter
//!   the union before the head is stored. A batch publishes its first record last, with release, and
//!   stores the other heads before, relaxed: every reader comes to them over the first.
//! - **S3** What does not fit seals the segment; everybody who finds it sealed may put the END
//!   marker, install the successor and swing the tail. The loser's frame goes back to the pool.
//! - **S4** The successor's base time is at least the segment's last time, so stamps never fall.
//! - **S5** Touch (register, change, leave, clear): one compare-and-swap that moves the time of the
//!   tail's claim word by a nanosecond. The sequence number there, N, is where the change holds
//!   from: a claim at N or later has seen what the toucher published before.
//! - **S6** With `max_segments` in the window no successor is installed: the send is refused,
//!   reason *stalled*.
//! - **S7** Progress: a claim is retried only because another claim, touch or seal succeeded.
//!
//! # Rules: reading
//!
//! - **P1** A cursor reads a segment only while it holds a reference on it; so does every borrow.
//! - **P2** Head 0: nothing yet (the record is claimed and not published, or not claimed). END: the
//!   segment is over. Readers never touch the claim word before END.
//! - **P3** Cross: `next_sequence` is stored first; then the successor is acquired (F3), `standing`
//!   is stored, a fence, and `low` is looked at again. Passed at either look: P4.
//! - **P4** Passed: look into the ring, **then** into the cell (what is dropped from the ring because it
//!   lies in the cell was put there before), and take what comes first, node by node. When both are
//!   empty: acquire `low`, see that they still are, **then** store `standing`, fence, and see that
//!   `low` is still there; then nothing wanted lies below `low`, and the cursor stands at its
//!   beginning. `standing` so never runs ahead of what is still in the ring.
//! - **P5** A sleeper keeps no reference: it remembers segment, place and number, and comes back
//!   by F3 or P4.
//!
//! # Rules: retiring
//!
//! - **R1** One retirer at a time, by a flag that is tried and never waited for. (A sender stopped
//!   between claim and publication stops retiring anyway, and that part of a send is longer than
//!   the share of retiring; the cap S6 bounds both.)
//! - **R2** The retirer takes the segment `low` while more than `KEEP` follow it, or while one does and
//!   everybody who may want something of it has come through it: sealed and every record published,
//!   else it stops. **Then** it loads the registry: who can want something of the
//!   segment registered before one of its records was claimed, so is in there.
//! - **R3** It hands the segment over to each participant of the classes in the union whose
//!   `next_sequence` is below the segment's end, **then** moves `low`, looks again at those whose
//!   rings it filled (rule H6), then releases.
//! - **R4** It never retires the tail.
//!
//! # Rules: handing over
//!
//! - **H1** A node is a counted reference if the participant wants at least a quarter of the
//!   segment's bytes, else copies in a chunk, with their numbers.
//! - **H2** Nodes are in one ring for each slow participant: filled by the retirer; taken by the
//!   participant, trimmed by the retirer, or swept by who ends the registration, each by one
//!   compare-and-swap on the index; who wins owns the node's reference.
//! - **H3** A node over segments a..=b is trimmed only if, after a fence, the participant stands
//!   before a; then it consumed nothing of it and never will. What was trimmed is written into the
//!   node that follows, before the index moves.
//! - **H4** The last chunk is open: the retirer appends by compare-and-swap of a head from 0; the
//!   participant that comes to its end puts END the same way. One of them wins. Nothing of a later
//!   segment goes into a chunk that begins where the participant stands or has stood: it came there
//!   through the window, so the chunk could never be trimmed (H3), nor what is behind it.
//! - **H6** The segment where the participant stands is left in a cell of its own, not in the ring:
//!   it may be half consumed, so it can never be trimmed, and must not keep the ring from being
//!   trimmed. What was put into the ring while the participant went into the segment is left in the
//!   cell too: the retirer fences and looks again when `low` has moved. When the participant has
//!   come to the segment in the cell, what the ring has of it and before it is dropped. What lies in
//!   the cell is replaced only when it was consumed.
//! - **H7** A participant is handed over to when its registration is placed: it has its N and holds
//!   the segment there. A retirer that finds it unplaced says so, fences, and looks again; who places
//!   it fences and looks whether something was missed: then it looks for a later N.
//! - **H5** After a push the retirer fences and looks whether the participant has left; then it
//!   sweeps. Who ends a registration sets `left`, fences, and sweeps.
//!
//! # Rules: limits
//!
//! - **L1** `limit[c]` of a registry snapshot: no backpressure participant that wants c can be full
//!   before that number. It starts at 0 with each snapshot and only grows.
//! - **L2** A sender at the limit counts, for each such participant, the unexpired wanted messages
//!   below its number: acquire `low`; then the spill, numbers below `low`'s first, looked at in the order
//!   in which a segment moves: ring, cell, participant; then the window hand over hand. Unpublished
//!   records count as wanted. A segment that is gone: again.
//!
//! # Edges
//!
//! | edge | release end | acquire end | carries |
//! |---|---|---|---|
//! | `log.publish` | `Frame::publish`; for a batch, of its first record | `Frame::head`, `At::head` | time, extra, payload, union bits; all of a batch |
//! | `log.end` | `Frame::mark_end` | `Frame::head` | the final claim word |
//! | `log.complete` | `Frame::set_complete` | `Frame::complete_union` | all union bits |
//! | `log.touch` | `Log::touch`, `Log::close` | `Log::load_claim` | registry and interest stored before the touch |
//! | `log.install` | store of `next`, swing of `tail` | loads of both | the successor's words |
//! | `log.low` | `Log::advance_low` | `Log::low_number`, `Log::acquire_low` | the spill filled before |
//! | `frame.refs` | `Frame::begin` | `Frame::acquire*` | the life's words, cleared memory |
//! | `frame.last` | `Frame::release` | its fence | every use of the frame |
//! | `arena.pool` | `Pool::put` | `Pool::take` | the private frame |
//! | `arena.far` | `Pool::make_far` | `Pool::far` | the empty cells |
//! | `arena.over` | `over` stored by the bus that goes | load of `over` by who frees | that nobody looks at frames |
//! | `spill.push` | store of `filled` | load of `filled` | the node |
//! | `spill.take` | exchange of `taken` | load of `taken` | the lost totals of the node that follows |
//! | `spill.stand` (fence) | `standing` stored, `low` loaded | `low` stored, `standing` loaded | rule H3 |
//! | `spill.stood` | the cell filled; emptied by its participant | the cell emptied; looked at | the segment, all of it; `current` |
//! | `spill.standing` | store of `standing` | its load | `next_sequence` stored before |
//! | `spill.ring` | store of `ring` | its load | the empty slots |
//! | `log.chunk` | append's exchange of a head | the participant's exchange, `Frame::head` | the copied record |
//! | `log.retire` | `retiring` given back | `retiring` taken | the retirer's notes |
//! | `spill.left` (fence) | `left` stored, ring swept | node filled, `left` loaded | rule H5 |

#![allow(unsafe_code)]

pub(crate) mod arena;
pub(crate) mod backlog;
pub(crate) mod cursor;
#[cfg(any(smd_loom, smd_shuttle))]
pub mod edges;
pub(crate) mod frame;
pub(crate) mod handover;
pub(crate) mod pool;
pub(crate) mod retire;
pub(crate) mod run;
pub(crate) mod spill;
pub(crate) mod tail;
pub(crate) mod word;
