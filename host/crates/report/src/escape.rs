//! Names of data, plugins and files as text of a page.

/// A text for HTML, between tags or inside of a quoted attribute: nothing in it is taken for markup. Control
/// characters, and those that turn the direction of what follows, are shown as `�`.
///
/// ```
/// let shown = thaw_report::escape("<b>\"a\" & 'b'\u{1b}");
/// assert_eq!(shown, "&lt;b&gt;&quot;a&quot; &amp; &#39;b&#39;\u{fffd}");
/// ```
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{fffd}'),
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The first characters of a name, for a label, escaped; the rest is `…`.
pub(crate) fn label(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return escape(text);
    }
    let start: String = text.chars().take(width.saturating_sub(1)).collect();
    escape(&start) + "…"
}

/// The last characters of a name, which tell modules apart, escaped; what comes before is `…`.
pub(crate) fn end_label(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return escape(text);
    }
    let end: String = text.chars().skip(length + 1 - width).collect();
    format!("…{}", escape(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_cut_before_they_are_escaped() {
        assert_eq!(label("<script>alert(1)</script>", 9), "&lt;script&gt;…");
        assert_eq!(end_label("backbone.layer1.conv1", 6), "…conv1");
        assert_eq!(label("ab", 2), "ab");
    }
}
