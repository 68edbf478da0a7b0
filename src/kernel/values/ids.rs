//! Ids that we mint: 128 bits, a ULID each (48 bits of time, 80 of randomness), so they sort by age and never repeat.

use super::Timestamp;
use std::fmt;

/// Not 26 characters of Crockford base32.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("that is not an id")]
pub struct NotAnId;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn mint(now: Timestamp, random: [u8; 10]) -> u128 {
    let millis = u128::try_from(now.millis()).unwrap_or(0) & 0xffff_ffff_ffff;
    random.iter().fold(millis, |id, byte| (id << 8) | u128::from(*byte))
}

fn write(id: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write as _;
    for place in (0..26).rev() {
        let digit = usize::try_from((id >> (place * 5)) & 31).unwrap_or(0);
        f.write_char(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')))?;
    }
    Ok(())
}

fn parse(text: &str) -> Result<u128, NotAnId> {
    if text.len() != 26 || text.as_bytes().first().is_none_or(|first| *first > b'7') {
        return Err(NotAnId);
    }
    text.bytes().try_fold(0_u128, |id, byte| {
        let digit = ALPHABET.iter().position(|c| *c == byte).ok_or(NotAnId)?;
        Ok((id << 5) | u128::try_from(digit).map_err(|_| NotAnId)?)
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(u128);

        impl $name {
            /// Mints an id from the time and 80 random bits.
            pub fn mint(now: Timestamp, random: [u8; 10]) -> Self {
                Self(mint(now, random))
            }

            /// Reads the 26 characters that `Display` writes.
            ///
            /// # Errors
            /// [`NotAnId`] for anything else.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                parse(text).map(Self)
            }

            /// The 16 bytes, for storage and for MACs.
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }

            /// From the 16 bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, f)
            }
        }
    };
}

id!(
    /// One person, for good.
    AccountId
);
id!(
    /// One connection to one provider: the scope of every external identity (rule C1). Never an issuer string or entity id.
    DirectoryId
);
id!(
    /// One user record of one product.
    ProductAccountId
);
id!(
    /// One login session on the login host.
    LoginSessionId
);
id!(
    /// One session at one product, child of a login session. It is the `sid` of assertions and access logs.
    ProductSessionId
);
id!(
    /// One bearer token of the admin API.
    ApiTokenId
);
id!(
    /// One second step of a person.
    FactorId
);
id!(
    /// One proof of a mailbox that is under way.
    MailboxProofId
);
id!(
    /// The move of one record to the one account.
    MigrationId
);
id!(
    /// One change of provider: a window, or a map that was carried out.
    RelinkId
);
id!(
    /// One letter to one recipient.
    MailId
);
id!(
    /// One audit event.
    EventId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_age() {
        let older = AccountId::mint(Timestamp::from_millis(1), [255; 10]);
        let newer = AccountId::mint(Timestamp::from_millis(2), [0; 10]);
        assert!(older < newer && older.to_string() < newer.to_string());
    }

    #[test]
    fn refuses_other_text() {
        for text in ["", "0", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0000000000000000000000000u", "0000000000000000000000000é"]
        {
            assert_eq!(EventId::parse(text), Err(NotAnId), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn text_and_bytes_round_trip(bytes: [u8; 16]) {
            let id = AccountId::from_bytes(bytes);
            proptest::prop_assert_eq!(AccountId::parse(&id.to_string()).unwrap(), id);
            proptest::prop_assert_eq!(AccountId::from_bytes(id.to_bytes()), id);
        }
    }
}
