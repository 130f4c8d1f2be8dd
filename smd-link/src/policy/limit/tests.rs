use super::*;

#[test]
fn values_read_and_show() {
    let read = [
        (Unit::Count, "0", 0),
        (Unit::Count, "007", 7),
        (Unit::Count, "4294967295", u32::MAX),
        (Unit::Bytes, "4096", 4096),
        (Unit::Bytes, "3KiB", 3072),
        (Unit::Bytes, "1GiB", 1 << 30),
        (Unit::Bytes, "3GiB", 3 << 30),
        (Unit::Millis, "0s", 0),
        (Unit::Millis, "0ms", 0),
        (Unit::Millis, "1500ms", 1500),
        (Unit::Millis, "2s", 2000),
    ];
    for (unit, text, value) in read {
        assert_eq!(unit.parse(text), Ok(value), "{text}");
        assert_eq!(unit.parse(&unit.show(value).to_string()), Ok(value), "{text}");
    }
    for (unit, text) in [
        (Unit::Count, ""),
        (Unit::Count, "1KiB"),
        (Unit::Count, "\u{661}"),
        (Unit::Bytes, "KiB"),
        (Unit::Bytes, "1kib"),
        (Unit::Millis, "2"),
        (Unit::Millis, "2 s"),
    ] {
        assert_eq!(unit.parse(text), Err(ValueError::Form), "{text}");
    }
    for (unit, text) in
        [(Unit::Count, "4294967296"), (Unit::Bytes, "4GiB"), (Unit::Millis, "4294968s")]
    {
        assert_eq!(unit.parse(text), Err(ValueError::TooLarge), "{text}");
    }
    let shown = |unit: Unit, value| unit.show(value).to_string();
    assert_eq!(shown(Unit::Bytes, 8 << 20), "8MiB");
    assert_eq!(shown(Unit::Bytes, 4097), "4097");
    assert_eq!(shown(Unit::Millis, 2001), "2001ms");
    assert_eq!(shown(Unit::Millis, 0), "0s");
}

#[test]
fn defaults_leave_room_for_others() {
    let default = Limit::default_value;
    let longest = smd_lockfree::wire::MAX_MESSAGE as u32;
    assert!(default(Limit::PeerQueuedMessages) * longest <= default(Limit::PeerQueuedBytes));
    for (peer, uid) in [
        (Limit::PeerQueuedBytes, Limit::UidQueuedBytes),
        (Limit::PeerQueuedMessages, Limit::UidQueuedMessages),
        (Limit::PeerMessagesPerSecond, Limit::UidMessagesPerSecond),
        (Limit::PeerMessageBurst, Limit::UidMessageBurst),
    ] {
        assert_eq!(default(peer) * 4, default(uid), "{}", peer.key());
    }
    assert_eq!(default(Limit::UidConnections) * 16, default(Limit::Connections));
    assert_eq!(default(Limit::UidConnectBurst), default(Limit::UidConnections));
    assert_eq!(default(Limit::Connections) * 2, default(Limit::Peers));
    assert_eq!(default(Limit::UidConnections) * 2, default(Limit::UidPeers));
    // The smallest queue takes any message with its frame.
    assert!(Limit::PeerQueuedBytes.min() >= longest + smd_lockfree::wire::FRAME_HEAD as u32);
}
