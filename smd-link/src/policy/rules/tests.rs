use super::*;
use crate::policy::{Entry, MAX_SECTIONS};

fn peer(uid: u32, groups: &[u32]) -> Credentials {
    Credentials { pid: Some(1), groups: groups.to_vec(), ..Credentials::new(uid, 100) }
}

fn masks(policy: &PeerPolicy, uid: u32, groups: &[u32]) -> (Class, Class) {
    let permits = policy.permits(&peer(uid, groups)).unwrap();
    (permits.receive(), permits.send())
}

/// Sections for uid 1 (both masks), uid 2 (`send` only), gids 10 (both), 11 (`receive`), 100
/// (`send`).
fn policy() -> PeerPolicy {
    let [a, b, c, d] = [Class::USER0, Class::USER1, Class::USER2, Class::USER3];
    let builder = PeerPolicy::builder()
        .default_rule(Rule::new().receive(Class::NETWORK).send(Class::METRICS))
        .uid(1, Rule::new().receive(Class::USER7).send(Class::NONE))
        .uid(2, Rule::new().send(Class::INTERACTION))
        .gid(10, Rule::new().receive(a).send(b))
        .gid(11, Rule::new().receive(c))
        .gid(12, Rule::new().send(d));
    builder.build().unwrap()
}

#[test]
fn a_uid_comes_before_its_gids_and_those_before_the_default() {
    let [a, b, c, d] = [Class::USER0, Class::USER1, Class::USER2, Class::USER3];
    let policy = policy();
    assert_eq!(masks(&policy, 1, &[10, 11, 12]), (Class::USER7, Class::NONE));
    assert_eq!(masks(&policy, 3, &[]), (Class::NETWORK, Class::METRICS));
    assert_eq!(masks(&policy, 3, &[99]), (Class::NETWORK, Class::METRICS));
    assert_eq!(masks(&policy, 3, &[10]), (a, b));
    assert_eq!(masks(&policy, 3, &[12, 11, 10]), (a | c, b | d), "several gids add up");
    assert_eq!(masks(&policy, 3, &[11]), (c, Class::METRICS), "key by key");
    assert_eq!(masks(&policy, 2, &[]), (Class::NETWORK, Class::INTERACTION));
    assert_eq!(masks(&policy, 2, &[10, 11]), (a | c, Class::INTERACTION), "key by key");
    let primary = Credentials::new(3, 10);
    let permits = policy.permits(&primary).unwrap();
    assert_eq!((permits.receive(), permits.send()), (a, b), "the effective group is one too");
}

#[test]
fn a_group_of_a_user_may_take_away_as_well() {
    let rule = Rule::new().receive(Class::NONE).send(Class::NONE);
    let policy = PeerPolicy::builder().gid(10, rule).build().unwrap();
    let refused = policy.permits(&peer(3, &[10])).unwrap_err();
    assert_eq!(refused, Refusal::NoAccess { uid: 3, section: Section::Groups });
    assert_eq!((refused.key(), refused.section()), (Some("receive"), Some(Section::Groups)));
    assert!(refused.to_string().contains("uid 3 may neither receive nor send"), "{refused}");
    assert_eq!(masks(&policy, 3, &[]), (Class::ALL, Class::ALL));
}

#[test]
fn without_rules_the_owner_of_the_socket_may_all() {
    let policy = PeerPolicy::default();
    assert_eq!((policy.mode(), policy.owner(), policy.group()), (0o600, None, None));
    assert!(policy.forwards_metrics());
    let permits = policy.permits(&peer(0, &[])).unwrap();
    assert_eq!((permits.receive(), permits.send()), (Class::ALL, Class::ALL));
    assert_eq!(permits.grace(), core::time::Duration::from_secs(2));
    for limit in Limit::ALL {
        assert_eq!(permits.limit(limit), limit.default_value(), "{}", limit.key());
    }
    assert_eq!(PeerPolicy::builder().build(), Ok(policy));
}

#[test]
fn a_sender_needs_all_classes_and_a_receiver_one() {
    let both = Class::NETWORK | Class::USER0;
    let rule = Rule::new().receive(both).send(both);
    let policy = PeerPolicy::builder().default_rule(rule).build().unwrap();
    let permits = policy.permits(&peer(5, &[])).unwrap();
    for class in [Class::NETWORK, Class::USER0, both] {
        assert_eq!(permits.check_send(class), Ok(()));
        assert!(permits.may_receive(class, Entry::Peer));
    }
    let mixed = both | Class::METRICS | Class::USER1;
    let denied = Class::METRICS | Class::USER1;
    let section = Section::Default;
    let refused = permits.check_send(mixed).unwrap_err();
    assert_eq!(refused, Refusal::Send { denied, permitted: both, section });
    assert_eq!((refused.key(), refused.retry_at()), (Some("send"), None));
    assert_eq!(
        refused.to_string(),
        "METRICS|user1 may not be sent, only NETWORK|user0 (send in [default])"
    );
    assert!(permits.may_receive(mixed, Entry::Peer));
    assert!(!permits.may_receive(denied, Entry::Here));
    assert!(!permits.may_receive(Class::NONE, Entry::Here));
}

