//! Contact data of a user: which display names, e-mail addresses and phone numbers are accepted, wherever they are typed.
//!
//! An empty text is neither an e-mail address nor a phone number; callers for which a value is optional check that first.

/// The longest display name, in characters.
pub const DISPLAY_NAME_CHARS: usize = 128;
/// The longest e-mail address (RFC 5321, 4.5.3.1).
const EMAIL_BYTES: usize = 254;
/// Digits of a phone number, with or without its country code.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 5..=20;

/// Digits of a mobile number of mainland China, without its country code.
const MAINLAND_DIGITS: usize = 11;

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// Not one line of at most [`DISPLAY_NAME_CHARS`] characters.
    #[error(
        "a display name is one line of at most {DISPLAY_NAME_CHARS} characters, this one has {chars}"
    )]
    DisplayName {
        /// How long it is, in characters.
        chars: usize,
    },
    /// Not an e-mail address.
    #[error("`{0}` is not an e-mail address")]
    Email(String),
    /// Not a phone number.
    #[error("a mobile number is 5 to 20 digits, with + and a country code outside China")]
    Phone(String),
}

/// Checks and trims a display name: one line of at most [`DISPLAY_NAME_CHARS`] characters.
pub fn display_name(text: &str) -> Result<String, ContactError> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars > DISPLAY_NAME_CHARS || text.contains(char::is_control) {
        return Err(ContactError::DisplayName { chars });
    }
    Ok(text.to_owned())
}

/// Checks and trims an e-mail address: a dot-atom of ASCII before the last `@`, a host name with a dot after it.
///
/// Quoted local parts and internationalised addresses are refused. The cloud documents neither, and an address that it
/// accepts and nobody can write to is worse than a refusal.
pub fn email(text: &str) -> Result<String, ContactError> {
    let text = text.trim();
    let is_dotted = |part: &str, is_allowed: fn(u8) -> bool| {
        part.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_allowed))
    };
    let is_local = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let is_email = text.len() <= EMAIL_BYTES
        && text.rsplit_once('@').is_some_and(|(local, host)| {
            is_dotted(local, is_local) && is_dotted(host, is_host) && host.contains('.')
        });
    if is_email { Ok(text.to_owned()) } else { Err(ContactError::Email(text.to_owned())) }
}

/// Checks and trims a phone number: digits, optionally with `+` and the country code before them: `13800000000`,
/// `+8613800000000`.
pub fn phone(text: &str) -> Result<String, ContactError> {
    let text = text.trim();
    let digits = text.strip_prefix('+').unwrap_or(text);
    if PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err(ContactError::Phone(text.to_owned()))
    }
}

/// Returns a phone number as the cloud expects it: with a country code. 11 digits that begin with 1 are a mobile number
/// of mainland China and get `+86`.
pub fn phone_in_cloud(text: &str) -> Result<String, ContactError> {
    let phone = phone(text)?;
    let is_mainland = phone.len() == MAINLAND_DIGITS && phone.starts_with('1');
    Ok(if is_mainland { format!("+86{phone}") } else { phone })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_name_is_one_line() {
        assert_eq!(display_name(" 张三 "), Ok("张三".to_owned()));
        assert_eq!(display_name(&"名".repeat(128)), Ok("名".repeat(128)));
        for (bad, chars) in [("名".repeat(129), 129), ("a\nb".to_owned(), 3)] {
            assert_eq!(display_name(&bad), Err(ContactError::DisplayName { chars }));
        }
    }

    #[test]
    fn an_email_address_is_ascii_with_a_dotted_host() {
        for good in ["a@b.cn", "first.last+tag@sub.example.com", " a@b-c.cn "] {
            assert_eq!(email(good), Ok(good.trim().to_owned()));
        }
        for bad in [
            "",
            "a",
            "a@b",
            "@b.cn",
            "a@",
            "a@b.",
            "a b@c.cn",
            "a@b@c.cn",
            "a@b..cn",
            "a@.cn",
            "a@b.cn.",
            ".a@b.cn",
            "a.@b.cn",
            "a..b@c.cn",
            "李@b.cn",
            "a@企业.cn",
            "a@b_c.cn",
            &format!("{}@b.cn", "x".repeat(250)),
        ] {
            assert_eq!(email(bad), Err(ContactError::Email(bad.to_owned())));
        }
    }

    #[test]
    fn the_cloud_gets_a_country_code() {
        for (typed, written) in [
            ("13800000000", "+8613800000000"),
            (" 19912345678 ", "+8619912345678"),
            ("+8613800000000", "+8613800000000"),
            ("+13800000000", "+13800000000"),
            ("23800000000", "23800000000"),
            ("1380000000", "1380000000"),
            ("8613800000000", "8613800000000"),
        ] {
            assert_eq!(phone_in_cloud(typed), Ok(written.to_owned()));
        }
        assert!(phone_in_cloud("138").is_err());
    }

    #[test]
    fn a_phone_number_is_digits() {
        for good in ["13800000000", "+8613800000000", "12345", " 13800000000"] {
            assert_eq!(phone(good), Ok(good.trim().to_owned()));
        }
        for bad in ["", "1234", "138-0000", "+", "1380000000a", "138****0001", &"1".repeat(21)] {
            assert_eq!(phone(bad), Err(ContactError::Phone(bad.to_owned())));
        }
    }
}
