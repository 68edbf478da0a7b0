//! The process's side: it warms its libraries up, closes the sandbox around itself, says so, and answers until its pipe ends.

use super::frame::{self, Answer, Hello, Request};
use super::{engine, sandbox};
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

/// Serves its parent on standard input and output. This is the hidden command's whole work, in a process that has started no thread.
pub fn serve() -> ExitCode {
    // Whatever the libraries load, they load now: afterwards there are no files.
    let hello = match engine::know() {
        Err(why) => Hello::Broken(why),
        Ok(()) => match sandbox::close() {
            Err(why) => Hello::NoSandbox(why),
            // Once more inside: a library that needs what was taken away says so now, and not at a person's login.
            Ok(()) => engine::know().map_or_else(Hello::Broken, |()| Hello::Ready),
        },
    };
    let ready = matches!(hello, Hello::Ready);
    if say(&hello).is_err() || !ready {
        return ExitCode::FAILURE;
    }
    loop {
        let request = match hear() {
            Ok(Some(request)) => request,
            Ok(None) => return ExitCode::SUCCESS,
            Err(_) => return ExitCode::FAILURE,
        };
        let answer = match engine::read(&request.document, request.certificates) {
            Ok(opinion) => Answer::Read(Box::new(opinion)),
            Err(why) => Answer::Refused(why),
        };
        if say(&answer).is_err() {
            return ExitCode::FAILURE;
        }
    }
}

fn say(what: &impl serde::Serialize) -> io::Result<()> {
    let frame = frame::encode(what).ok_or(io::ErrorKind::InvalidData)?;
    let mut out = io::stdout().lock();
    out.write_all(&frame)?;
    out.flush()
}

/// The next request; `None` where the parent is gone.
fn hear() -> io::Result<Option<Request>> {
    let mut input = io::stdin().lock();
    let mut head = [0; 4];
    match input.read_exact(&mut head) {
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    let length = frame::length(head).ok_or(io::ErrorKind::InvalidData)?;
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    frame::decode(&body).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
