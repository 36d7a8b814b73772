//! Colours, and how well they can be read (WCAG 2.2, success criterion 1.4.3).

use std::fmt;

/// A colour of the sRGB space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

impl Colour {
    pub(crate) const WHITE: Self = Self::new(255, 255, 255);
    pub(crate) const BLACK: Self = Self::new(0, 0, 0);

    pub(crate) const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Reads `#rgb` or `#rrggbb`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .strip_prefix('#')?
            .chars()
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()?;
        match *digits.as_slice() {
            [r, g, b] => Some(Self::new(r * 17, g * 17, b * 17)),
            [r, rr, g, gg, b, bb] => Some(Self::new(r * 16 + rr, g * 16 + gg, b * 16 + bb)),
            _ => None,
        }
    }

    /// From 1, which cannot be told apart, to 21, black on white.
    pub(crate) fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// This colour, moved towards black or white no further than it must be to be read as text on
    /// each of these grounds, which are all light or all dark.
    pub(crate) fn readable_on(self, grounds: &[Self]) -> Self {
        let goal = grounds.first().map_or(Self::BLACK, |ground| ground.text());
        let reads = |colour: &Self| {
            let contrasts = grounds.iter().map(|ground| colour.contrast(*ground));
            contrasts.fold(f64::INFINITY, f64::min) >= READABLE
        };
        (0..=STEPS)
            .map(|step| self.towards(goal, step))
            .find(reads)
            .unwrap_or(goal)
    }

    /// Black or white: whichever reads better on this ground. One of the two always has a contrast
    /// of at least 4.58.
    pub(crate) fn text(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) {
            Self::WHITE
        } else {
            Self::BLACK
        }
    }

    fn towards(self, goal: Self, step: u16) -> Self {
        let mix = |from: u8, to: u8| {
            let sum = u16::from(from) * (STEPS - step) + u16::from(to) * step;
            u8::try_from(sum / STEPS).unwrap_or(u8::MAX)
        };
        Self::new(
            mix(self.red, goal.red),
            mix(self.green, goal.green),
            mix(self.blue, goal.blue),
        )
    }

    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

/// What text of any size needs, and a little for rounding.
const READABLE: f64 = 4.6;

const STEPS: u16 = 50;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::style;
    use super::*;

    #[test]
    fn colours_are_read_strictly() {
        assert_eq!(Colour::parse("#fff"), Some(Colour::WHITE));
        assert_eq!(Colour::parse("#0B57d0").unwrap().to_string(), "#0b57d0");
        for odd in ["fff", "#ffff", "#ggg", "#12345é", "red", "#fff;}", ""] {
            assert_eq!(Colour::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn contrast_is_the_standards() {
        assert!((Colour::BLACK.contrast(Colour::WHITE) - 21.0).abs() < 0.001);
        let grey = Colour::parse("#767676").unwrap();
        assert!((grey.contrast(Colour::WHITE) - 4.54).abs() < 0.01);
    }

    proptest! {
        #[test]
        fn every_accent_can_be_read(red: u8, green: u8, blue: u8) {
            let accent = Colour::new(red, green, blue);
            prop_assert!(accent.text().contrast(accent) >= 4.5);
            for grounds in [style::LIGHT, style::DARK] {
                let accent = accent.readable_on(&grounds);
                for ground in grounds {
                    prop_assert!(accent.contrast(ground) >= 4.5);
                }
                prop_assert!(accent.text().contrast(accent) >= 4.5);
            }
        }
    }
}
