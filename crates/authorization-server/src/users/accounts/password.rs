//! Passwords: how they are read, and which are good enough.

use std::fmt;
use std::sync::Arc;

use icu_normalizer::ComposingNormalizerBorrowed;
use portcullis_oauth::{Entropy, EntropyError, SecretString};

use super::AccountName;

/// The longest password, in bytes.
const LONGEST: usize = 1024;
/// The shortest, in characters.
const SHORTEST: usize = 12;

/// A password in the one spelling in which it is hashed.
#[derive(Clone, Debug)]
pub(super) struct Password(SecretString);

impl Password {
    /// What somebody typed (RFC 8265 section 4.2.2): spaces of any kind are spaces, characters are
    /// composed. Nothing if it cannot be a password.
    pub(super) fn typed(text: &SecretString) -> Option<Self> {
        let text = text.expose();
        if text.len() > LONGEST {
            return None;
        }
        let spaced: String = text.chars().map(to_space).collect();
        let spaced = SecretString::new(spaced);
        let composed = ComposingNormalizerBorrowed::new_nfc().normalize(spaced.expose());
        let password = Self(SecretString::new(composed));
        let text = password.0.expose();
        (!text.is_empty() && !text.contains(char::is_control)).then_some(password)
    }

    /// A password that is nobody's.
    pub(super) fn none() -> Self {
        Self(SecretString::from(""))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

/// Spaces of other scripts and widths are spaces (Unicode category Zs).
fn to_space(c: char) -> char {
    match c {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            ' '
        }
        other => other,
    }
}

/// What a password has to be.
///
/// At least 12 characters, whichever they are: length is what counts, and rules about kinds of
/// characters make passwords worse (NIST SP 800-63B section 3.1.1.2).
#[derive(Clone)]
#[must_use]
pub struct PasswordPolicy {
    shortest: usize,
    refuses: Option<Arc<Refuses>>,
}

type Refuses = dyn Fn(&str) -> bool + Send + Sync;

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            shortest: SHORTEST,
            refuses: None,
        }
    }
}

impl PasswordPolicy {
    /// Asks for at least so many characters; fewer than 12 are never enough.
    pub fn at_least(mut self, characters: usize) -> Self {
        self.shortest = characters.max(SHORTEST);
        self
    }

    /// Refuses also whatever this says, such as passwords of a list that was leaked.
    pub fn refuse(mut self, refuses: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.refuses = Some(Arc::new(refuses));
        self
    }

    /// The password, if it is good enough.
    pub(super) fn check(
        &self,
        password: &SecretString,
        name: &AccountName,
    ) -> Result<Password, WeakPassword> {
        if password.expose().len() > LONGEST {
            return Err(WeakPassword::TooLong);
        }
        let least = self.shortest;
        if password.is_empty() {
            return Err(WeakPassword::TooShort { least });
        }
        let checked = Password::typed(password).ok_or(WeakPassword::Character)?;
        let text = checked.0.expose();
        if text.chars().count() < least {
            return Err(WeakPassword::TooShort { least });
        }
        let lower = SecretString::new(text.to_lowercase());
        if is_name(lower.expose(), &name.folded()) {
            return Err(WeakPassword::Name);
        }
        if is_sequence(lower.expose()) {
            return Err(WeakPassword::Sequence);
        }
        let refuses = self.refuses.as_ref();
        if COMMON.contains(&lower.expose()) || refuses.is_some_and(|refuses| refuses(text)) {
            return Err(WeakPassword::Common);
        }
        Ok(checked)
    }
}

impl fmt::Debug for PasswordPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordPolicy")
            .field("shortest", &self.shortest)
            .finish_non_exhaustive()
    }
}

/// Why a password is not good enough. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakPassword {
    /// It has too few characters.
    #[error("the password has fewer than {least} characters")]
    TooShort {
        /// How many it needs.
        least: usize,
    },
    /// It has more than 1 KiB.
    #[error("the password is longer than 1 KiB")]
    TooLong,
    /// It has a character that is none, such as a tab or a line break.
    #[error("the password has a control character in it")]
    Character,
    /// It is little more than the name.
    #[error("the password is little more than the name")]
    Name,
    /// It repeats a few characters, or counts.
    #[error("the password repeats a few characters, or counts")]
    Sequence,
    /// Others have it too.
    #[error("the password is one that is tried first")]
    Common,
}

/// Whether little is left once the name is taken out.
fn is_name(password: &str, name: &str) -> bool {
    if password == name {
        return true;
    }
    let local = name.split('@').next().unwrap_or(name);
    [name, local].into_iter().any(|part| {
        part.len() >= 3 && password.contains(part) && password.replace(part, "").chars().count() < 6
    })
}

/// Whether it repeats up to four characters, or each follows the one before.
fn is_sequence(password: &str) -> bool {
    let characters: Vec<u32> = password.chars().map(u32::from).collect();
    let repeats = |period: usize| {
        let later = characters.iter().skip(period);
        characters.iter().zip(later).all(|(a, b)| a == b)
    };
    let steps = |up: bool| {
        characters.windows(2).all(|pair| match pair {
            [a, b] if up => a.wrapping_add(1) == *b,
            [a, b] => b.wrapping_add(1) == *a,
            _ => false,
        })
    };
    (1..=4).any(repeats) || steps(true) || steps(false)
}

