//! How numbers are written for people: three or four digits, and the unit where a column does not say it.

/// Digits that a reader can use: `0.42`, `9.31`, `42.0`, `1234`.
pub fn plain(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "-".to_owned(),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 999.5 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A ratio: `0.95`, `0.025`, `31.2`.
pub fn part(value: f64) -> String {
    if value.abs() < 0.1 { format!("{value:.3}") } else { plain(value) }
}

/// Nanoseconds, in the unit that suits them.
pub fn time(nanos: f64) -> String {
    match nanos.abs() {
        size if size < 1e4 => format!("{} ns", plain(nanos)),
        size if size < 1e6 => format!("{} us", plain(nanos / 1e3)),
        size if size < 1e9 => format!("{} ms", plain(nanos / 1e6)),
        _ => format!("{} s", plain(nanos / 1e9)),
    }
}

/// Events in a second.
pub fn rate(per_second: f64) -> String {
    match per_second {
        few if few < 1e3 => format!("{}/s", plain(few)),
        some if some < 1e6 => format!("{} k/s", plain(some / 1e3)),
        many => format!("{} M/s", plain(many / 1e6)),
    }
}

/// Millions in a second, without the unit.
pub fn millions(per_second: f64) -> String {
    plain(per_second / 1e6)
}

/// Bytes.
pub fn bytes(value: f64) -> String {
    match value.abs() {
        size if size < 1e5 => format!("{} B", plain(value)),
        size if size < 1e7 => format!("{} KiB", plain(value / 1024.0)),
        _ => format!("{} MiB", plain(value / 1024.0 / 1024.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_the_digits_that_tell_something() {
        assert_eq!(plain(1.614), "1.61");
        assert_eq!(plain(73.37), "73.4");
        assert_eq!(plain(9.999), "10.0");
        assert_eq!(plain(1234.5), "1234");
        assert_eq!(part(1.0 / 40.0), "0.025");
        assert_eq!(time(608_104.0), "608.1 us");
        assert_eq!(time(1e6), "1.00 ms");
        assert_eq!(rate(35e6), "35.0 M/s");
        assert_eq!(rate(510_000.0), "510.0 k/s");
        assert_eq!(bytes(96.0), "96.0 B");
        assert_eq!(bytes(33.0 * 1024.0 * 1024.0), "33.0 MiB");
    }
}
