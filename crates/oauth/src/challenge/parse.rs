//! The reader: one pass, at most one word of look-ahead.

use super::{Challenge, ChallengeError, is_token_byte};

const MOST_BYTES: usize = 8 * 1024;
const MOST_CHALLENGES: usize = 16;
const MOST_PARAMETERS: usize = 32;

pub(super) fn parse_all(header: &str) -> Result<Vec<Challenge>, ChallengeError> {
    if header.len() > MOST_BYTES {
        return Err(ChallengeError::TooLarge);
    }
    let mut reader = Reader {
        text: header,
        at: 0,
    };
    let mut challenges = Vec::new();
    while reader.skip_separators() {
        if challenges.len() == MOST_CHALLENGES {
            return Err(ChallengeError::TooMany);
        }
        challenges.push(reader.challenge()?);
    }
    Ok(challenges)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// `auth-scheme [ 1*SP ( token68 / #auth-param ) ]`
    fn challenge(&mut self) -> Result<Challenge, ChallengeError> {
        let mut challenge = Challenge::scheme_only(self.token()?.to_owned());
        let after_scheme = self.at;
        self.skip_whitespace();
        if self.at_element_end() {
            return Ok(challenge);
        }
        if self.at == after_scheme {
            return Err(self.syntax());
        }
        if let Some(token) = self.token68() {
            challenge.token68 = Some(token.to_owned());
            return Ok(challenge);
        }
        while self.skip_separators() {
            let start = self.at;
            let Some((name, value)) = self.parameter()? else {
                self.at = start;
                break;
            };
            if challenge.get(name).is_some() {
                return Err(ChallengeError::Repeated { at: start });
            }
            if challenge.parameters.len() == MOST_PARAMETERS {
                return Err(ChallengeError::TooMany);
            }
            challenge.parameters.push((name.to_owned(), value));
        }
        Ok(challenge)
    }

    /// A word that an end or a comma follows; an `auth-param` is none, because more follows its
    /// `=`.
    fn token68(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.skip_while(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
        });
        let end = self.at;
        self.skip_while(|byte| byte == b'=');
        let token = self.text.get(start..self.at);
        self.skip_whitespace();
        if end > start && self.at_element_end() {
            return token;
        }
        self.at = start;
        None
    }

    /// `token BWS "=" BWS ( token / quoted-string )`, or nothing if the word is the next
    /// challenge's scheme.
    fn parameter(&mut self) -> Result<Option<(&'a str, String)>, ChallengeError> {
        let name = self.token()?;
        self.skip_whitespace();
        if self.peek() != Some(b'=') {
            return Ok(None);
        }
        self.at += 1;
        self.skip_whitespace();
        let value = if self.peek() == Some(b'"') {
            self.quoted_string()?
        } else {
            self.token()?.to_owned()
        };
        self.skip_whitespace();
        if self.at_element_end() {
            Ok(Some((name, value)))
        } else {
            Err(self.syntax())
        }
    }

    fn token(&mut self) -> Result<&'a str, ChallengeError> {
        let start = self.at;
        self.skip_while(is_token_byte);
        self.text
            .get(start..self.at)
            .filter(|token| !token.is_empty())
            .ok_or_else(|| self.syntax())
    }

    fn quoted_string(&mut self) -> Result<String, ChallengeError> {
        let mut value = String::new();
        let mut escaped = false;
        let content = self.text.get(self.at + 1..).unwrap_or_default();
        for (offset, character) in content.char_indices() {
            match character {
                '"' if !escaped => {
                    self.at += offset + 2;
                    return Ok(value);
                }
                '\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                character if character.is_control() && character != '\t' => {
                    self.at += offset + 1;
                    return Err(self.syntax());
                }
                character => value.push(character),
            }
            escaped = false;
        }
        self.at = self.text.len();
        Err(self.syntax())
    }

    /// Passes white space and commas; whether anything is left.
    fn skip_separators(&mut self) -> bool {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t' | b','));
        self.peek().is_some()
    }

    fn skip_whitespace(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn skip_while(&mut self, pass: impl Fn(u8) -> bool) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|&&byte| pass(byte)).count();
    }

    fn at_element_end(&self) -> bool {
        matches!(self.peek(), None | Some(b','))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn syntax(&self) -> ChallengeError {
        ChallengeError::Syntax { at: self.at }
    }
}