#[test]
fn a_mask_is_granted_without_what_is_not_permitted() {
    let permits = policy().permits(&peer(1, &[])).unwrap();
    let grant = permits.grant(Class::ALL).unwrap();
    assert_eq!((grant.granted, grant.denied), (Class::USER7, Class::ALL - Class::USER7));
    let all = permits.grant(Class::USER7).unwrap();
    assert_eq!((all.granted, all.denied), (Class::USER7, Class::NONE));
    let none = permits.grant(Class::NONE).unwrap();
    assert_eq!((none.granted, none.denied), (Class::NONE, Class::NONE), "who only sends");
    let (asked, section) = (Class::NETWORK, Section::Uid(1));
    let refused = permits.grant(asked).unwrap_err();
    assert_eq!(refused, Refusal::Receive { asked, permitted: Class::USER7, section });
    assert_eq!((refused.key(), refused.section()), (Some("receive"), Some(section)));
    assert_eq!(
        refused.to_string(),
        "none of NETWORK may be received, only user7 (receive in [uid 1])"
    );
}

#[test]
fn metrics_of_peers_stay_here_if_the_policy_says_so() {
    let on = PeerPolicy::default().permits(&peer(5, &[])).unwrap();
    let mixed = Class::METRICS | Class::NETWORK;
    assert!(on.forwards_metrics());
    assert!(on.may_receive(Class::METRICS, Entry::Peer) && on.check_send(mixed).is_ok());

    let off = PeerPolicy::builder().forward_metrics(false).build().unwrap();
    let off = off.permits(&peer(5, &[])).unwrap();
    assert!(!off.forwards_metrics());
    assert_eq!(off.check_send(Class::METRICS), Ok(()));
    assert!(off.may_receive(Class::METRICS, Entry::Here));
    assert!(!off.may_receive(Class::METRICS, Entry::Peer));
    assert!(off.may_receive(Class::NETWORK, Entry::Peer));
    // Also from a peer that was admitted while they were forwarded.
    assert!(!off.may_receive(mixed, Entry::Peer) && off.may_receive(mixed, Entry::Here));
    let refused = off.check_send(mixed).unwrap_err();
    assert_eq!(refused, Refusal::Metrics { others: Class::NETWORK });
    assert_eq!((refused.key(), refused.section()), (Some("forward-metrics"), Some(Section::Top)));
    assert!(refused.to_string().contains("together with NETWORK"), "{refused}");
}

#[test]
fn a_limit_is_the_uids_else_the_defaults() {
    let builder = PeerPolicy::builder()
        .limit(Limit::Connections, 7)
        .limit(Limit::UidPeers, 9)
        .default_rule(Rule::new().limit(Limit::Grace, 500))
        .uid(1, Rule::new().limit(Limit::Grace, 0).limit(Limit::PeerQueuedBytes, 4096));
    let policy = builder.build().unwrap();
    let values = |uid| {
        let permits = policy.permits(&peer(uid, &[])).unwrap();
        [Limit::Connections, Limit::UidPeers, Limit::Grace, Limit::PeerQueuedBytes]
            .map(|limit| (permits.limit(limit), permits.reached(limit).section().unwrap()))
    };
    let (top, default, own) = (Section::Top, Section::Default, Section::Uid(1));
    assert_eq!(values(1), [(7, top), (9, default), (0, own), (4096, own)]);
    assert_eq!(values(2), [(7, top), (9, default), (500, default), (2 << 20, default)]);
}

