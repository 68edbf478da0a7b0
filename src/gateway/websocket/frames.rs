//! Where frames begin and end in one direction of a WebSocket; what is in them is not read.

/// Two bytes, eight of length, four of mask (RFC 6455 §5.2).
const LONGEST_HEAD: usize = 14;

/// Where in the stream of frames we are (RFC 6455 §5.2).
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    /// Bytes of the frame's head seen so far, and how many.
    head: [u8; LONGEST_HEAD],
    seen: usize,
    /// Bytes of its payload still to come.
    payload: u64,
}

impl Frames {
    pub(super) fn at_boundary(&self) -> bool {
        self.seen == 0 && self.payload == 0
    }

    /// Takes bytes that went by.
    pub(super) fn advance(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let here = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
                self.payload -= u64::try_from(here).unwrap_or(0);
                bytes = bytes.get(here..).unwrap_or_default();
                continue;
            }
            // A head is complete at its longest at the latest, so there is always room.
            if let Some(place) = self.head.get_mut(self.seen) {
                *place = *first;
            }
            self.seen += 1;
            bytes = rest;
            if let Some(payload) = payload_length(self.head.get(..self.seen).unwrap_or_default()) {
                self.payload = payload;
                self.seen = 0;
            }
        }
    }

    /// How many of the waiting bytes lead to the next boundary; all of them when it lies beyond.
    pub(super) fn until_boundary(&self, waiting: &[u8]) -> usize {
        let mut ahead = self.clone();
        for (place, byte) in waiting.iter().enumerate() {
            ahead.advance(std::slice::from_ref(byte));
            if ahead.at_boundary() {
                return place + 1;
            }
        }
        waiting.len().max(1)
    }
}

/// The payload's length, once the head is complete.
fn payload_length(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if head.len() < 2 + extended + mask {
        return None;
    }
    let length = head.get(2..2 + extended)?;
    Some(match extended {
        0 => u64::from(second & 0x7f),
        _ => length.iter().fold(0, |length, byte| (length << 8) | u64::from(*byte)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let mut frame = match length {
            0..=125 => vec![0x82, u8::try_from(length).unwrap()],
            126..=0xffff => [&[0x82, 126][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
            _ => [&[0x82, 127][..], &u64::try_from(length).unwrap().to_be_bytes()].concat(),
        };
        frame.resize(frame.len() + length, 7);
        frame
    }

    proptest::proptest! {
        #[test]
        fn boundaries_are_where_frames_end(
            lengths in proptest::collection::vec(proptest::prop_oneof![0_usize..4, 120..130_usize, 65_530..65_540_usize], 1..5),
            cut in 1_usize..5_000,
        ) {
            let all: Vec<u8> = lengths.iter().flat_map(|length| frame(*length)).collect();
            let mut frames = Frames::default();
            for chunk in all.chunks(cut) {
                frames.advance(chunk);
            }
            proptest::prop_assert!(frames.at_boundary());
            frames.advance(&all[..1]);
            proptest::prop_assert!(!frames.at_boundary());
            proptest::prop_assert_eq!(frames.until_boundary(&all[1..]), frame(lengths[0]).len() - 1);
        }
    }
}
