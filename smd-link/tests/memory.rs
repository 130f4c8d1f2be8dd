//! Once it stands, a session asks for no memory, whatever comes and however much.

mod common;

use common::{SINGLE, Side, connections};
use smd_link::lws::{client, proxy};
use smd_lockfree::{Class, Timestamp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // At the end of a thread the cell may be gone, and nobody asks any more.
    let _ = ALLOCATIONS.try_with(|cell| cell.set(cell.get() + 1));
}

// SAFETY: every call goes on to the system's allocator as it came; the count is a cell of the thread
// that needs no memory of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises about all three are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises about both are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn a_session_that_stands_allocates_nothing() {
    let connection = &connections(SINGLE)["conn1"];
    let now = Timestamp::from_nanos(5_000_000_000);
    let (from_client, from_proxy) =
        (connection.stream(Side::Client), connection.stream(Side::Proxy));
    let mut proxy = proxy::Session::new(now);
    let mut client = client::Session::new(now, 1, Class::ALL);
    let body = [0; 368];
    let before = allocations();
    assert!(before > 2, "the count counts: {before}");

    let (mut received, mut sent, mut refused) = (0, 0, 0);
    for piece in from_client.chunks(1000) {
        let mut input = piece;
        while let Some(event) = proxy.next(now, &mut input).unwrap() {
            received += u64::from(matches!(event, proxy::Event::Message { .. }));
        }
        // More than is ever written: the queue fills, and stays as large as it is.
        for _ in 0..4 {
            match proxy.send(now, Class::NETWORK, 1, &body) {
                Ok(()) => sent += 1,
                Err(_) => refused += 1,
            }
        }
        proxy.written(500);
        proxy.peer_read_all();
    }
    for piece in from_proxy.chunks(777) {
        let mut input = piece;
        while client.next(now, &mut input).unwrap().is_some() {}
        let _ = client.send(now, Class::NETWORK, &body);
        client.written(100);
        client.peer_read_all();
    }
    assert_eq!(allocations(), before);
    assert!(received == 5828 && sent > 100 && refused > 100, "{received} {sent} {refused}");
    assert_eq!(client.counts().received, 2937);
}