#[test]
fn what_is_out_of_limits_is_not_built() {
    let error = |builder: PolicyBuilder| builder.build().unwrap_err();
    let builder = PeerPolicy::builder;
    let out = |section, key, given, min, max| PolicyBuildError::OutOfRange {
        section,
        key,
        given,
        min,
        max,
    };
    let mode = error(builder().mode(0o1000));
    assert_eq!(mode, out(Section::Top, "mode", 0o1000, 0, 0o777));
    assert_eq!(
        mode.to_string(),
        "mode at the top of the file is 1000, out of the limits 0000 to 0777"
    );
    assert_eq!(error(builder().owner(u32::MAX)), out(Section::Top, "owner", u32::MAX, 0, MAX_ID));
    assert_eq!(error(builder().group(u32::MAX)), out(Section::Top, "group", u32::MAX, 0, MAX_ID));
    let grace = Rule::new().limit(Limit::Grace, 3_600_001);
    let expected = out(Section::Default, "grace", 3_600_001, 0, 3_600_000);
    assert_eq!(error(builder().default_rule(grace)), expected);
    assert_eq!(error(builder().limit(Limit::Grace, 3_600_001)), expected);
    let peers = error(builder().limit(Limit::Peers, 0));
    assert_eq!(peers, out(Section::Top, "peers", 0, 1, 131_070));
    let small = Rule::new().limit(Limit::PeerQueuedBytes, 4095);
    let expected = out(Section::Uid(3), "peer-queued-bytes", 4095, 4096, 1 << 30);
    assert_eq!(error(builder().uid(3, small)), expected);
    let all = Rule::new().send(Class::ALL);
    let section = Section::Uid(u32::MAX);
    assert_eq!(error(builder().uid(u32::MAX, all)), out(section, "id", u32::MAX, 0, MAX_ID));
    for limit in Limit::ALL {
        for value in [limit.min(), limit.max()] {
            let built = builder().limit(limit, value).build().unwrap();
            assert_eq!(built.limits.get(limit), value, "{}", limit.key());
        }
        assert!(builder().limit(limit, limit.max() + 1).build().is_err());
    }
}

#[test]
fn rules_that_cannot_be_are_not_built() {
    let error = |builder: PolicyBuilder| builder.build().unwrap_err();
    let builder = PeerPolicy::builder;
    let all = Rule::new().send(Class::ALL);
    let (section, key) = (Section::Gid(4), "grace");
    let not_here = error(builder().gid(4, all.limit(Limit::Grace, 1)));
    assert_eq!(not_here, PolicyBuildError::NotHere { section, key });
    assert_eq!(not_here.to_string(), "grace cannot be set in [gid 4]");
    let (section, key) = (Section::Default, "connections");
    let not_here = error(builder().default_rule(Rule::new().limit(Limit::Connections, 1)));
    assert_eq!(not_here, PolicyBuildError::NotHere { section, key });
    let section = Section::Uid(4);
    let empty = error(builder().uid(4, Rule::new()));
    assert_eq!(empty, PolicyBuildError::EmptySection { section });
    assert_eq!(empty.to_string(), "[uid 4] says nothing");
    for (section, twice) in [
        (Section::Uid(4), builder().uid(4, all).uid(4, all)),
        (Section::Gid(4), builder().gid(4, all).uid(4, all).gid(4, all)),
        (Section::Default, builder().default_rule(all).default_rule(all)),
    ] {
        assert_eq!(error(twice), PolicyBuildError::DuplicateSection { section });
    }
    let many = |count: u32| (0..count).fold(builder(), |builder, uid| builder.uid(uid, all));
    assert!(many(MAX_SECTIONS as u32).build().is_ok());
    let error = error(many(MAX_SECTIONS as u32).gid(0, all));
    assert_eq!(error, PolicyBuildError::TooManySections { max: MAX_SECTIONS });
    assert!(error.to_string().contains("256"));
}

#[test]
fn who_may_connect_without_a_file_is_who_might_write_to_it() {
    let policy = |mode| PeerPolicy::builder().mode(mode).build().unwrap();
    let peer = |uid, gid| Credentials::new(uid, gid);
    for (mode, owner, group, others) in [
        (0o600, true, false, false),
        (0o660, true, true, false),
        (0o666, true, true, true),
        (0o606, true, false, true),
        (0o060, false, true, false),
        (0o444, false, false, false),
    ] {
        let policy = policy(mode);
        let may = |peer: &Credentials| policy.may_connect(peer, 7, 8).is_ok();
        assert_eq!((may(&peer(7, 1)), may(&peer(1, 8)), may(&peer(1, 1))), (owner, group, others));
        assert_eq!(may(&Credentials { groups: vec![3, 8], ..peer(1, 1) }), group);
        // The owner is that, also as one of the group; and root always may.
        assert_eq!((may(&peer(7, 8)), may(&peer(0, 1))), (owner, true));
    }
    let policy = PeerPolicy::builder().mode(0o600).owner(5).build().unwrap();
    assert!(policy.may_connect(&peer(5, 1), 7, 8).is_ok());
    let refused = policy.may_connect(&peer(7, 8), 7, 8).unwrap_err();
    assert_eq!(refused, Refusal::Mode { uid: 7, mode: 0o600 });
    let text = "uid 7 may not connect to a socket of mode 0600 (mode at the top of the file)";
    assert_eq!((refused.to_string(), refused.key()), (text.to_owned(), Some("mode")));
}
