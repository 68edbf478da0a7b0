//! What our verifier says of one document after the other, for `fuzz/differential`: documents on standard input, each behind its
//! length in four bytes, the highest first; on standard output a line for each, `yes` or the fault's code.
//!
//! `saml_verdicts CERTIFICATE`: the provider's, DER. Only verification is asked: whom and when is the judge's matter.

use fedgate::kernel::saml::{Received, SigningKeys, Trust};
use std::error::Error;
use std::io::{self, ErrorKind, Read as _, Write as _};

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("saml_verdicts CERTIFICATE")?;
    let keys = SigningKeys::from_certificates([std::fs::read(file)?.as_slice()])?;
    let trust = Trust { keys: &keys, decryption: None, cbc: false };
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Err(end) if end.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let mut document = vec![0; usize::try_from(u32::from_be_bytes(length))?];
        input.read_exact(&mut document)?;
        let said = Received::open(&document, &trust).map_or_else(|fault| fault.code(), |_| "yes");
        writeln!(output, "{said}")?;
        output.flush()?;
    }
}
