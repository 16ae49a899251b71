//! How many of a day's session starts are kept back.

use gateway_protocol::Reserve;

use super::scope::Scope;
use super::value::Value;

/// Reads `identify.reserve`; the flag `--spend-reserve` is stronger.
pub(super) fn read(scope: &mut Scope<'_>, spend: bool) -> Reserve {
    let Some(given) = scope.given(KEY) else { return if spend { Reserve::NONE } else { Reserve::default() } };
    let parsed = match &given.value {
        Value::Text(text) => parse(text),
        Value::Integer(starts) => u32::try_from(*starts).ok().map(Reserve::Starts),
        _ => None,
    };
    match parsed {
        Some(_) if spend => Reserve::NONE,
        Some(reserve) => reserve,
        None => {
            scope.refuse(KEY, &given, "is no reserve", ACCEPTED);
            Reserve::default()
        }
    }
}

/// As it is read.
pub(super) fn format(reserve: Reserve) -> String {
    match reserve {
        Reserve::Percent(percent) => format!("{percent}%"),
        Reserve::Starts(starts) => starts.to_string(),
    }
}

fn parse(text: &str) -> Option<Reserve> {
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok())?;
    match text.trim().strip_suffix('%') {
        Some(percent) => {
            let percent = number(percent.trim_end())?;
            u8::try_from(percent).ok().filter(|percent| *percent <= 50).map(Reserve::Percent)
        }
        None => number(text.trim()).map(Reserve::Starts),
    }
}

const KEY: &str = "identify.reserve";
const ACCEPTED: &str =
    "a number of session starts such as 50, a part of the day's such as \"5%\" up to \"50%\", or 0 for none";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_a_number_or_a_percentage() {
        for (text, reserve) in [
            ("50", Some(Reserve::Starts(50))),
            (" 0 ", Some(Reserve::NONE)),
            ("5%", Some(Reserve::Percent(5))),
            ("50 %", Some(Reserve::Percent(50))),
            ("51%", None),
            ("%", None),
            ("-1", None),
            ("+1", None),
            ("5.5%", None),
            ("4294967296", None),
            ("", None),
        ] {
            assert_eq!(parse(text), reserve, "{text}");
            assert!(reserve.is_none_or(|reserve| parse(&format(reserve)) == Some(reserve)));
        }
    }
}
