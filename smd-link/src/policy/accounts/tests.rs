use super::*;
use crate::policy::{Rule, Section};
use proptest::prelude::*;
use smd_lockfree::Class;

const SECOND: u64 = 1_000_000_000;

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

fn user(uid: u32) -> Credentials {
    Credentials::new(uid, 100)
}

/// The default policy with some limits changed, for all uids.
fn limited(limits: &[(Limit, u32)]) -> PeerPolicy {
    let builder = PeerPolicy::builder();
    let set = |builder, &(limit, value): &(Limit, u32)| -> crate::policy::PolicyBuilder {
        crate::policy::PolicyBuilder::limit(builder, limit, value)
    };
    limits.iter().fold(builder, set).build().unwrap()
}

/// The refusal says which limit, its value, its key, and where that stands.
fn assert_reached(refused: Refusal, limit: Limit, value: u32) {
    let section = if limit.is_total() { Section::Top } else { Section::Default };
    let Refusal::Limit { limit: reached, value: told, .. } = refused else { panic!("{refused}") };
    assert_eq!((reached, told), (limit, value));
    assert_eq!((refused.key(), refused.section()), (Some(limit.key()), Some(section)));
    let text = refused.to_string();
    let value = limit.unit().show(value).to_string();
    assert!(text.contains(limit.key()) && text.contains(&value), "{text}");
    assert!(text.contains(limit.meaning()) && text.contains(&section.to_string()), "{text}");
}

#[test]
fn connections_of_a_uid() {
    let policy = limited(&[(Limit::UidConnections, 2)]);
    let accounts = Accounts::new();
    let connect = |uid| accounts.connect(&policy, &user(uid), at(0));
    let first = connect(1).unwrap();
    let _second = connect(1).unwrap();
    assert_reached(connect(1).unwrap_err(), Limit::UidConnections, 2);
    assert_eq!(accounts.usage(1).connections, 2);
    let _other = connect(2).expect("others notice nothing");
    drop(first);
    let _third = connect(1).expect("a place was given back");
    assert_eq!(accounts.total().connections, 3);
}

#[test]
fn connections_of_all() {
    let policy = limited(&[(Limit::Connections, 2)]);
    let accounts = Accounts::new();
    let connect = |uid| accounts.connect(&policy, &user(uid), at(0));
    let held = [connect(1).unwrap(), connect(2).unwrap()];
    assert_reached(connect(3).unwrap_err(), Limit::Connections, 2);
    assert_eq!(accounts.total().connections, 2);
    drop(held);
    assert!(connect(3).is_ok());
    assert_eq!(accounts.total(), Usage::default());
}

#[test]
fn attempts_to_connect() {
    let policy = limited(&[
        (Limit::UidConnectsPerSecond, 10),
        (Limit::UidConnectBurst, 2),
        (Limit::UidConnections, 1),
    ]);
    let accounts = Accounts::new();
    let connect = |uid, nanos| accounts.connect(&policy, &user(uid), at(nanos));
    let held = connect(1, 0).unwrap();
    assert_reached(connect(1, 0).unwrap_err(), Limit::UidConnections, 1);
    drop(held);
    // The attempt that was refused counted too; and going away helps nobody.
    let refused = connect(1, 0).unwrap_err();
    assert_reached(refused, Limit::UidConnectsPerSecond, 10);
    assert_eq!(refused.retry_at(), Some(at(SECOND / 10)));
    assert_eq!(connect(1, SECOND / 10 - 1).unwrap_err(), refused);
    assert!(connect(2, 0).is_ok(), "others notice nothing");
    assert!(connect(1, SECOND / 10).is_ok());
}

#[test]
fn who_may_nothing_is_not_counted() {
    let rule = Rule::new().receive(Class::NONE).send(Class::NONE);
    let policy = PeerPolicy::builder().uid(1, rule).build().unwrap();
    let accounts = Accounts::new();
    let refused = accounts.connect(&policy, &user(1), at(0)).unwrap_err();
    assert_eq!(refused, Refusal::NoAccess { uid: 1, section: Section::Uid(1) });
    assert!(accounts.is_empty());
}

