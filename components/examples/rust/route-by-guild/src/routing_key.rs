//! The routing key of an event: `guild.<guild id>.<event>`.

/// Where an event's payload has its guild's id, as a JSON Pointer.
pub fn guild_pointer(event: &str) -> &'static str {
    match event {
        "GUILD_CREATE" | "GUILD_UPDATE" | "GUILD_DELETE" => "/id",
        _ => "/guild_id",
    }
}

/// Writes the routing key in place of what is in `key`. `guild` is the guild's id as JSON text, with its quotes.
pub fn write(key: &mut String, guild: Option<&str>, event: &str) {
    key.clear();
    key.push_str("guild.");
    key.push_str(guild.and_then(id).unwrap_or("none"));
    key.push('.');
    // Discord's names are short, and made of such characters only. The server would refuse a key that is too long.
    let room = LONGEST_KEY - key.len();
    key.extend(event.chars().filter(|char| char.is_ascii_alphanumeric() || *char == '_').take(room));
}

/// `null` and whatever else is no id belongs to no guild.
fn id(json: &str) -> Option<&str> {
    let id = json.strip_prefix('"')?.strip_suffix('"')?;
    let is_id = (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    is_id.then_some(id)
}

const LONGEST_KEY: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(guild: Option<&str>, event: &str) -> String {
        let mut key = "left over".to_owned();
        write(&mut key, guild, event);
        key
    }

    #[test]
    fn an_event_of_a_guild_has_its_id_without_quotes() {
        let id = Some("\"81384788765712384\"");
        assert_eq!(key(id, "MESSAGE_CREATE"), "guild.81384788765712384.MESSAGE_CREATE");
    }

    #[test]
    fn an_event_of_no_guild_says_none() {
        let long = format!("\"{}\"", "1".repeat(300));
        for guild in [None, Some("null"), Some("7"), Some("\"\""), Some("\"a.b\""), Some("\""), Some(&long)] {
            assert_eq!(key(guild, "MESSAGE_CREATE"), "guild.none.MESSAGE_CREATE", "{guild:?}");
        }
    }

    #[test]
    fn a_guilds_own_events_have_its_id_as_id() {
        for event in ["GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE"] {
            assert_eq!(guild_pointer(event), "/id");
        }
        for event in ["GUILD_ROLE_CREATE", "GUILD_MEMBER_ADD", "MESSAGE_CREATE", "READY"] {
            assert_eq!(guild_pointer(event), "/guild_id");
        }
    }

    #[test]
    fn any_name_makes_a_key_of_three_words_that_the_server_takes() {
        for event in ["", "A.B", "späť", &"N".repeat(1000)] {
            let key = key(None, event);
            assert!(key.len() <= LONGEST_KEY && key.split('.').count() == 3, "{key}");
        }
    }
}
