use super::*;
use crate::policy::{Credentials, Limit, PolicyErrorReason as Reason};
use proptest::prelude::*;

const GUIDE: &str = include_str!("../../../POLICY.md");

fn names(kind: IdKind, name: &str) -> Option<u32> {
    let users = [("root", 0), ("netd", 200), ("alice", 1000), ("broken", u32::MAX)];
    let groups = [("bus", 50), ("audio", 29), ("video", 44)];
    let known: &[(&str, u32)] = if kind == IdKind::User { &users } else { &groups };
    known.iter().find(|(known, _)| *known == name).map(|(_, id)| *id)
}

fn parse(file: &str) -> Result<PeerPolicy, PolicyError> {
    PeerPolicy::parse(file.as_bytes(), names)
}

/// Line, column and reason of what is wrong.
fn error(file: impl AsRef<[u8]>) -> (usize, usize, Reason) {
    let PolicyError { line, column, reason } = PeerPolicy::parse(file.as_ref(), names).unwrap_err();
    (line, column, reason)
}

#[test]
fn an_empty_file_is_the_default() {
    for file in ["", "\n", "\r\n \t\n", "# only\n  # comments", "[default]", "[ default ]\n"] {
        assert_eq!(parse(file), Ok(PeerPolicy::default()), "{file:?}");
    }
}

#[test]
fn every_key_in_every_form() {
    let file = "  mode\t660 # octal\r\nowner alice\ngroup 29\nforward-metrics off\n\
                connections 10\npeers 20\n[uid 7]\nsend 0x5|user1 , bit4\nreceive none\n\
                peer-queued-bytes 64KiB\ngrace 1500ms\n[default]\nreceive all#no comment\n";
    let wrong = error(file);
    assert_eq!((wrong.0, wrong.1), (13, 9), "a comment needs a blank before it");
    let policy =
        parse(&file.replace("all#no comment", "METRICS #a comment\n[gid audio]\nsend all"));
    let send = Class::from_bits(5) | Class::USER1 | Class::from_bits(1 << 4);
    let own = Rule::new()
        .send(send)
        .receive(Class::NONE)
        .limit(Limit::PeerQueuedBytes, 65_536)
        .limit(Limit::Grace, 1500);
    let expected = PeerPolicy::builder()
        .mode(0o660)
        .owner(1000)
        .group(29)
        .forward_metrics(false)
        .limit(Limit::Connections, 10)
        .limit(Limit::Peers, 20)
        .default_rule(Rule::new().receive(Class::METRICS))
        .uid(7, own)
        .gid(29, Rule::new().send(Class::ALL));
    assert_eq!(policy, Ok(expected.build().unwrap()));
}

#[test]
fn digits_are_a_number_and_all_else_a_name() {
    let asked = std::cell::RefCell::new(Vec::new());
    let file = b"owner 12\ngroup g1\n[uid u2]\nsend all\n[gid 007]\nsend all\n";
    let policy = PeerPolicy::parse(file, |kind, name| {
        asked.borrow_mut().push((kind, name.to_owned()));
        Some(5)
    });
    let policy = policy.unwrap();
    assert_eq!((policy.owner(), policy.group()), (Some(12), Some(5)));
    assert!(policy.uids.contains_key(&5) && policy.gids.contains_key(&7));
    let expected = [(IdKind::Group, "g1".to_owned()), (IdKind::User, "u2".to_owned())];
    assert_eq!(*asked.borrow(), expected);
}