#[test]
fn peers_of_a_uid_and_of_all() {
    let policy = limited(&[(Limit::UidPeers, 1), (Limit::Peers, 2)]);
    let accounts = Accounts::new();
    let connect = |uid| accounts.connect(&policy, &user(uid), at(0)).unwrap();
    let (a, b, c) = (connect(1), connect(2), connect(3));
    let peer = a.open().unwrap();
    assert_reached(a.open().unwrap_err(), Limit::UidPeers, 1);
    let _other = b.open().unwrap();
    assert_reached(c.open().unwrap_err(), Limit::Peers, 2);
    drop(a);
    let again = connect(1);
    assert_reached(again.open().unwrap_err(), Limit::UidPeers, 1);
    drop(peer);
    let back = again.open().unwrap();
    assert_eq!((accounts.usage(1).peers, accounts.total().peers), (1, 2));
    assert_reached(c.open().unwrap_err(), Limit::Peers, 2);
    drop(back);
    assert!(c.open().is_ok());
}

#[test]
fn the_queue_of_a_peer_and_of_a_uid() {
    let limits = [
        (Limit::PeerQueuedMessages, 3),
        (Limit::PeerQueuedBytes, 5000),
        (Limit::UidQueuedMessages, 4),
        (Limit::UidQueuedBytes, 6000),
    ];
    let policy = limited(&limits);
    let accounts = Accounts::new();
    let connection = accounts.connect(&policy, &user(1), at(0)).unwrap();
    let (a, b) = (connection.open().unwrap(), connection.open().unwrap());
    let mut held = vec![a.charge_queue(4000).unwrap()];
    assert_reached(a.charge_queue(1001).unwrap_err(), Limit::PeerQueuedBytes, 5000);
    assert_reached(a.charge_queue(usize::MAX).unwrap_err(), Limit::PeerQueuedBytes, 5000);
    assert_reached(b.charge_queue(2001).unwrap_err(), Limit::UidQueuedBytes, 6000);
    held.extend([a.charge_queue(1000).unwrap(), a.charge_queue(0).unwrap()]);
    assert_reached(a.charge_queue(0).unwrap_err(), Limit::PeerQueuedMessages, 3);
    held.push(b.charge_queue(1000).unwrap());
    assert_reached(b.charge_queue(0).unwrap_err(), Limit::UidQueuedMessages, 4);
    assert_eq!((a.queued(), b.queued()), ((3, 5000), (1, 1000)));
    let usage = Usage { connections: 1, peers: 2, queued_messages: 4, queued_bytes: 6000 };
    assert_eq!(accounts.usage(1), usage);

    let stranger = accounts.connect(&policy, &user(2), at(0)).unwrap().open().unwrap();
    assert_eq!(stranger.charge_queue(5000).unwrap().bytes(), 5000);
    drop(held.remove(0));
    assert_eq!((a.queued(), accounts.usage(1).queued_bytes), ((2, 1000), 2000));
    assert!(b.charge_queue(4000).is_ok());
}

#[test]
fn a_peer_counts_until_nothing_is_queued_for_it() {
    let accounts = Accounts::new();
    let connection = accounts.connect(&PeerPolicy::default(), &user(1), at(0)).unwrap();
    let peer = connection.open().unwrap();
    let queued = peer.charge_queue(57).unwrap();
    drop((connection, peer));
    let usage = Usage { connections: 0, peers: 1, queued_messages: 1, queued_bytes: 57 };
    assert_eq!(accounts.usage(1), usage);
    drop(queued);
    assert_eq!(accounts.usage(1), Usage::default());
    assert_eq!(accounts.total(), Usage::default());
}

