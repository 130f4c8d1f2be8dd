use super::*;

fn frame(len: usize) -> Vec<u8> {
    vec![len as u8; len - FRAME_HEAD]
}

/// Pushes a frame of `len` bytes, head and all.
fn push(outbox: &mut Outbox, len: usize) -> Result<(), PushError> {
    outbox.push(0x55, &[&frame(len)])
}

#[test]
fn a_batch_is_whole_frames_and_the_next_waits_for_the_peer() {
    let mut outbox = Outbox::new(8192);
    for _ in 0..6 {
        push(&mut outbox, 500).unwrap();
    }
    assert_eq!(outbox.output().len(), 2000);
    outbox.written(2000);
    assert!(outbox.output().is_empty() && outbox.awaits_peer());
    push(&mut outbox, 48).unwrap();
    assert!(outbox.output().is_empty(), "frames keep their order");
    outbox.peer_read_all();
    assert_eq!(outbox.output().len(), 1048);
    assert!(!outbox.awaits_peer());
}

#[test]
fn a_batch_that_is_not_full_grows_while_it_is_unread() {
    let mut outbox = Outbox::new(8192);
    push(&mut outbox, 1000).unwrap();
    outbox.written(1000);
    push(&mut outbox, 1000).unwrap();
    assert_eq!(outbox.output().len(), 1000, "2000 unread at most");
    outbox.written(1000);
    push(&mut outbox, 49).unwrap();
    assert!(outbox.output().is_empty());
    outbox.peer_read_all();
    assert_eq!(outbox.output().len(), 49);
}

#[test]
fn exactly_the_limit_is_a_batch_and_one_more_byte_is_no_frame() {
    let mut outbox = Outbox::new(0);
    push(&mut outbox, 2048).unwrap();
    assert_eq!(outbox.output().len(), 2048);
    let error = PushError::Full { need: 3, room: 0, limit: 2048 };
    assert_eq!(push(&mut outbox, 3), Err(error));
    outbox.written(2048);
    let error = PushError::TooLong { len: 2049, max: 2048 };
    assert_eq!(push(&mut outbox, 2049), Err(error));
    assert_eq!(outbox.push(1, &[&[0; 70_000]]), Err(PushError::TooLong { len: 70_003, max: 2048 }));
    assert_eq!((outbox.queued(), outbox.room()), (0, 2048));
}

#[test]
fn a_full_queue_refuses_keeps_what_it_has_and_takes_more_when_it_is_written() {
    let mut outbox = Outbox::new(2048);
    for _ in 0..4 {
        push(&mut outbox, 500).unwrap();
    }
    assert_eq!(push(&mut outbox, 49), Err(PushError::Full { need: 49, room: 48, limit: 2048 }));
    assert_eq!(outbox.queued(), 2000);
    outbox.written(1);
    push(&mut outbox, 49).unwrap();
    assert_eq!(outbox.room(), 0);
    assert_eq!(outbox.output().len(), 1999, "the rest of the batch alone");
}

#[test]
fn a_batch_that_is_written_in_part_goes_on_where_it_stopped() {
    let mut outbox = Outbox::new(8192);
    push(&mut outbox, 700).unwrap();
    push(&mut outbox, 700).unwrap();
    let whole = outbox.output().to_vec();
    outbox.written(300);
    assert_eq!(outbox.output(), &whole[300..]);
    outbox.peer_read_all();
    assert_eq!(outbox.output(), &whole[300..]);
    push(&mut outbox, 900).unwrap();
    assert_eq!(outbox.output().len(), 1100 + 900, "the 300 are read");
    outbox.written(usize::MAX);
    assert_eq!((outbox.output(), outbox.queued()), (&b""[..], 0));
}

#[test]
fn the_bytes_come_out_in_order_however_often_they_are_moved() {
    let mut outbox = Outbox::new(2048);
    let (mut expected, mut seen) = (Vec::new(), Vec::<u8>::new());
    let (mut moved, mut last) = (0, 0);
    for round in 0..2000_usize {
        let body = vec![round as u8; round * 7 % 400];
        while outbox.push(0xad, &[&body]).is_err() {
            let take = outbox.output().len().min(1 + round % 900);
            seen.extend(&outbox.output()[..take]);
            outbox.written(take);
            if outbox.output().is_empty() {
                outbox.peer_read_all();
            }
        }
        moved += usize::from(outbox.end < last);
        last = outbox.end;
        expected.extend([0xad, (body.len() >> 8) as u8, body.len() as u8]);
        expected.extend(&body);
    }
    while outbox.queued() > 0 {
        seen.extend(outbox.output());
        outbox.written(usize::MAX);
        outbox.peer_read_all();
    }
    assert!(moved > 10, "{moved} times");
    assert_eq!(seen, expected);
}

#[test]
fn a_frame_that_lacks_one_byte_at_the_end_of_the_memory_moves_the_others() {
    let mut outbox = Outbox::new(2048);
    push(&mut outbox, 2048).unwrap();
    outbox.written(2047);
    push(&mut outbox, 2046).unwrap();
    assert_eq!(outbox.buffer.len() - outbox.end, 2);
    outbox.peer_read_all();
    outbox.written(2);
    assert_eq!(outbox.room(), 3);
    push(&mut outbox, 3).unwrap();
    assert_eq!((outbox.start, outbox.end), (0, 2048));
    assert_eq!(outbox.buffer[2045..2048], [0x55, 0, 0]);
}

#[test]
fn limits_are_kept_in_bounds_and_errors_name_them() {
    assert_eq!(Outbox::new(0).room(), 2048);
    assert_eq!(Outbox::new(usize::MAX).room(), MAX_QUEUE);
    let full = PushError::Full { need: 5, room: 4, limit: 2048 };
    let text = "a frame of 5 bytes, where 4 of the 2048 bytes of the queue are free";
    assert_eq!(full.to_string(), text);
}
