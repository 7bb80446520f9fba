//! Which characters XML allows, and where.

/// Whether XML 1.0 allows the character in a document.
pub(super) fn is_allowed(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

fn is_name_start(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '_' | ':'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether a text can be the name of an element or attribute.
pub fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

/// Whether a byte is XML's white space.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The text with every character that XML does not allow replaced by U+FFFD.
pub(super) fn sanitized(text: &str) -> std::borrow::Cow<'_, str> {
    if text.chars().all(is_allowed) {
        return text.into();
    }
    text.chars().map(|c| if is_allowed(c) { c } else { '\u{FFFD}' }).collect::<String>().into()
}

/// The offset of the first character that XML does not allow, and its code.
pub(super) fn first_forbidden(source: &str) -> Option<(usize, u32)> {
    let bytes = source.as_bytes();
    let control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    let mut start = 0;
    for chunk in bytes.chunks(4096) {
        // No early exit inside a chunk, so that this becomes vector code.
        if chunk.iter().fold(false, |found, byte| found | control(*byte)) {
            let offset = start + chunk.iter().position(|byte| control(*byte))?;
            return Some((offset, u32::from(bytes[offset])));
        }
        start += chunk.len();
    }
    let mut from = 0;
    while let Some(found) = memchr::memchr(0xEF, &bytes[from..]) {
        let offset = from + found;
        if let [0xEF, 0xBF, last @ (0xBE | 0xBF)] = bytes[offset..(offset + 3).min(bytes.len())] {
            return Some((offset, 0xFF40 + u32::from(last)));
        }
        from = offset + 1;
    }
    None
}