#[test]
fn keys_and_values_that_are_wrong() {
    let (line, column, reason) = error("mode 0600\n  moed 1\n");
    assert_eq!((line, column), (2, 3));
    let top = vec!["mode", "owner", "group", "forward-metrics", "connections", "peers"];
    assert_eq!(reason, Reason::UnknownKey { key: "moed".into(), keys: top });
    assert_eq!(
        reason.to_string(),
        "unknown key \"moed\": expected one of mode, owner, group, forward-metrics, connections, peers"
    );
    let (keys, section) = (vec!["receive", "send"], Section::Gid(29));
    let here = Reason::KeyNotHere { key: "grace", section, keys };
    assert_eq!(error("[gid audio]\nsend all\ngrace 1s"), (3, 1, here.clone()));
    assert!(here.to_string().starts_with("grace cannot be set in [gid 29]"), "{here}");
    assert!(matches!(error("[default]\nmode 0600"), (2, 1, Reason::KeyNotHere { .. })));
    assert!(matches!(error("send all"), (1, 1, Reason::KeyNotHere { .. })));
    assert!(matches!(error("[uid 1]\npeers 5"), (2, 1, Reason::KeyNotHere { .. })));

    let twice = Reason::DuplicateKey { key: "mode", first: 2 };
    assert_eq!(error("\nmode 0600\n#\nmode 0600"), (4, 1, twice.clone()));
    assert_eq!(twice.to_string(), "mode is there already, in line 2");
    let expected = "an octal mode such as 0660";
    assert_eq!(error(" mode \n"), (1, 6, Reason::NoValue { key: "mode", expected }));
    let value = Reason::Value { key: "mode", text: "8".into(), expected };
    assert_eq!(error("mode  8"), (1, 7, value.clone()));
    assert_eq!(value.to_string(), "\"8\" is no value of mode: expected an octal mode such as 0660");
    for file in ["mode 1000", "mode 77777777777777777777777"] {
        assert_eq!(error(file), (1, 6, Reason::ModeOutOfRange));
    }
    assert_eq!(Reason::ModeOutOfRange.to_string(), "mode is out of the limits 0 to 0777");
    let text = error("mode = 0600").2.to_string();
    assert!(text.starts_with("\"= 0600\" is no value of mode"), "{text}");
    assert!(matches!(error("forward-metrics yes"), (1, 17, Reason::Value { .. })));
    assert!(matches!(error("forward-metrics"), (1, 16, Reason::NoValue { .. })));
}

#[test]
fn limits_out_of_range_or_form() {
    for limit in Limit::ALL {
        let (key, head) = (limit.key(), if limit.is_total() { "" } else { "[default]\n" });
        let line = 1 + head.lines().count();
        let column = key.len() + 2;
        let with = |value: &str| format!("{head}{key} {value}\n");
        for value in [limit.min(), limit.max()] {
            let policy = parse(&with(&limit.unit().show(value).to_string())).unwrap();
            assert_eq!(policy.limits.get(limit), value);
        }
        let unit = limit.unit().show(limit.max()).to_string();
        let suffix = unit.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let out = Reason::OutOfRange { limit };
        for number in ["4294967295", "4294967296", "99999999999999999999999999"] {
            assert_eq!(error(with(&format!("{number}{suffix}"))), (line, column, out.clone()));
        }
        let text = out.to_string();
        assert!(text.contains(key) && text.contains(&unit), "{text}");
        for form in ["-1", "+1", "1.5", "", "x", "1 2", "0x10", "1kb", "1 KiB", suffix] {
            let (at, reason) = (error(with(form)), limit.unit().form());
            match at.2 {
                Reason::Value { expected, .. } => {
                    assert_eq!((at.0, at.1, expected), (line, column, reason));
                }
                Reason::NoValue { .. } => assert!(form.is_empty()),
                other => panic!("{form:?}: {other}"),
            }
        }
    }
    assert_eq!(error("connections 0").2, Reason::OutOfRange { limit: Limit::Connections });
    assert!(matches!(error("[default]\ngrace 2").2, Reason::Value { .. }), "a time has a unit");
}

#[test]
fn classes_say_the_column() {
    let error = |file: &str| {
        let at = error(file);
        assert!(matches!(at.2, Reason::Class { .. }), "{file}");
        (at.0, at.1, at.2.to_string())
    };
    let unknown = error("[default]\n receive  NETWORK | nothing");
    assert_eq!((unknown.0, unknown.1), (2, 21));
    assert!(unknown.2.contains("user0 to user7"), "{}", unknown.2);
    let empty = error("[default]\nsend NETWORK||user0");
    assert_eq!((empty.0, empty.1), (2, 14));
    assert!(empty.2.contains("two separators"), "{}", empty.2);
    let out = error("[default]\nsend user8");
    assert_eq!((out.0, out.1), (2, 6));
    assert!(out.2.contains("31"), "{}", out.2);
    let source = PeerPolicy::parse(b"[default]\nsend user8", names).unwrap_err();
    assert!(std::error::Error::source(&source).is_some());
}

