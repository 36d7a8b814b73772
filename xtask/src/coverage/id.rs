//! The ids that the name of a test begins with.
//!
//! | name | ids |
//! |---|---|
//! | `sec_jwt_07_crit_is_refused` | `JWT-07` |
//! | `sec_jwt_15_17_19_times_are_judged`, `sec_pk_02_and_03_..` | one for each number |
//! | `a1_a10_claude_leads_its_scope_with_a_space` | `A1`, `A10` |
//! | `sec_ru_21_r10_r11_the_list_is_short`, `d8_sec_md_07_..` | of both kinds |

/// The ids that a test proves.
pub(super) fn of_test(name: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut section = None;
    let mut words = name.split('_').peekable();
    while let Some(word) = words.next() {
        if word == "sec" {
            section = words.next().map(str::to_uppercase);
        } else if let (Some(section), true) = (&section, is_number(word)) {
            ids.push(format!("{section}-{word}"));
        } else if is_of_clients(&word.to_uppercase()) {
            section = None;
            ids.push(word.to_uppercase());
        } else if !(word == "and" && words.peek().is_some_and(|next| is_number(next))) {
            break;
        }
    }
    ids
}

/// Whether a cell is an id: `JWT-07` or `R1`.
pub(super) fn is_one(cell: &str) -> bool {
    let of_attacks = |(section, number): (&str, &str)| {
        !section.is_empty() && section.chars().all(|c| c.is_ascii_uppercase()) && is_number(number)
    };
    cell.split_once('-').is_some_and(of_attacks) || is_of_clients(cell)
}

/// What an id begins with: `JWT`, `R`.
pub(super) fn section(id: &str) -> &str {
    id.trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches('-')
}

/// Two digits.
fn is_number(word: &str) -> bool {
    word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// A letter and a number: discovery, registration, client documents, authorization, tokens, the
/// protected resource, browsers and Entra.
fn is_of_clients(id: &str) -> bool {
    let mut characters = id.chars();
    let is_section = characters.next().is_some_and(|c| "DRCATMBE".contains(c));
    let number = characters.as_str();
    is_section && (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{is_one, of_test, section};

    #[test]
    fn ids_come_from_names() {
        for (name, ids) in [
            ("sec_jwt_07_crit", &["JWT-07"][..]),
            ("sec_ru_22", &["RU-22"]),
            ("sec_jwt_15_17_19_times", &["JWT-15", "JWT-17", "JWT-19"]),
            ("sec_pk_02_and_03_every", &["PK-02", "PK-03"]),
            ("sec_dr_02_sec_dr_05_codes", &["DR-02", "DR-05"]),
            ("a1_a10_r5_claude", &["A1", "A10", "R5"]),
            ("sec_ru_21_r10_r11_list", &["RU-21", "R10", "R11"]),
            ("d8_sec_md_07_pages", &["D8", "MD-07"]),
            ("r1_the_3_uris", &["R1"]),
            ("sec_rt_02_one_of_64_a5_uses", &["RT-02"]),
            ("section_07", &[]),
            ("sec_jwt_crit", &[]),
            ("a_code_07", &[]),
            ("x1_x", &[]),
        ] {
            assert_eq!(of_test(name), ids, "{name}");
        }
    }

    #[test]
    fn ids_are_told_from_other_cells() {
        for (cell, expected) in [
            ("JWT-07", true),
            ("R1", true),
            ("A10", true),
            ("JWT-7", false),
            ("R", false),
            ("R100", false),
            ("X1", false),
            ("id", false),
            ("-07", false),
            ("", false),
        ] {
            assert_eq!(is_one(cell), expected, "{cell}");
        }
    }

    #[test]
    fn an_id_has_a_section() {
        assert_eq!((section("JWT-07"), section("R12")), ("JWT", "R"));
    }
}
