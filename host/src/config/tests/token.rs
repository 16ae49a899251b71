//! The token: where it comes from, and that it is never shown.

use super::*;

const TOKEN: &str = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs";

fn load_token(file: &str, variables: &[(&'static str, &'static str)]) -> Result<String, String> {
    let environment: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let files = |path: &Path| match path.to_str() {
        Some("gateway.toml") => Ok(file.to_owned()),
        Some("/run/token") => Ok(format!("Bot {TOKEN}\n")),
        Some("/run/broken") => Ok(format!("{TOKEN}\n{TOKEN}\n")),
        Some("/run/empty") => Ok("\n".to_owned()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    };
    match Config::load(&Flags::default(), &environment, &files) {
        Ok(loaded) => Ok(loaded.config.token.expose().to_owned()),
        Err(errors) => Err(errors.to_string()),
    }
}

#[test]
fn the_token_comes_from_each_place() {
    for (file, variables) in [
        (format!("token = \"{TOKEN}\""), vec![]),
        (format!("token = \"Bot {TOKEN}\""), vec![]),
        ("token_file = \"/run/token\"".to_owned(), vec![]),
        (String::new(), vec![("DISCORD_TOKEN", TOKEN)]),
        (String::new(), vec![("DISCORD_TOKEN_FILE", "/run/token")]),
        // The environment is stronger, whichever of the two forms it has.
        ("token = \"file\"".to_owned(), vec![("DISCORD_TOKEN_FILE", "/run/token")]),
        ("token_file = \"/no/such\"".to_owned(), vec![("DISCORD_TOKEN", TOKEN)]),
    ] {
        assert_eq!(load_token(&file, &variables).as_deref(), Ok(TOKEN), "{file} {variables:?}");
    }
}

#[test]
fn a_missing_token_is_told_with_every_way_to_give_it() {
    assert_eq!(
        load_token("token = \"\"", &[]).unwrap_err(),
        "the configuration has an error:\n  token is missing; set token in gateway.toml, or the environment variable \
         DISCORD_TOKEN, or DISCORD_TOKEN_FILE to the path of a file that holds the token"
    );
}

#[test]
fn two_tokens_of_one_place_are_an_error() {
    let error = load_token("", &[("DISCORD_TOKEN", TOKEN), ("DISCORD_TOKEN_FILE", "/run/token")]).unwrap_err();
    assert!(error.contains("DISCORD_TOKEN and DISCORD_TOKEN_FILE are both set; unset one"), "{error}");
    let error = load_token("token = \"x\"\ntoken_file = \"/run/token\"", &[]).unwrap_err();
    assert!(error.contains("gateway.toml:2: token and token_file are both given; remove one"), "{error}");
}

#[test]
fn a_bad_token_is_told_without_being_shown() {
    for (file, variables, told) in [
        (
            String::new(),
            vec![("DISCORD_TOKEN", "MTk4 Cl2FMQ")],
            "environment variable DISCORD_TOKEN: token has a space",
        ),
        (
            String::new(),
            vec![("DISCORD_TOKEN", "MTk4\nCl2FMQ")],
            "environment variable DISCORD_TOKEN: token has a space",
        ),
        (String::new(), vec![("DISCORD_TOKEN", "MTk4Cl2FMQ…")], "characters in it that no token has"),
        (String::new(), vec![("DISCORD_TOKEN", "Bot ")], "environment variable DISCORD_TOKEN: token is empty"),
        ("token = 1984".to_owned(), vec![], "gateway.toml:1: token is an integer"),
        ("token = [\"MTk4Cl2FMQ\"]".to_owned(), vec![], "gateway.toml:1: token is a list"),
        (
            String::new(),
            vec![("DISCORD_TOKEN_FILE", "/run/broken")],
            "/run/broken: token has a space or a line break in it",
        ),
        (String::new(), vec![("DISCORD_TOKEN_FILE", "/run/empty")], "/run/empty: token is empty"),
        (
            String::new(),
            vec![("DISCORD_TOKEN_FILE", "/no/such")],
            "environment variable DISCORD_TOKEN_FILE: token_file = \"/no/such\" cannot be read: no such file",
        ),
        (String::new(), vec![("DISCORD_TOKEN_FILE", TOKEN)], "token_file looks like a token"),
        (format!("token = \"{TOKEN}"), vec![], "gateway.toml:1: this is not TOML"),
        (format!("token = {TOKEN}"), vec![], "gateway.toml:1: this is not TOML"),
        (format!("token = \"{TOKEN}\"\ntoken = \"{TOKEN}\""), vec![], "gateway.toml:2: this is not TOML"),
    ] {
        let error = load_token(&file, &variables).unwrap_err();
        assert!(error.contains(told), "{file} {variables:?}: {error}");
        for secret in ["MTk4", "Cl2FMQ", "1984"] {
            assert!(!error.contains(secret), "{error}");
        }
    }
}
