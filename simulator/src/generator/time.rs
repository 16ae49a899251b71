//! Instants, as Discord writes them: snowflakes and ISO 8601.

/// Discord's epoch in milliseconds since the Unix epoch: the first instant of 2015.
pub(super) const EPOCH: u64 = 1_420_070_400_000;
/// When the generated events begin: the first instant of 2026.
pub(super) const NOW: u64 = 1_767_225_600_000;

/// An id that was made at `millis` (Unix), with 22 bits of worker, process and increment.
pub(super) fn snowflake(millis: u64, low: u64) -> u64 {
    (millis - EPOCH) << 22 | low & 0x3f_ffff
}

/// `2026-01-01T00:00:00.000000+00:00`.
pub(super) fn iso(millis: u64) -> String {
    let (days, rest) = (millis / DAY, millis % DAY);
    let (year, month, day) = date(days);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}000+00:00")
}

/// Year, month and day of a day since 1970, by the calendar's cycle of 400 years that begin in March.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

const DAY: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(iso(EPOCH), "2015-01-01T00:00:00.000000+00:00");
        assert_eq!(iso(NOW), "2026-01-01T00:00:00.000000+00:00");
        assert_eq!(iso(1_709_210_096_789), "2024-02-29T12:34:56.789000+00:00");
    }
}
