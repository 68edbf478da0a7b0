//! HTTP/1.1 read byte by byte, so that a test sees what was sent and not what a library made of it.

use tokio::io::{AsyncRead, AsyncReadExt};

/// A request's head as it came over the wire.
#[derive(Clone, Debug)]
pub struct Head {
    /// Everything up to and with the empty line.
    pub raw: Vec<u8>,
    pub method: String,
    pub target: String,
    /// In their order and spelling.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// All values of a header, any case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }
}

/// A piece of a body, or its end with the trailers.
pub enum Piece {
    Bytes(Vec<u8>),
    End(Vec<(String, String)>),
}

/// How the rest of the current body is delimited.
enum Left {
    Known(u64),
    Chunks { in_chunk: u64, first: bool },
    Done,
}

/// Reads requests off one connection.
pub struct Reader<R> {
    stream: R,
    buffer: Vec<u8>,
    left: Left,
    /// All bytes that have arrived.
    pub received: u64,
}

const HEAD_LIMIT: usize = 1 << 20;

impl<R: AsyncRead + Unpin> Reader<R> {
    pub fn new(stream: R) -> Self {
        Self::resume(stream, Vec::new())
    }

    /// Goes on after [`Reader::into_parts`].
    pub fn resume(stream: R, buffer: Vec<u8>) -> Self {
        Self { stream, buffer, left: Left::Done, received: 0 }
    }

    /// The next request's head; none at the end of the connection. Malformed bytes are an error.
    pub async fn head(&mut self) -> std::io::Result<Option<Head>> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.buffer.len() > HEAD_LIMIT {
                return Err(bad("a head without end"));
            }
            if self.more().await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(bad("a head cut short")) };
            }
        };
        let raw: Vec<u8> = self.buffer.drain(..end).collect();
        let head = parse(raw)?;
        self.left = match (head.first("transfer-encoding"), head.first("content-length")) {
            (Some(_), _) => Left::Chunks { in_chunk: 0, first: true },
            (None, Some(length)) => Left::Known(length.parse().map_err(|_| bad("a length that is no number"))?),
            (None, None) => Left::Done,
        };
        Ok(Some(head))
    }

    /// The next piece of the body of the request whose head was read last.
    pub async fn piece(&mut self) -> std::io::Result<Piece> {
        match self.left {
            Left::Done | Left::Known(0) => {
                self.left = Left::Done;
                Ok(Piece::End(Vec::new()))
            }
            Left::Known(left) => {
                let bytes = self.take(left).await?;
                self.left = Left::Known(left - bytes.len() as u64);
                Ok(Piece::Bytes(bytes))
            }
            Left::Chunks { in_chunk: 0, first } => self.next_chunk(first).await,
            Left::Chunks { in_chunk, .. } => {
                let bytes = self.take(in_chunk).await?;
                self.left = Left::Chunks { in_chunk: in_chunk - bytes.len() as u64, first: false };
                Ok(Piece::Bytes(bytes))
            }
        }
    }

    /// The connection's stream and what was read beyond the head, once a protocol takes over.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        (self.stream, self.buffer)
    }

    async fn next_chunk(&mut self, first: bool) -> std::io::Result<Piece> {
        if !first {
            self.line().await?;
        }
        let line = self.line().await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| bad("a chunk size that is no number"))?;
        if size > 0 {
            self.left = Left::Chunks { in_chunk: size, first: false };
            return Ok(Piece::Bytes(Vec::new()));
        }
        let mut trailers = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            trailers.push((name.to_owned(), value.trim().to_owned()));
        }
        self.left = Left::Done;
        Ok(Piece::End(trailers))
    }

    async fn take(&mut self, most: u64) -> std::io::Result<Vec<u8>> {
        if self.buffer.is_empty() && self.more().await? == 0 {
            return Err(bad("a body cut short"));
        }
        let length = usize::try_from(most).unwrap_or(usize::MAX).min(self.buffer.len());
        Ok(self.buffer.drain(..length).collect())
    }

    async fn line(&mut self) -> std::io::Result<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if self.more().await? == 0 {
                return Err(bad("a line cut short"));
            }
        }
    }

    async fn more(&mut self) -> std::io::Result<usize> {
        let count = self.stream.read_buf(&mut self.buffer).await?;
        self.received += count as u64;
        Ok(count)
    }
}

fn parse(raw: Vec<u8>) -> std::io::Result<Head> {
    let mut headers = vec![httparse::EMPTY_HEADER; 512];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(&raw).map_err(|error| bad(&error.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let method = request.method.unwrap_or_default().to_owned();
    let target = request.path.unwrap_or_default().to_owned();
    let headers = request.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
    Ok(Head { method, target, headers, raw })
}

fn bad(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}
