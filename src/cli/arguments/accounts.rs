//! What the operator does about single accounts.

use clap::Subcommand;

/// `fedgate quarantine`: accounts that were put aside for somebody who proved their address.
#[derive(Clone, Debug, Subcommand)]
pub enum Quarantines {
    /// List those that can still be brought back.
    #[command(after_help = "Example:\n  fedgate quarantine list")]
    List,
    /// Bring one back, with the address, the password and the links that it had; within 30 days, while nobody else has the address.
    #[command(after_help = "Example:\n  fedgate quarantine undo 01KB3Z8Q4W9T5N7M2XJ6R0V1CD")]
    Undo {
        /// Its id, as `list` shows it.
        account: String,
    },
    /// Let a product hear of an address for another user id than before, once the product itself has let go of it. Products with an
    /// adapter say so themselves.
    #[command(after_help = "Example:\n  fedgate quarantine free ann@acme.com --product trello")]
    Free {
        /// The address.
        email: String,
        /// The product.
        #[arg(long, value_name = "P")]
        product: String,
    },
}

/// `fedgate tombstone`: what is kept of deleted accounts, so that nobody brings them back.
#[derive(Clone, Debug, Subcommand)]
pub enum Tombstones {
    /// Say which deleted account an address keeps out, and which products still know the address under its user id.
    #[command(after_help = "Example:\n  fedgate tombstone show ann@acme.com")]
    Show {
        /// The address.
        email: String,
    },
    /// Let whoever had this address come anew, as somebody new: the deleted account stays deleted. All its addresses and identities
    /// keep nobody out from then on.
    #[command(after_help = "Example:\n  fedgate tombstone lift ann@acme.com")]
    Lift {
        /// The address.
        email: String,
    },
}
