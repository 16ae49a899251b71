//! Durations as Go writes them: `2m`, `1h30m`, `1.5s`, `-10ms`, `0`.

use std::time::Duration;

/// Nanoseconds; Go's own type ends after about 292 years, either way.
type Nanoseconds = i64;

/// A duration that may be negative, as Go's `time.ParseDuration` reads it.
///
/// # Errors
/// Says what is wrong with the text, to stand after it: `has no unit`.
fn parse(text: &str) -> Result<Nanoseconds, String> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err("is empty".to_owned());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (part, after) = parse_part(rest)?;
        total = total.checked_add(part).filter(|total| *total <= LIMIT).ok_or_else(too_large)?;
        rest = after;
    }
    // `LIMIT` is the size of the smallest number, which has no positive counterpart.
    let signed = if negative { 0i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() };
    signed.ok_or_else(too_large)
}

/// A duration that is not negative.
///
/// # Errors
/// As those of [`parse`].
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    u64::try_from(parse(text)?).map(Duration::from_nanos).map_err(|_| "is negative".to_owned())
}

/// A duration as Go's `Duration.String` would write it, without the units that are zero.
pub(crate) fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    let mut rest = nanoseconds;
    let mut text = String::new();
    for (unit, size) in [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1000),
        ("ns", 1),
    ] {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    text
}

/// One number with its unit, in nanoseconds, and what follows.
fn parse_part(text: &str) -> Result<(u64, &str), String> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), split_digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err("does not begin with a number".to_owned());
    }
    let (unit, rest) =
        rest.split_at(rest.find(|next: char| next == '.' || next.is_ascii_digit()).unwrap_or(rest.len()));
    if unit.is_empty() {
        return Err("has no unit".to_owned());
    }
    let size = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size);
    let size = size.ok_or_else(|| format!("has an unknown unit {unit:?}"))?;
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().map_err(|_| too_large())? };
    let nanoseconds = whole.checked_mul(size).and_then(|whole| whole.checked_add(scale_fraction(fraction, size)));
    nanoseconds.map(|nanoseconds| (nanoseconds, rest)).ok_or_else(too_large)
}

/// The fraction of a unit in nanoseconds, rounded as Go does it: in floating point, without the digits that do not fit.
fn scale_fraction(digits: &str, unit: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale = 1.0;
    for digit in digits.bytes() {
        let next = value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit.saturating_sub(b'0'))));
        let Some(next) = next.filter(|next| *next <= LIMIT) else { break };
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len()))
}

fn too_large() -> String {
    "is too large".to_owned()
}

const LIMIT: u64 = 1 << 63;
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1000),
    ("µs", 1000), // U+00B5
    ("μs", 1000), // U+03BC
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("+0", 0),
            ("-0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("+5s", 5_000_000_000),
            ("-1m30s", -90_000_000_000),
            ("2m", 120_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1h2m3s", 3_723_000_000_000),
            ("3s1h", 3_603_000_000_000),
            ("100us", 100_000),
            ("100µs", 100_000),
            ("100μs", 100_000),
            ("7ns", 7),
            ("1.9ns", 1),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("0.100000000000000000000h", 360_000_000_000),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(parse(text), Ok(nanoseconds), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for (text, fault) in [
            ("", "is empty"),
            ("-", "is empty"),
            ("3", "has no unit"),
            ("2 m", "has an unknown unit \" m\""),
            ("2min", "has an unknown unit \"min\""),
            ("1d", "has an unknown unit \"d\""),
            ("1M", "has an unknown unit \"M\""),
            ("1h 2m", "has an unknown unit \"h \""),
            (".s", "does not begin with a number"),
            (".", "does not begin with a number"),
            ("--1s", "does not begin with a number"),
            ("s", "does not begin with a number"),
            ("1h-2m", "has an unknown unit \"h-\""),
            ("9223372036854775808ns", "is too large"),
            ("3000000h", "is too large"),
            ("99999999999999999999s", "is too large"),
        ] {
            assert_eq!(parse(text), Err(fault.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(nanoseconds in 0..i64::MAX) {
            let written = format(Duration::from_nanos(nanoseconds.unsigned_abs()));
            prop_assert_eq!(parse(&written), Ok(nanoseconds));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