/// Those that are long enough and tried first, in lower case.
const COMMON: [&str; 48] = [
    "0987654321098",
    "1111222233334444",
    "112233445566",
    "123123123123123",
    "1234567890123",
    "12345678901234",
    "123456789012345",
    "12345678901234567890",
    "1234567891011",
    "123456789abc",
    "1234567890qwe",
    "123456qwerty",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u8i",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "abcdefghijkl1",
    "adminadminadmin",
    "administrator",
    "administrator1",
    "asdfghjkl123",
    "baseball1234",
    "changemechangeme",
    "changemeplease",
    "correct horse battery staple",
    "correcthorsebatterystaple",
    "defaultpassword",
    "football1234",
    "iloveyou1234",
    "iloveyouforever",
    "letmeinletmein",
    "letmeinplease",
    "mypassword123",
    "passw0rd1234",
    "password1234",
    "password12345",
    "password123456",
    "password1234567890",
    "passwordpassword",
    "qwerty123456",
    "qwertyqwerty",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopasdf",
    "temporarypassword",
    "thisismypassword",
    "welcome12345",
    "zaq12wsxcde3",
];

/// Digits and small letters that are not taken for one another.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A password that nobody guesses: 100 random bits, as `k3v9q-...` in four groups of five.
///
/// # Errors
/// [`EntropyError`] without randomness.
pub fn generate_password(entropy: &dyn Entropy) -> Result<SecretString, EntropyError> {
    let mut drawn = [0; 20];
    entropy.fill(&mut drawn)?;
    let mut password = String::with_capacity(23);
    for (at, byte) in drawn.iter().enumerate() {
        if at > 0 && at % 5 == 0 {
            password.push('-');
        }
        // Five bits of each byte are as random as all of them.
        let letter = LETTERS.get(usize::from(byte % 32));
        password.extend(letter.map(|letter| char::from(*letter)));
    }
    Ok(SecretString::new(password))
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::SeededEntropy;

    use super::*;

    fn check(password: &str) -> Result<(), WeakPassword> {
        let name = AccountName::parse("alice@example.com").unwrap();
        let policy = PasswordPolicy::default();
        policy.check(&password.into(), &name).map(|_| ())
    }

    #[test]
    fn sec_op_14_weak_passwords_are_refused() {
        let short = WeakPassword::TooShort { least: 12 };
        for (password, fault) in [
            ("", short),
            ("eleven char", short),
            ("ääääääääääb", short),
            ("twelve\tcharacters", WeakPassword::Character),
            ("alice@example.com", WeakPassword::Name),
            ("Alice@Example.com1", WeakPassword::Name),
            ("alicealicealice", WeakPassword::Name),
            ("12345alicealice", WeakPassword::Name),
            ("aaaaaaaaaaaaaaaa", WeakPassword::Sequence),
            ("abcabcabcabcab", WeakPassword::Sequence),
            ("abcdefghijklmnop", WeakPassword::Sequence),
            ("zyxwvutsrqponm", WeakPassword::Sequence),
            ("Password1234", WeakPassword::Common),
            ("correcthorsebatterystaple", WeakPassword::Common),
        ] {
            assert_eq!(check(password), Err(fault), "{password}");
        }
        let long = "a1".repeat(600);
        assert_eq!(check(&long), Err(WeakPassword::TooLong));
        let generated = generate_password(&SeededEntropy::new(5)).unwrap();
        for password in [
            "the sea is green in winter",
            "alice likes green tea",
            "zwölf zeichen",
            "パスワードは秘密だよね全部",
            generated.expose(),
        ] {
            assert_eq!(check(password), Ok(()), "{password}");
        }
    }

    #[test]
    fn the_list_is_of_passwords_that_would_pass() {
        let name = AccountName::parse("zoe").unwrap();
        for common in COMMON {
            let fault = PasswordPolicy::default().check(&common.into(), &name).err();
            let known = matches!(fault, Some(WeakPassword::Common | WeakPassword::Sequence));
            assert!(known, "{common}: {fault:?}");
        }
    }

    #[test]
    fn more_can_be_asked_for() {
        let name = AccountName::parse("alice").unwrap();
        let policy = PasswordPolicy::default()
            .at_least(3)
            .refuse(|text| text.contains("winter"));
        let check = |text: &str| policy.check(&text.into(), &name).err();
        assert_eq!(
            check("green tea"),
            Some(WeakPassword::TooShort { least: 12 })
        );
        assert_eq!(check("tea in the winter"), Some(WeakPassword::Common));
        assert_eq!(check("tea in the summer"), None);
        let longer = PasswordPolicy::default().at_least(20);
        let fault = longer.check(&"tea in the summer".into(), &name).err();
        assert_eq!(fault, Some(WeakPassword::TooShort { least: 20 }));
    }

    #[test]
    fn one_password_has_one_spelling() {
        let typed = |text: &str| Password::typed(&text.into()).unwrap().as_bytes().to_vec();
        assert_eq!(typed("cafe\u{301}\u{a0}noir"), typed("caf\u{e9} noir"));
        assert_ne!(typed("Cafe noir"), typed("cafe noir"));
        assert_eq!(typed(" a "), b" a ", "spaces count");
        for no in ["", "a\nb", "\0"] {
            assert!(Password::typed(&no.into()).is_none(), "{no:?}");
        }
        assert!(Password::typed(&"a".repeat(1025).into()).is_none());
    }

    #[test]
    fn a_generated_password_is_drawn() {
        let entropy = SeededEntropy::new(9);
        let one = generate_password(&entropy).unwrap();
        assert_eq!(one.expose().len(), 23);
        assert_eq!(
            one.expose().split('-').map(str::len).collect::<Vec<_>>(),
            [5; 4]
        );
        assert!(!one.ct_eq(generate_password(&entropy).unwrap().expose().as_bytes()));
    }
}
