//! Sizes in bytes: `65536`, `64KiB`, `64MiB`, `1GiB`.

/// The number of bytes.
///
/// # Errors
/// Says what is wrong with the text, to stand after it: `has an unknown unit "MB"`.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let (digits, unit) = text.split_at(text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len()));
    if digits.is_empty() {
        return Err("does not begin with a whole number".to_owned());
    }
    let unit = unit.trim_start();
    let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor);
    let factor = factor.ok_or_else(|| format!("has an unknown unit {unit:?}"))?;
    digits.parse::<u64>().ok().and_then(|count| count.checked_mul(factor)).ok_or_else(|| "is too large".to_owned())
}

/// The size in its largest whole unit.
pub(super) fn format(bytes: u64) -> String {
    let (unit, factor) =
        UNITS.iter().rev().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor)).unwrap_or(&("", 1));
    format!("{}{unit}", bytes / factor)
}

const UNITS: [(&str, u64); 5] = [("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_read_in_bytes() {
        for (text, bytes) in
            [("0", 0), ("65536", 65536), ("12B", 12), ("64KiB", 65536), ("64 MiB", 64 << 20), ("1gib", 1 << 30)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_size() {
        for (text, fault) in [
            ("", "does not begin with a whole number"),
            ("-1", "does not begin with a whole number"),
            ("64MB", "has an unknown unit \"MB\""),
            ("1.5GiB", "has an unknown unit \".5GiB\""),
            ("99999999999GiB", "is too large"),
            ("18446744073709551616", "is too large"),
        ] {
            assert_eq!(parse(text), Err(fault.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(bytes: u64) {
            prop_assert_eq!(parse(&format(bytes)), Ok(bytes));
        }
    }
}
