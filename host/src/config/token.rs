//! The bot's token: from the configuration, or from a file of its own.

use std::path::Path;

use super::error::{Place, Problem};
use super::scope::Scope;
use super::secret::Secret;
use super::value::Given;
use super::{FileReader, Origins};

/// Reads the token and notes where it comes from. What is wrong is reported, and the answer is then an empty secret.
pub(super) fn read(scope: &mut Scope<'_>, read_file: FileReader<'_>, origins: &mut Origins) -> Secret {
    let token = scope.given("token");
    let file = scope.given("token_file");
    let text = match (token, file) {
        (Some(token), Some(file)) if is_variable(&token) == is_variable(&file) => {
            let message = match (&token.place, &file.place) {
                (Place::Variable(token), Place::Variable(file)) => {
                    format!("{token} and {file} are both set; unset one")
                }
                _ => "token and token_file are both given; remove one".to_owned(),
            };
            scope.error(Problem::at(&file.place, message));
            None
        }
        (Some(token), file) if file.is_none() || is_variable(&token) => {
            origins.insert("token", token.place.clone());
            scope.secret("token", ACCEPTED).map(|text| (text, token.place))
        }
        (_, Some(file)) => {
            origins.insert("token", file.place.clone());
            read_token_file(scope, &file, read_file)
        }
        _ => {
            scope.error(Problem::missing(MISSING));
            None
        }
    };
    let Some((text, place)) = text else { return Secret::new("") };
    match clean(&text) {
        Ok(token) => Secret::new(token),
        Err(fault) => {
            scope.error(Problem::at(&place, format!("token {fault}; accepted: {ACCEPTED}")));
            Secret::new("")
        }
    }
}

fn read_token_file(scope: &mut Scope<'_>, file: &Given, read_file: FileReader<'_>) -> Option<(String, Place)> {
    let path = scope.text("token_file", "the path of a file that holds the token")?;
    match read_file(Path::new(&path)) {
        Ok(text) => Some((text, Place::File(path.into()))),
        Err(_) if looks_like_token(&path) => {
            let message = "token_file looks like a token; it is the path of a file, the token itself goes into token \
                           or DISCORD_TOKEN";
            scope.error(Problem::at(&file.place, message));
            None
        }
        Err(error) => {
            let message = format!("token_file = {path:?} cannot be read: {error}; give the path of a readable file");
            scope.error(Problem::at(&file.place, message));
            None
        }
    }
}

/// Without the spaces around it and without the `Bot ` of the HTTP header.
///
/// # Errors
/// Says what is wrong with the token, without showing it.
fn clean(text: &str) -> Result<&str, &'static str> {
    let token = text.trim();
    let token = match token.strip_prefix("Bot") {
        Some(rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => rest.trim_start(),
        _ => token,
    };
    if token.is_empty() {
        Err("is empty")
    } else if token.contains(char::is_whitespace) {
        Err("has a space or a line break in it")
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err("has characters in it that no token has")
    } else {
        Ok(token)
    }
}

/// Tokens are long, and are no paths.
fn looks_like_token(path: &str) -> bool {
    path.len() >= 50 && !path.contains(['/', '\\'])
}

fn is_variable(given: &Given) -> bool {
    matches!(given.place, Place::Variable(_))
}

const ACCEPTED: &str = "the bot's token as the Discord developer portal shows it";
const MISSING: &str = "token is missing; set token in gateway.toml, or the environment variable DISCORD_TOKEN, \
                       or DISCORD_TOKEN_FILE to the path of a file that holds the token";