#[test]
fn messages_of_a_peer_and_of_a_uid() {
    let policy = limited(&[
        (Limit::PeerMessagesPerSecond, 1000),
        (Limit::PeerMessageBurst, 2),
        (Limit::UidMessagesPerSecond, 100),
        (Limit::UidMessageBurst, 3),
    ]);
    let accounts = Accounts::new();
    let connection = accounts.connect(&policy, &user(1), at(0)).unwrap();
    let (mut a, mut b) = (connection.open().unwrap(), connection.open().unwrap());
    let send = |peer: &mut Peer, nanos| peer.charge_send(Class::NETWORK, at(nanos));
    assert_eq!((send(&mut a, 0), send(&mut a, 0)), (Ok(()), Ok(())));
    let refused = send(&mut a, 0).unwrap_err();
    assert_reached(refused, Limit::PeerMessagesPerSecond, 1000);
    assert_eq!(refused.retry_at(), Some(at(SECOND / 1000)));
    // What the peer's rate refused has cost its uid nothing: one is left for the other.
    assert_eq!(send(&mut b, 0), Ok(()));
    let refused = send(&mut b, 0).unwrap_err();
    assert_reached(refused, Limit::UidMessagesPerSecond, 100);
    assert_eq!(refused.retry_at(), Some(at(SECOND / 100)));
    // And the other way round: what the uid's rate refused has cost the peer nothing.
    assert_eq!(send(&mut b, SECOND / 100), Ok(()));
    let mut other = accounts.connect(&policy, &user(2), at(0)).unwrap().open().unwrap();
    assert_eq!(send(&mut other, 0), Ok(()), "others notice nothing");
}

#[test]
fn a_message_that_may_not_be_sent_counts() {
    let policy = PeerPolicy::builder()
        .default_rule(Rule::new().send(Class::NETWORK).limit(Limit::PeerMessageBurst, 2));
    let policy = policy.build().unwrap();
    let accounts = Accounts::new();
    let mut peer = accounts.connect(&policy, &user(1), at(0)).unwrap().open().unwrap();
    for _ in 0..2 {
        let refused = peer.charge_send(Class::METRICS, at(0)).unwrap_err();
        assert!(matches!(refused, Refusal::Send { denied: Class::METRICS, .. }));
    }
    let refused = peer.charge_send(Class::NETWORK, at(0)).unwrap_err();
    assert_reached(refused, Limit::PeerMessagesPerSecond, 10_000);
}

#[test]
fn a_peer_comes_back_within_its_grace() {
    let policy = limited(&[(Limit::UidConnections, 1), (Limit::Grace, 2000)]);
    let accounts = Accounts::new();
    let connect = |uid| accounts.connect(&policy, &user(uid), at(0)).unwrap();
    let first = connect(1);
    let mut peer = first.open().unwrap();
    let queued = peer.charge_queue(57).unwrap();
    assert_eq!(peer.deadline(), None);
    drop(first);
    peer.leave(at(SECOND));
    peer.leave(at(2 * SECOND));
    assert_eq!(peer.deadline(), Some(at(3 * SECOND)), "the first call counts");
    let usage = accounts.usage(1);
    assert_eq!((usage.connections, usage.peers, usage.queued_messages), (0, 1, 1));

    let stranger = peer.come_back(&connect(2), at(SECOND)).unwrap_err();
    assert_eq!(stranger, Refusal::Stranger { owner: 1, uid: 2 });
    assert_eq!((stranger.key(), stranger.section()), (None, None));
    assert_eq!(stranger.to_string(), "a peer of uid 1 cannot come back as uid 2");
    let late = peer.come_back(&connect(1), at(3 * SECOND + 1)).unwrap_err();
    assert_reached(late, Limit::Grace, 2000);
    assert!(late.to_string().contains("the limit of 2s"));

    let back = connect(1);
    assert_eq!(peer.come_back(&back, at(3 * SECOND)), Ok(()));
    assert_eq!((peer.deadline(), peer.queued()), (None, (1, 57)));
    drop((queued, peer, back));
    assert_eq!(accounts.total(), Usage::default());
}

