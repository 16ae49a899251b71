//! Words, names and hashes.

use fastrand::Rng;

/// A sentence of `count` words, with the emoji, links and scripts that people use.
pub(super) fn sentence(random: &mut Rng, count: u32) -> String {
    let mut text = String::new();
    for index in 0..count {
        if index > 0 {
            text.push(' ');
        }
        text.push_str(random.choice(WORDS).copied().unwrap_or("hello"));
    }
    match random.u32(..12) {
        0 => text.push_str(" https://example.com/watch?v=dQw4w9WgXcQ&t=42"),
        1 => text.push_str("\n```rust\nfn main() {\n\tprintln!(\"{}\", 1 << 4);\n}\n```"),
        2 => text.push_str(
            " \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466} \u{1f1ef}\u{1f1f5} \u{2764}\u{fe0f}",
        ),
        3 => text.push_str(" \"quoted\\text\" \u{202e}mirrored\u{202c} z\u{0351}\u{036b}algo"),
        _ => text.push(random.choice(['.', '!', '?']).unwrap_or('.')),
    }
    text
}

/// A short name such as `silver-comet`.
pub(super) fn name(random: &mut Rng) -> String {
    let mut word = || random.choice(NAMES).copied().unwrap_or("comet");
    format!("{}-{}", word(), word())
}

/// 32 hexadecimal digits.
pub(super) fn hash(random: &mut Rng) -> String {
    format!("{:032x}", random.u128(..))
}

const WORDS: &[&str] = &[
    "the",
    "a",
    "and",
    "to",
    "of",
    "is",
    "that",
    "it",
    "you",
    "for",
    "on",
    "with",
    "this",
    "not",
    "are",
    "but",
    "have",
    "what",
    "just",
    "like",
    "so",
    "can",
    "do",
    "know",
    "game",
    "server",
    "update",
    "stream",
    "tonight",
    "anyone",
    "help",
    "lol",
    "thanks",
    "actually",
    "please",
    "build",
    "broken",
    "again",
    "channel",
    "bot",
    "music",
    "play",
    "raid",
    "boss",
    "level",
    "team",
    "match",
    "won",
    "lost",
    "watch",
    "video",
    "code",
    "compiles",
    "finally",
    "weird",
    "bug",
    "fixed",
    "na\u{ef}ve",
    "gar\u{e7}on",
    "stra\u{df}e",
    "\u{17c}\u{f3}\u{142}w",
    "\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}",
    "\u{4f60}\u{597d}",
    "\u{3053}\u{3093}\u{306b}\u{3061}\u{306f}",
    "\u{c548}\u{b155}",
    "\u{645}\u{631}\u{62d}\u{628}\u{627}",
    "\u{1f602}",
    "\u{1f44d}",
    "\u{1f525}",
    "<:pepe:123456789012345678>",
    "<@80351110224678912>",
    "<#103735883630395392>",
    "**bold**",
    "*slanted*",
    "~~gone~~",
    "||spoiler||",
    "`code`",
    "https://example.org/a/b?c=d&e=f#g",
    ":)",
    "\\o/",
];

const NAMES: &[&str] = &[
    "silver", "comet", "ember", "moss", "raven", "quartz", "willow", "onyx", "lunar", "copper", "tide", "fjord",
    "saffron", "juniper", "cobalt", "meadow", "thunder", "velvet", "cedar", "aurora", "pixel", "mango", "tundra",
    "falcon", "orchid", "basil", "harbor", "maple", "nimbus", "opal", "pepper", "sable", "topaz", "umber", "violet",
    "yarrow", "zephyr",
];
