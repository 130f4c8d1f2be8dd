use super::*;

#[test]
fn bits_stand_where_lws_smd_has_them() {
    let numbers = |class: Class| class.bits().trailing_zeros();
    let known = [Class::INTERACTION, Class::SYSTEM_STATE, Class::NETWORK, Class::METRICS];
    for (number, class) in known.into_iter().enumerate() {
        assert_eq!(numbers(class) as usize, number);
        assert_eq!(class.name(), Some(WELL_KNOWN[number]));
    }
    for number in 0..8 {
        assert_eq!(Class::user(number), Class::bit(24 + u32::from(number)));
    }
    assert_eq!((Class::user(0), Class::user(7)), (Some(Class::USER0), Some(Class::USER7)));
    assert_eq!((Class::user(8), Class::bit(32), Class::bit(u32::MAX)), (None, None, None));
}

#[test]
fn set_algebra() {
    let both = Class::NETWORK | Class::USER3;
    assert!(both.contains(Class::NETWORK) && both.contains(Class::NONE));
    assert!(!Class::NETWORK.contains(both));
    assert!(both.intersects(Class::USER3) && !both.intersects(Class::METRICS));
    assert!(!both.intersects(Class::NONE));
    assert_eq!(both - Class::NETWORK, Class::USER3);
    assert_eq!(both & !Class::USER3, Class::NETWORK);
    assert_eq!(both.intersection(Class::ALL), both);
    let mut grown = Class::default();
    assert!(grown.is_empty());
    grown |= both;
    assert_eq!(grown.bits(), 1 << 2 | 1 << 27);
    assert_eq!(Class::from_bits(grown.bits()), both);
}

#[test]
fn iter_gives_each_bit_once_lowest_first() {
    assert_eq!(Class::NONE.iter().count(), 0);
    let all: Vec<_> = Class::ALL.iter().collect();
    let expected: Vec<_> = (0..32).filter_map(Class::bit).collect();
    assert_eq!(all, expected);
}

#[test]
fn only_single_known_bits_have_a_name() {
    assert_eq!(Class::NONE.name(), None);
    assert_eq!((Class::NETWORK | Class::METRICS).name(), None);
    assert_eq!(Class::USER0.name(), None);
    assert_eq!(Class::ALL.name(), None);
}

#[test]
fn display() {
    let reserved = Class::from_bits(1 << 7);
    assert_eq!((Class::NETWORK | Class::USER0).to_string(), "NETWORK|user0");
    assert_eq!((Class::NETWORK | reserved).to_string(), "NETWORK|bit7");
    assert_eq!(Class::NONE.to_string(), "none");
    assert_eq!(Class::ALL.to_string(), "all");
    assert_eq!(format!("{:?}", Class::USER7), "user7");
    assert_eq!(format!("{:#x} {:x}", Class::USER0, Class::METRICS), "0x1000000 8");
}

#[test]
fn what_is_displayed_parses_back() {
    let mut sets: Vec<u32> = (0..32).map(|number| 1 << number).collect();
    sets.extend((0..32).map(|number| !(1u32 << number)));
    sets.extend([0, u32::MAX, 0x0f00_000f, 0xaaaa_aaaa]);
    // Miri takes minutes for all of them, and there is nothing unsafe for it to find.
    let step = if cfg!(miri) { 13 } else { 1 };
    for class in sets.into_iter().step_by(step).map(Class::from_bits) {
        assert_eq!(class.to_string().parse(), Ok(class));
        assert_eq!(class.to_string().to_lowercase().parse(), Ok(class));
        assert_eq!(format!("{class:#x}").parse(), Ok(class));
    }
}

#[test]
fn parse_accepts() {
    let parse = |text: &str| text.parse::<Class>().map(Class::bits);
    assert_eq!(parse("NETWORK"), Ok(4));
    assert_eq!(parse("network|METRICS"), Ok(12));
    assert_eq!(parse(" network , user0 "), Ok(0x0100_0004));
    assert_eq!(parse("24"), Ok(1 << 24));
    assert_eq!(parse("bit24|Bit4"), Ok(1 << 24 | 1 << 4));
    assert_eq!(parse("0X1000000"), Ok(1 << 24));
    assert_eq!(parse("0xffffffff"), Ok(u32::MAX));
    assert_eq!(parse("0x0|USER7"), Ok(1 << 31));
}

#[test]
fn parse_refuses_and_says_where() {
    let error = |text: &str| text.parse::<Class>().unwrap_err();
    assert_eq!(error(""), ParseClassError::Empty { at: 0 });
    assert_eq!(error("network||metrics"), ParseClassError::Empty { at: 8 });
    assert_eq!(error("network|"), ParseClassError::Empty { at: 8 });
    assert_eq!(error("network| nothing"), ParseClassError::Unknown { at: 9 });
    for unknown in
        ["user", "bit", "0x", "+1", "-1", "0x+1", "user-1", "1a", "0xg", "ü", "use\u{7d}"]
    {
        assert_eq!(error(unknown), ParseClassError::Unknown { at: 0 }, "{unknown}");
    }
    for large in ["32", "user8", "bit32", "0x100000000", "99999999999999999999"] {
        assert_eq!(error(large), ParseClassError::OutOfRange { at: 0 }, "{large}");
    }
    assert!(error("32").to_string().contains("31"));
}