#[test]
fn who_comes_back_may_what_the_policy_says_now() {
    let accounts = Accounts::new();
    let old = limited(&[(Limit::PeerMessageBurst, 5)]);
    let mut peer = accounts.connect(&old, &user(1), at(0)).unwrap().open().unwrap();
    let held: Vec<_> = (0..3).map(|_| peer.charge_queue(2000).unwrap()).collect();
    peer.leave(at(0));
    let rule = Rule::new()
        .send(Class::NETWORK)
        .limit(Limit::PeerMessageBurst, 1)
        .limit(Limit::PeerQueuedBytes, 4096)
        .limit(Limit::PeerQueuedMessages, 2);
    let new = PeerPolicy::builder().default_rule(rule).build().unwrap();
    peer.come_back(&accounts.connect(&new, &user(1), at(0)).unwrap(), at(0)).unwrap();
    assert_eq!(peer.permits().send(), Class::NETWORK);
    // What waits is more than may wait now: it stays, and nothing is added.
    assert_eq!(peer.queued(), (3, 6000));
    assert_reached(peer.charge_queue(0).unwrap_err(), Limit::PeerQueuedMessages, 2);
    drop(held);
    assert!(peer.charge_queue(4096).is_ok());
    assert!(matches!(peer.charge_send(Class::METRICS, at(0)), Err(Refusal::Send { .. })));
    let refused = peer.charge_send(Class::NETWORK, at(0)).unwrap_err();
    assert_reached(refused, Limit::PeerMessagesPerSecond, 10_000);
}

#[test]
fn no_grace_at_all() {
    let policy = limited(&[(Limit::Grace, 0)]);
    let accounts = Accounts::new();
    let connection = accounts.connect(&policy, &user(1), at(0)).unwrap();
    let mut peer = connection.open().unwrap();
    peer.leave(at(7));
    assert_eq!(peer.deadline(), Some(at(7)));
    assert_reached(peer.come_back(&connection, at(8)).unwrap_err(), Limit::Grace, 0);
    peer.leave(at(9));
    assert_eq!(peer.come_back(&connection, at(7)), Ok(()));
    peer.leave(at(u64::MAX));
    assert_eq!(peer.deadline(), Some(at(u64::MAX)), "the end of the clock");
}

#[test]
fn the_uids_own_section_is_named() {
    let rule = Rule::new().limit(Limit::UidConnections, 1);
    let policy = PeerPolicy::builder().uid(7, rule).build().unwrap();
    let accounts = Accounts::new();
    let _held = accounts.connect(&policy, &user(7), at(0)).unwrap();
    let refused = accounts.connect(&policy, &user(7), at(0)).unwrap_err();
    assert_eq!(refused.section(), Some(Section::Uid(7)));
    assert_eq!(
        refused.to_string(),
        "the limit of 1 is reached: connections of a uid (uid-connections in [uid 7])"
    );
}

#[test]
fn memory_is_bounded_however_many_uids_come_and_go() {
    let policy = PeerPolicy::default();
    let accounts = Accounts::new();
    let held: Vec<_> =
        (0..64).map(|uid| accounts.connect(&policy, &user(uid), at(0)).unwrap()).collect();
    // And 16 that are away.
    let away: Vec<_> = (64..80)
        .map(|uid| accounts.connect(&policy, &user(uid), at(0)).unwrap().open().unwrap())
        .collect();
    let in_use = held.len() + away.len();
    let mut most = 0;
    for uid in 0..50_000 {
        // All at once: none of them has recovered when the next one comes.
        let passing = accounts.connect(&policy, &user(1000 + uid), at(0)).unwrap();
        drop(passing.open().unwrap());
        most = most.max(accounts.len());
    }
    assert_eq!(most, in_use + MAX_IDLE_ACCOUNTS + 1, "one more while it is there");
    assert_eq!(accounts.len(), in_use + MAX_IDLE_ACCOUNTS);
    // Those in use were not the ones to be forgotten.
    for uid in 0..80 {
        let usage = accounts.usage(uid);
        assert_eq!((usage.connections, usage.peers), if uid < 64 { (1, 0) } else { (0, 1) });
    }
    // Once their rates have recovered, they go as others come.
    for uid in 0..2000 {
        drop(accounts.connect(&policy, &user(uid), at(SECOND * u64::from(uid + 1))).unwrap());
    }
    assert_eq!(accounts.len(), in_use + 1);
    assert_eq!((accounts.total().connections, accounts.total().peers), (64, 16));
}

