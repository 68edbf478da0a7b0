//! A product's colour: parsed, never pasted (rule M26), and always with a readable ink on top.

use std::fmt;

/// An opaque sRGB colour. What is written into a page is formatted from the three numbers, so no text of the configuration
/// reaches the markup.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

/// The text is neither `#rgb` nor `#rrggbb`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a colour is written #rgb or #rrggbb")]
pub struct NotAColour;

/// Tiles of products that name no colour; each has a contrast of at least 4.5 to its ink.
const PALETTE: [Colour; 6] = [
    Colour::new(0x24, 0x5b, 0xdb),
    Colour::new(0x0b, 0x6e, 0x5f),
    Colour::new(0x9b, 0x3a, 0x1d),
    Colour::new(0x6b, 0x3f, 0xc4),
    Colour::new(0xa1, 0x2a, 0x5e),
    Colour::new(0x45, 0x51, 0x66),
];

impl Colour {
    /// From its three channels, 0 to 255 each.
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Parses `#rgb` or `#rrggbb`, in either case; nothing else (no names, no functions, no alpha).
    pub fn parse(text: &str) -> Result<Self, NotAColour> {
        let digits = text.strip_prefix('#').ok_or(NotAColour)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAColour);
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| NotAColour)?;
        let [_, red, green, blue] = match digits.len() {
            3 => [0, (number >> 8) & 15, (number >> 4) & 15, number & 15].map(|nibble| (nibble * 17) as u8),
            6 => number.to_be_bytes(),
            _ => return Err(NotAColour),
        };
        Ok(Self { red, green, blue })
    }

    /// The colour of a product that names none: stable for its name, so that people can learn it.
    pub fn of_name(name: &str) -> Self {
        let sum = name.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        PALETTE.get(sum % PALETTE.len()).copied().unwrap_or(Self::new(0x45, 0x51, 0x66))
    }

    /// Black or white, whichever reads better on this colour; the better of the two always has a contrast of 4.58 or more.
    pub fn ink(self) -> Self {
        let (black, white) = (Self::new(0, 0, 0), Self::new(255, 255, 255));
        if self.contrast(white) >= self.contrast(black) { white } else { black }
    }

    /// Contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio").
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance() + 0.05, other.luminance() + 0.05);
        if one > two { one / two } else { two / one }
    }

    /// Relative luminance, 0 to 1 (WCAG 2.2, "relative luminance").
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }
}

/// `#rrggbb`, lower case.
impl fmt::Display for Colour {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Colour::parse(text).ok().map(|colour| colour.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn only_three_or_six_hex_digits_are_a_colour() {
        check("#0052cc", Some("#0052cc"));
        check("#0AF", Some("#00aaff"));
        for text in
            ["", "#", "red", "#12", "#12345", "#1234567", "#+12345", "#12 345", "0052cc", "#ééé", "#0052cc;}", "url(x)"]
        {
            check(text, None);
        }
    }

    #[test]
    fn the_palette_carries_white_ink() {
        for colour in PALETTE {
            assert!(colour.contrast(Colour::new(255, 255, 255)) >= 4.5, "{colour}");
        }
    }

    proptest! {
        #[test]
        fn every_colour_has_a_readable_ink(red: u8, green: u8, blue: u8) {
            let colour = Colour::new(red, green, blue);
            prop_assert!(colour.contrast(colour.ink()) >= 4.5);
        }

        #[test]
        fn parsing_never_panics_and_round_trips(text in "\\PC{0,9}") {
            if let Ok(colour) = Colour::parse(&text) {
                prop_assert_eq!(Colour::parse(&colour.to_string()), Ok(colour));
            }
        }
    }
}
