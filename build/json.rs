//! JSON text that is known when a template is compiled: blanks and surplus commas are left out.

/// Appends the JSON text of a template. `out` ends with JSON text or is empty.
///
/// # Errors
/// A string is not closed.
pub fn push(out: &mut String, text: &str) -> Result<(), String> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => {}
            ',' if out.ends_with([',', '[', '{']) => {}
            ']' | '}' if out.ends_with(',') => {
                out.pop();
                out.push(c);
            }
            '"' => {
                out.push(c);
                let mut escaped = false;
                loop {
                    let c = chars.next().ok_or_else(|| {
                        format!("a string is not closed: {text:?}; a printed value brings its own quotes")
                    })?;
                    out.push(c);
                    if c == '"' && !escaped {
                        break;
                    }
                    escaped = c == '\\' && !escaped;
                }
            }
            c => out.push(c),
        }
    }
    Ok(())
}

/// Appends text within a JSON string.
pub fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}