#[test]
fn who_goes_and_comes_again_has_the_same_account() {
    let policy = limited(&[(Limit::UidMessagesPerSecond, 10), (Limit::UidMessageBurst, 2)]);
    let accounts = Accounts::new();
    let mut sent = 0;
    for _ in 0..20 {
        let mut peer = accounts.connect(&policy, &user(1), at(0)).unwrap().open().unwrap();
        sent += u32::from(peer.charge_send(Class::NETWORK, at(0)).is_ok());
    }
    assert_eq!(sent, 2, "a new peer of the uid has no new rate");
}

#[test]
fn a_policy_that_was_read_again_holds_for_later_connections() {
    let accounts = Accounts::new();
    let connect = |policy: &PeerPolicy, nanos| accounts.connect(policy, &user(1), at(nanos));
    let wide = limited(&[(Limit::UidConnectBurst, 100), (Limit::UidConnections, 10)]);
    let held: Vec<_> = (0..10).map(|_| connect(&wide, 0).unwrap()).collect();
    let narrow = limited(&[(Limit::UidConnectBurst, 1), (Limit::UidConnections, 3)]);
    assert_reached(connect(&narrow, 0).unwrap_err(), Limit::UidConnections, 3);
    let refused = connect(&narrow, 0).unwrap_err();
    assert_reached(refused, Limit::UidConnectsPerSecond, 20);
    assert_eq!(held[0].permits().limit(Limit::UidConnections), 10);
    drop(held);
    assert!(connect(&narrow, SECOND).is_ok());
}

#[test]
fn threads_share_a_limit_exactly() {
    let policy = limited(&[(Limit::UidQueuedMessages, 100), (Limit::PeerQueuedMessages, 60)]);
    let accounts = Accounts::new();
    let connection = accounts.connect(&policy, &user(1), at(0)).unwrap();
    let peers = [connection.open().unwrap(), connection.open().unwrap()];
    std::thread::scope(|scope| {
        for peer in &peers {
            scope.spawn(move || {
                for _ in 0..200 {
                    let held: Vec<_> = (0..70).map_while(|_| peer.charge_queue(10).ok()).collect();
                    assert!((1..=60).contains(&held.len()), "{}", held.len());
                    assert!(peer.queued().0 <= 60);
                }
            });
        }
        for _ in 0..200 {
            assert!(accounts.total().queued_messages <= 100);
        }
    });
    assert_eq!(accounts.usage(1).queued_messages, 0);
    drop((peers, connection));
    assert_eq!(accounts.total(), Usage::default());
}

#[derive(Clone, Debug)]
enum Step {
    Connect(u32),
    Open(prop::sample::Index),
    Queue(prop::sample::Index, usize),
    DropConnection(prop::sample::Index),
    DropPeer(prop::sample::Index),
    DropQueued(prop::sample::Index),
}

fn any_step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => (0u32..4).prop_map(Step::Connect),
        3 => index().prop_map(Step::Open),
        4 => (index(), 0usize..3000).prop_map(|(peer, bytes)| Step::Queue(peer, bytes)),
        2 => index().prop_map(Step::DropConnection),
        2 => index().prop_map(Step::DropPeer),
        2 => index().prop_map(Step::DropQueued),
    ]
}

fn take<T>(items: &mut Vec<T>, index: prop::sample::Index) -> Option<T> {
    (!items.is_empty()).then(|| items.swap_remove(index.index(items.len())))
}

