//! What a product says, and how it goes over the wire.

/// What to say to requests for one path.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// With trailers the body goes out chunked.
    pub trailers: Vec<(String, String)>,
}

impl Answer {
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { status, headers, body: body.into(), trailers: Vec::new() }
    }

    /// The bytes on the wire.
    pub fn written(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Told\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.trailers.is_empty() {
            return [format!("{head}content-length: {}\r\n\r\n", self.body.len()).as_bytes(), &self.body].concat();
        }
        let start = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n", self.body.len());
        let trailers: String = self.trailers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        [start.as_bytes(), &self.body, format!("\r\n0\r\n{trailers}\r\n").as_bytes()].concat()
    }
}

/// A page that shows what arrived and holds a WebSocket.
pub fn page(echo: &str) -> String {
    let escaped = echo.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A product</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>A product</h1>
<p id="live" data-state="connecting"></p><pre id="request" style="white-space:pre-wrap;overflow-wrap:anywhere">{escaped}</pre></main><script>
const live = document.getElementById('live');
const socket = new WebSocket(location.origin.replace(/^http/, 'ws') + '/live');
const say = (state) => {{ live.dataset.state = state; live.textContent = state; }};
socket.onopen = () => say('open');
socket.onclose = (event) => say('closed ' + event.code);
</script></body></html>"#
    )
}