#[test]
fn sections_that_are_wrong() {
    for (column, head) in [
        (1, "[uid 5"),
        (1, "[]"),
        (1, "[uid]"),
        (1, "[gid ]"),
        (1, "[default x]"),
        (1, "[user 5]"),
        (1, "[Default]"),
        (1, "[uid 5] x"),
        (2, " [["),
    ] {
        let (line, at, reason) = error(format!("mode 0600\n{head}\nsend all\n"));
        assert_eq!((line, at), (2, column), "{head}");
        assert!(matches!(reason, Reason::Section { .. }), "{head}: {reason}");
        assert!(reason.to_string().contains("expected [default], [uid NAME]"));
    }
    let section = Section::Uid(1000);
    let twice = Reason::DuplicateSection { section, first: 1 };
    assert_eq!(error("[uid 1000]\nsend all\n [uid alice]\n"), (3, 2, twice.clone()));
    assert_eq!(twice.to_string(), "[uid 1000] is there already, in line 1");
    let twice = Reason::DuplicateSection { section: Section::Default, first: 2 };
    assert_eq!(error("\n[default]\n[gid 1]\nsend all\n[default]"), (5, 1, twice));
    let empty = Reason::EmptySection { section };
    assert_eq!(error("\n  [uid 1000]\n# send all\n"), (2, 3, empty.clone()));
    assert_eq!(error("\n[uid 1000]\n\n[gid 4]\nsend all"), (2, 1, empty.clone()));
    assert_eq!(empty.to_string(), "[uid 1000] says nothing: at least one key is needed");

    let all = |count: usize| {
        (0..count).map(|id| format!("[gid {id}]\nsend all\n")).collect::<String>() + "[default]\n"
    };
    assert_eq!(parse(&all(MAX_SECTIONS)).unwrap().gids.len(), MAX_SECTIONS);
    let many = Reason::TooManySections { max: MAX_SECTIONS };
    assert_eq!(error(all(MAX_SECTIONS + 1)), (2 * MAX_SECTIONS + 1, 1, many.clone()));
    assert!(many.to_string().contains("256"));
}

#[test]
fn ids_that_nobody_has() {
    let name = || "bob".to_owned();
    let unknown = Reason::UnknownName { kind: IdKind::User, name: name() };
    assert_eq!(error("[ uid  bob ]"), (1, 8, unknown.clone()));
    assert_eq!(unknown.to_string(), "no user has the name \"bob\"");
    assert_eq!(error("owner bob"), (1, 7, unknown));
    let unknown = Reason::UnknownName { kind: IdKind::Group, name: name() };
    assert_eq!(error("group bob"), (1, 7, unknown.clone()));
    assert_eq!(error("[gid bob]"), (1, 6, unknown));
    let range = Reason::IdOutOfRange { kind: IdKind::User, max: MAX_ID };
    for user in ["4294967295", "99999999999999999999", "broken"] {
        assert_eq!(error(format!("owner {user}")), (1, 7, range.clone()));
        assert_eq!(error(format!("[uid {user}]")), (1, 6, range.clone()));
    }
    assert!(range.to_string().contains("4294967294"));
    assert_eq!(parse("owner 4294967294").unwrap().owner(), Some(MAX_ID));
}

#[test]
fn bytes_that_are_no_text() {
    assert_eq!(error(b"mode 0600\nab\0c"), (2, 3, Reason::Nul));
    assert_eq!(error(b"# \xc3\xa4\xff"), (1, 5, Reason::Utf8));
    assert_eq!(error(b"\0\xff"), (1, 1, Reason::Nul));
    assert_eq!(error(b"\xff\0"), (1, 1, Reason::Utf8));
    assert_eq!(error(b"# \x1b[0m"), (1, 3, Reason::Control { byte: 0x1b }));
    assert_eq!(error(b"mode\r0600"), (1, 5, Reason::Control { byte: b'\r' }));
    let text = |file: &[u8]| PeerPolicy::parse(file, names).unwrap_err().to_string();
    assert_eq!(text(b"\0"), "line 1, column 1: a byte 0 in the text");
    assert_eq!(text(b"\xff"), "line 1, column 1: the text is no valid UTF-8");
    assert_eq!(text(b"\x07"), "line 1, column 1: a control character 0x07 in the text");
}

#[test]
fn files_and_lines_that_are_too_long() {
    let line = "#".repeat(MAX_LINE);
    assert_eq!(parse(&line), Ok(PeerPolicy::default()));
    let long = Reason::LineTooLong { len: MAX_LINE + 1, max: MAX_LINE };
    assert_eq!(error(format!("\n{line}#")), (2, MAX_LINE + 1, long.clone()));
    assert_eq!(long.to_string(), "the line of 1025 bytes is over the limit of 1024");
    let full = "#\n".repeat(MAX_FILE / 2);
    assert_eq!(parse(&full), Ok(PeerPolicy::default()));
    let long = Reason::FileTooLong { len: MAX_FILE + 1, max: MAX_FILE };
    assert_eq!(error(format!("{full}#")), (MAX_FILE / 2 + 1, 1, long.clone()));
    assert_eq!(long.to_string(), "the file of 1048577 bytes is over the limit of 1048576");
    assert_eq!(error(vec![b'#'; MAX_FILE + 1]), (1, MAX_FILE + 1, long));
}