proptest! {
    /// The counts are those of what is held, at each step; limits hold exactly; all ends at 0.
    #[test]
    fn counts_are_what_is_held(steps in prop::collection::vec(any_step(), 0..150)) {
        let policy = limited(&[
            (Limit::Connections, 6), (Limit::UidConnections, 3), (Limit::Peers, 7),
            (Limit::UidPeers, 4), (Limit::UidQueuedMessages, 5), (Limit::UidQueuedBytes, 9000),
            (Limit::PeerQueuedMessages, 3), (Limit::PeerQueuedBytes, 5000),
            (Limit::UidConnectBurst, 1000),
        ]);
        let accounts = Accounts::new();
        let (mut connections, mut peers, mut queued) = (vec![], vec![], vec![]);
        // Of each held: its uid; of a queued message: the serial number of its peer, and its bytes.
        let mut serial = 0u32;
        for step in steps {
            let live = |queued: &[(Queued, u32, u32)], peers: &[(Peer, u32, u32)]| {
                let mut all: Vec<_> = peers.iter().map(|(_, uid, id)| (*uid, *id)).collect();
                all.extend(queued.iter().map(|(_, uid, id)| (*uid, *id)));
                all.sort_unstable();
                all.dedup();
                all
            };
            match step {
                Step::Connect(uid) => {
                    let of_uid = connections.iter().filter(|(_, of)| *of == uid).count();
                    let fits = of_uid < 3 && connections.len() < 6;
                    let connection = accounts.connect(&policy, &user(uid), at(0));
                    prop_assert_eq!(connection.is_ok(), fits);
                    connections.extend(connection.ok().map(|connection| (connection, uid)));
                }
                Step::Open(index) if !connections.is_empty() => {
                    let all = live(&queued, &peers);
                    let (connection, uid): &(Connection, u32) =
                        &connections[index.index(connections.len())];
                    let of_uid = all.iter().filter(|(of, _)| of == uid).count();
                    let peer = connection.open();
                    prop_assert_eq!(peer.is_ok(), of_uid < 4 && all.len() < 7);
                    serial += 1;
                    peers.extend(peer.ok().map(|peer| (peer, *uid, serial)));
                }
                Step::Queue(index, bytes) if !peers.is_empty() => {
                    let (peer, uid, id): &(Peer, u32, u32) = &peers[index.index(peers.len())];
                    let sum = |of: &dyn Fn(u32, u32) -> bool| {
                        let held = queued.iter().filter(|(_, uid, id)| of(*uid, *id));
                        held.fold((0, 0), |(n, sum), (one, ..): &(Queued, u32, u32)| {
                            (n + 1, sum + one.bytes() as usize)
                        })
                    };
                    let (own, all) = (sum(&|_, of| of == *id), sum(&|of, _| of == *uid));
                    let fits = own.0 < 3 && own.1 + bytes <= 5000 && all.0 < 5 && all.1 + bytes <= 9000;
                    let one = peer.charge_queue(bytes);
                    prop_assert_eq!(one.is_ok(), fits);
                    queued.extend(one.ok().map(|one| (one, *uid, *id)));
                }
                Step::DropConnection(index) => drop(take(&mut connections, index)),
                Step::DropPeer(index) => drop(take(&mut peers, index)),
                Step::DropQueued(index) => drop(take(&mut queued, index)),
                _ => {}
            }
            let all = live(&queued, &peers);
            for uid in 0..4 {
                let of_uid = || queued.iter().filter(|(_, of, _)| *of == uid);
                let expected = Usage {
                    connections: connections.iter().filter(|(_, of)| *of == uid).count() as u32,
                    peers: all.iter().filter(|(of, _)| *of == uid).count() as u32,
                    queued_messages: of_uid().count() as u32,
                    queued_bytes: of_uid().map(|(one, ..)| one.bytes()).sum(),
                };
                prop_assert_eq!(accounts.usage(uid), expected);
            }
            let table = lock(&accounts.shared);
            prop_assert_eq!(table.connections as usize, connections.len());
            prop_assert_eq!(table.peers as usize, all.len());
        }
        drop((connections, queued, peers));
        prop_assert_eq!(accounts.total(), Usage::default());
        let table = lock(&accounts.shared);
        prop_assert_eq!((table.connections, table.peers), (0, 0));
        prop_assert_eq!(table.idle.len(), table.accounts.len());
    }
}
