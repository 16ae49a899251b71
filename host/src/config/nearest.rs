//! The known name that a misspelt one is nearest to.

/// The nearest of `known` to `name`, without regard to case; `None` if none is near.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name.to_lowercase().chars().take(LONGEST).collect();
    let allowed = (name.len() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(&name, &candidate.to_lowercase().chars().collect::<Vec<_>>()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean "…"?`, or nothing.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"))
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
    for (row, letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = at(&last, column) + usize::from(letter != other);
            let mut best = replaced.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let swapped =
                row > 0 && column > 0 && from.get(row - 1) == Some(other) && to.get(column - 1) == Some(letter);
            if swapped {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    at(&last, to.len())
}

/// Longer names are compared by their beginning.
const LONGEST: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let known = ["stdio", "amqp", "redis"];
        assert_eq!(nearest("reids", known), Some("redis"));
        assert_eq!(nearest("AMQP", known), Some("amqp"));
        assert_eq!(nearest("stdoi", known), Some("stdio"));
        assert_eq!(nearest("GUILD", ["GUILD_BANS", "GUILDS"]), Some("GUILDS"));
    }

    #[test]
    fn a_far_name_has_no_neighbour() {
        assert_eq!(nearest("kafka", ["stdio", "amqp", "redis"]), None);
        assert_eq!(nearest("", ["stdio"]), None);
    }

    #[test]
    fn distances_count_single_changes() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        for (from, to, changes) in
            [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("kitten", "sitting", 3), ("token", "tokens", 1)]
        {
            assert_eq!(distance(&letters(from), &letters(to)), changes, "{from} {to}");
        }
    }
}