/// The rows of the guide's tables: key, default, limits, meaning.
fn rows() -> Vec<Vec<&'static str>> {
    let rows = GUIDE.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn the_guide_has_every_key_as_it_is() {
    let rows = rows();
    let row = |key: &str| {
        let name = format!("`{key}`");
        rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no row for {key}"))
    };
    for key in Key::all() {
        assert_eq!(row(key.name()).len(), 4);
    }
    assert_eq!(rows.len(), Key::COUNT);
    for limit in Limit::ALL {
        let show = |value| limit.unit().show(value).to_string();
        let range = format!("{} to {}", show(limit.min()), show(limit.max()));
        let expected = [show(limit.default_value()), range, limit.meaning().to_owned()];
        assert_eq!(row(limit.key())[1..], expected, "{}", limit.key());
    }
    let bounds = [
        format!("at most {MAX_FILE} bytes, a line {MAX_LINE} bytes"),
        format!("at most {MAX_SECTIONS} sections for uids and gids"),
        format!("at most {} more", crate::policy::MAX_IDLE_ACCOUNTS),
    ];
    for bound in bounds {
        assert!(GUIDE.contains(&bound), "{bound}");
    }
}

#[test]
fn the_example_of_the_guide_does_what_its_table_says() {
    let (_, rest) = GUIDE.split_once("```policy\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let policy = parse(example).unwrap();
    assert_eq!((policy.mode(), policy.group()), (0o660, Some(50)));
    assert!(!policy.forwards_metrics());
    let class = |text: &str| text.parse::<Class>().unwrap();
    let mut checked = 0;
    for row in GUIDE.lines().filter(|line| line.starts_with("| uid") || line.starts_with("| any")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let uid = if cells[0].contains("`netd`") { 200 } else { 1000 };
        let group = |name, id| cells[0].contains(name).then_some(id);
        let groups = [group("`audio`", 29), group("`video`", 44)].into_iter().flatten().collect();
        let peer = Credentials { groups, ..Credentials::new(uid, 100) };
        let permits = policy.permits(&peer).unwrap();
        let expected = (class(cells[1]), class(cells[2]));
        assert_eq!((permits.receive(), permits.send()), expected, "{row}");
        let queued = if uid == 200 { 8192 } else { 4096 };
        assert_eq!(permits.limit(Limit::PeerQueuedMessages), queued);
        assert_eq!(permits.limit(Limit::PeerMessagesPerSecond), 100);
        checked += 1;
    }
    assert_eq!(checked, 6);
}

#[test]
fn the_default_prints_a_template_of_every_key() {
    let template = PeerPolicy::default().to_string();
    assert_eq!(parse(&template), Ok(PeerPolicy::default()));
    for key in Key::all() {
        let line = format!("{} ", key.name());
        let commented = format!("# {line}");
        let mut lines = template.lines();
        assert!(lines.any(|l| l.starts_with(&line) || l.starts_with(&commented)), "{line}");
    }
    for limit in Limit::ALL {
        assert!(template.contains(limit.meaning()), "{}", limit.key());
    }
    for line in template.lines() {
        assert!(line.len() <= 100, "{line}");
    }
    // The example sections in its comments are good ones.
    let indented = template.lines().filter_map(|line| line.strip_prefix("#   "));
    let example = indented.collect::<Vec<_>>().join("\n");
    let policy = parse(&example).unwrap();
    assert_eq!((policy.uids.len(), policy.gids.len()), (1, 1));
}

#[test]
fn the_largest_policy_prints_within_the_limits() {
    let most = Class::from_bits(u32::MAX - 1);
    let mut rule = Rule::new().receive(most).send(most);
    for limit in Limit::ALL.into_iter().filter(|limit| !limit.is_total()) {
        rule = rule.limit(limit, limit.max() - 1);
    }
    let uids = MAX_ID - MAX_SECTIONS as u32 + 1..=MAX_ID;
    let builder = uids.fold(PeerPolicy::builder(), |builder, uid| builder.uid(uid, rule));
    let policy = builder.default_rule(rule).build().unwrap();
    let text = policy.to_string();
    assert!(text.len() <= MAX_FILE, "{}", text.len());
    assert_eq!(parse(&text), Ok(policy));
}

fn any_limit_value() -> impl Strategy<Value = (Limit, u32)> {
    (0..Limit::ALL.len(), any::<u32>()).prop_map(|(index, random)| {
        let limit = Limit::ALL[index];
        let span = u64::from(limit.max() - limit.min()) + 1;
        (limit, limit.min() + (u64::from(random) % span) as u32)
    })
}

fn any_rule(with_limits: bool) -> impl Strategy<Value = Rule> {
    let class = || prop::option::of(any::<u32>().prop_map(Class::from_bits));
    let limits = prop::collection::vec(any_limit_value(), 0..if with_limits { 6 } else { 1 });
    (class(), class(), limits).prop_map(move |(receive, send, limits)| {
        let mut rule = Rule { receive, send, ..Rule::new() };
        for (limit, value) in limits {
            if with_limits && !limit.is_total() {
                rule = rule.limit(limit, value);
            }
        }
        // A section says something.
        if rule == Rule::new() { rule.send(Class::NETWORK) } else { rule }
    })
}

prop_compose! {
    fn any_policy()(
        mode in 0..=MAX_MODE,
        owner in prop::option::of(0..=MAX_ID),
        group in prop::option::of(0..=MAX_ID),
        metrics in any::<bool>(),
        limits in prop::collection::vec(any_limit_value(), 0..6),
        default in any_rule(true),
        uids in prop::collection::btree_map(0..=MAX_ID, any_rule(true), 0..6),
        gids in prop::collection::btree_map(0u32..9, any_rule(false), 0..6),
    ) -> PeerPolicy {
        let mut builder = PeerPolicy::builder().mode(mode).forward_metrics(metrics);
        builder = owner.into_iter().fold(builder, |builder, id| builder.owner(id));
        builder = group.into_iter().fold(builder, |builder, id| builder.group(id));
        builder = limits.into_iter().fold(builder, |builder, (limit, value)| builder.limit(limit, value));
        builder = uids.into_iter().fold(builder, |builder, (id, rule)| builder.uid(id, rule));
        builder = gids.into_iter().fold(builder, |builder, (id, rule)| builder.gid(id, rule));
        builder.default_rule(default).build().unwrap()
    }
}

/// Lines that are nearly good, so that the parser gets far.
fn any_line() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "mode",
        "owner",
        "group",
        "receive",
        "send",
        "grace",
        "peers",
        "uid-peers",
        "[uid",
        "[gid",
        "[default]",
        "[uid 1]",
        "[gid audio]",
        "alice",
        "5]",
        "]",
        "0600",
        "all",
        "NETWORK|",
        "2s",
        "1KiB",
        "#",
        "\u{e4}",
        "\u{a0}",
        "\u{feff}",
        "99999999999",
        "off",
        "\r",
        "\0",
    ]);
    prop::collection::vec(words, 0..4).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_itself(policy in any_policy()) {
        let text = policy.to_string();
        // Its normal form needs no names.
        let parsed = PeerPolicy::parse(text.as_bytes(), |_, _| None);
        prop_assert_eq!(&parsed, &Ok(policy));
        prop_assert_eq!(parsed.unwrap().to_string(), text);
    }

    #[test]
    fn whatever_the_bytes_an_error_has_its_place(
        file in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        check_place(&file)?;
    }

    #[test]
    fn nearly_good_files_parse_or_say_where(lines in prop::collection::vec(any_line(), 0..12)) {
        check_place(lines.join("\n").as_bytes())?;
    }

    #[test]
    fn a_broken_byte_in_a_good_file_is_taken_or_told(
        policy in any_policy(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut file = policy.to_string().into_bytes();
        let at = at.index(file.len());
        file[at] = byte;
        check_place(&file)?;
    }
}

/// An error names a byte of the file, or the one behind its line; a policy prints and parses again.
fn check_place(file: &[u8]) -> Result<(), TestCaseError> {
    match PeerPolicy::parse(file, names) {
        Ok(policy) => prop_assert_eq!(parse(&policy.to_string()), Ok(policy)),
        Err(error) => {
            let line = file.split(|byte| *byte == b'\n').nth(error.line - 1);
            let len = line.map(<[u8]>::len);
            prop_assert!(error.column >= 1 && len.is_some_and(|len| error.column <= len + 1));
            prop_assert!(!error.to_string().is_empty());
        }
    }
    Ok(())
}
