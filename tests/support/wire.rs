//! Connections of the tests' clients: every host name is 127.0.0.1, TLS trusts the given authorities only.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use url::Url;

/// Either kind of byte stream, boxed.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

#[derive(Clone)]
pub struct Wire {
    tls: Arc<rustls::ClientConfig>,
    h2: bool,
}

/// One HTTP connection, for tests that send several requests over it.
pub enum Connection {
    H1(http1::SendRequest<Full<Bytes>>),
    H2(http2::SendRequest<Full<Bytes>>),
}

impl Wire {
    /// Trusts nobody: for plain HTTP.
    pub fn plain() -> Self {
        Self::trusting(&[])
    }

    /// Trusts the authorities in these PEM files.
    pub fn trusting(files: &[&Path]) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        for file in files {
            for certificate in
                CertificateDer::pem_file_iter(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
            {
                roots.add(certificate.expect("a certificate in PEM")).expect("an authority's certificate");
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("aws-lc speaks TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: Arc::new(tls), h2: false }
    }

    /// The same, offering HTTP/2 (and over TLS only that).
    #[must_use]
    pub fn with_h2(mut self) -> Self {
        let mut tls = (*self.tls).clone();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        self.tls = Arc::new(tls);
        self.h2 = true;
        self
    }

    /// A byte stream to the URL's port on 127.0.0.1, TLS where the scheme asks for it.
    pub async fn stream(&self, url: &Url) -> std::io::Result<Box<dyn Stream>> {
        let port = url.port_or_known_default().expect("a scheme with a port");
        let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
        tcp.set_nodelay(true)?;
        if !matches!(url.scheme(), "https" | "wss") {
            return Ok(Box::new(tcp));
        }
        let host = url.host_str().expect("a host").trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(std::io::Error::other)?;
        Ok(Box::new(tokio_rustls::TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await?))
    }

    /// An HTTP connection to where the URL points.
    pub async fn connect(&self, url: &Url) -> std::io::Result<Connection> {
        let io = TokioIo::new(self.stream(url).await?);
        // The connection's own end is seen by whoever waits for an answer on it.
        if self.h2 {
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.map_err(std::io::Error::other)?;
            tokio::spawn(connection);
            Ok(Connection::H2(sender))
        } else {
            let (sender, connection) = http1::Builder::new().handshake(io).await.map_err(std::io::Error::other)?;
            tokio::spawn(connection.with_upgrades());
            Ok(Connection::H1(sender))
        }
    }

    /// Sends one request over a connection of its own. The request names the whole URL; `Host` is added.
    pub async fn send(&self, url: &Url, request: Request<Full<Bytes>>) -> std::io::Result<Response<Incoming>> {
        self.connect(url).await?.send(request).await
    }

    /// The whole answer: its head, and the body's bytes.
    pub async fn exchange(&self, url: &Url, request: Request<Full<Bytes>>) -> std::io::Result<Response<Bytes>> {
        let (head, body) = self.send(url, request).await?.into_parts();
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        Ok(Response::from_parts(head, body))
    }

    /// For the admin ports of peers.
    pub async fn post_json(&self, url: &str, body: &Value) -> (StatusCode, Value) {
        let url = Url::parse(url).expect("a URL");
        let request = Request::post(url.as_str()).body(Full::from(body.to_string())).expect("a request");
        let answer = self.exchange(&url, request).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        (answer.status(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

impl Connection {
    pub async fn send(&mut self, mut request: Request<Full<Bytes>>) -> std::io::Result<Response<Incoming>> {
        match self {
            Self::H1(sender) => {
                let uri = request.uri().clone();
                if let (Some(authority), false) = (uri.authority(), request.headers().contains_key("host")) {
                    let host = authority.as_str().parse().expect("an authority is a header value");
                    request.headers_mut().insert("host", host);
                }
                let path = uri.path_and_query().map_or("/", |path| path.as_str());
                *request.uri_mut() = path.parse().expect("a path of a valid URI");
                sender.ready().await.map_err(std::io::Error::other)?;
                sender.send_request(request).await.map_err(std::io::Error::other)
            }
            Self::H2(sender) => {
                sender.ready().await.map_err(std::io::Error::other)?;
                sender.send_request(request).await.map_err(std::io::Error::other)
            }
        }
    }
}
