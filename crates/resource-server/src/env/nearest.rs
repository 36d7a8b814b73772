//! What somebody may have meant.

/// The name that is fewest changes away, if they are few: for a hint beside what is not known.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (distance(word, name), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).min(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Whether one letter was changed, added, removed, or two neighbours swapped.
pub(super) fn is_one_edit_apart(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let same = |(a, b): &(&char, &char)| a == b;
    let head = a.iter().zip(&b).take_while(same).count();
    let (a, b) = (a.get(head..), b.get(head..));
    let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(same).count();
    match (a.get(..a.len() - tail), b.get(..b.len() - tail)) {
        (Some([a1, a2]), Some([b1, b2])) => a1 == b2 && a2 == b1,
        (Some(a), Some(b)) => a.len().max(b.len()) == 1,
        _ => false,
    }
}

/// How many letters have to be changed, added or removed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (at, a) in a.chars().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (b, cell) in b.chars().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(!a.eq_ignore_ascii_case(&b));
            diagonal = *cell;
            *cell = changed.min(diagonal + 1).min(left + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        for (a, b, expected) in [
            ("kitten", "sitting", 3),
            ("", "abc", 3),
            ("abc", "", 3),
            ("flaw", "lawn", 2),
            ("AUTHKIT", "authkit", 0),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn one_edit_is_one_letter_or_two_neighbours() {
        for other in [
            "PORTCULIS",
            "PORTCULLISS",
            "PORTCULLIZ",
            "OPRTCULLIS",
            "ORTCULLIS",
        ] {
            assert!(is_one_edit_apart(other, "PORTCULLIS"), "{other}");
            assert!(is_one_edit_apart("PORTCULLIS", other), "{other}");
        }
        for other in ["PORTCULLIS", "PORTCUL", "PROTCULIS", "", "XORTCULLIX"] {
            assert!(!is_one_edit_apart(other, "PORTCULLIS"), "{other}");
        }
    }

    #[test]
    fn only_what_is_near_is_offered() {
        let names = ["BASE_URL", "AUTHKIT_DOMAIN"];
        assert_eq!(nearest("BASEURL", names), Some("BASE_URL"));
        assert_eq!(nearest("AUTHKIT_DOMIAN", names), Some("AUTHKIT_DOMAIN"));
        assert_eq!(nearest("COLOUR", names), None);
    }
}
