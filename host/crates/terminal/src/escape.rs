//! Names from files, as a terminal may show them: nothing in them moves its cursor, changes its colours or
//! hides other text.
//!
//! Whatever a message or a table shows of a name that somebody else chose (classes, labels, column headers,
//! tensors, files) goes through here.

use std::borrow::Cow;
use std::path::Path;

/// Longest name that is shown whole, in characters.
pub const SHOWN: usize = 60;

/// The text with its control characters written out, as Rust writes them: `\n`, `\u{1b}`.
///
/// Besides control characters these are the marks that turn the direction of writing, and the separators of
/// lines and paragraphs. Everything else stays as it is. Without any, nothing is copied.
///
/// ```
/// assert_eq!(thaw_terminal::escape("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
/// ```
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_escaped(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// A whole output of the program, its line breaks and tabs left as they are; the rest of what a terminal
/// obeys is written out as in JSON, so that JSON stays what it was.
///
/// ```
/// assert_eq!(thaw_terminal::escape::output("a\tb\n\u{9b}31m"), "a\tb\n\\u009b31m");
/// ```
pub fn output(text: &str) -> Cow<'_, str> {
    let is_written_out = |character: char| is_escaped(character) && !['\n', '\t'].contains(&character);
    if !text.contains(is_written_out) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_written_out(character) {
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// An escaped name of at most [`SHOWN`] characters; a longer one is cut, with its length.
///
/// ```
/// let long = "a".repeat(66_000);
/// let name = thaw_terminal::escape::shorten(&long);
/// assert!(name.ends_with("aaa… (66000 characters)"), "{name}");
/// ```
pub fn shorten(name: &str) -> Cow<'_, str> {
    if name.len() <= SHOWN {
        return escape(name);
    }
    match name.char_indices().nth(SHOWN) {
        None => escape(name),
        Some((end, _)) => {
            Cow::Owned(format!("{}… ({} characters)", escape(&name[..end]), name.chars().count()))
        }
    }
}

/// Most lines of somebody else's text that are shown, and most characters of each.
const EXCERPT: (usize, usize) = (40, 500);

/// Somebody else's text over several lines, such as a plugin's message: as [`output`] shows it, and of
/// at most 40 lines of 500 characters. What is left out is counted.
///
/// ```
/// let shown = thaw_terminal::escape::excerpt("one\u{1b}[2J\ntwo");
/// assert_eq!(shown, "one\\u001b[2J\ntwo");
/// ```
pub fn excerpt(text: &str) -> Cow<'_, str> {
    let (most_lines, longest) = EXCERPT;
    if text.len() <= longest && !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut lines: Vec<String> = text.lines().take(most_lines).map(|line| cut(line, longest)).collect();
    match text.lines().count().saturating_sub(most_lines) {
        0 => {}
        more => lines.push(format!("… ({more} more lines)")),
    }
    Cow::Owned(lines.join("\n"))
}

fn cut(line: &str, longest: usize) -> String {
    match line.char_indices().nth(longest) {
        None => output(line).into_owned(),
        Some((end, _)) => format!("{}… ({} characters)", output(&line[..end]), line.chars().count()),
    }
}

/// A path as [`escape`] shows it; what of it is no Unicode is shown as `�`.
pub fn path(path: &Path) -> String {
    escape(&path.to_string_lossy()).into_owned()
}

fn is_escaped(character: char) -> bool {
    const DIRECTIONS: [char; 3] = ['\u{61c}', '\u{200e}', '\u{200f}'];
    character.is_control()
        || DIRECTIONS.contains(&character)
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_control_characters_stay_as_they_are() {
        for name in ["cat", "Käse & Brot", "👩‍🚀", "C:\\data", "日本", ""] {
            assert!(matches!(escape(name), Cow::Borrowed(same) if same == name), "{name}");
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        for (name, shown) in [
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{7f}\0", "\\u{7f}\\u{0}"),
            ("gpj\u{202e}exe", "gpj\\u{202e}exe"),
            ("\u{2028}", "\\u{2028}"),
        ] {
            assert_eq!(escape(name), shown);
        }
    }

    #[test]
    fn a_text_of_any_length_is_a_few_lines() {
        let long = format!("{}\n", "ä".repeat(66_000)).repeat(1000);
        let shown = excerpt(&long);
        assert!(shown.chars().count() < 41 * 530, "{} characters", shown.len());
        assert_eq!(shown.lines().count(), 41);
        assert!(shown.lines().next().unwrap().ends_with("ä… (66000 characters)"));
        assert!(shown.ends_with("… (960 more lines)"));
        assert!(matches!(excerpt("as it is"), Cow::Borrowed("as it is")));
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let name = "ä".repeat(61);
        assert_eq!(shorten(&name), format!("{}… (61 characters)", "ä".repeat(60)));
        assert_eq!(shorten(&name[..120]), &name[..120]);
        assert!(shorten(&"\u{1b}".repeat(100)).starts_with("\\u{1b}"));
    }
}
