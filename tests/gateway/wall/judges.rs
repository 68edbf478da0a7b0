//! Other people's parsers, and servers that stand on them.

use super::recorder::Message;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What a request means: everything that a program can tell of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Meaning {
    pub method: String,
    pub target: String,
    /// Names in lower case, in a fixed order; bytes as characters.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: usize,
}

impl Meaning {
    /// From the words of a judge; `Err` is why it could not read.
    pub fn of(read: &Value) -> Result<Self, String> {
        if let Some(error) = read.get("error") {
            return Err(error.to_string());
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut fields: Vec<(String, String)> =
            read["fields"].as_array().into_iter().flatten().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        fields.sort();
        let body = STANDARD.decode(text(&read["body"])).map_err(|error| error.to_string())?;
        let trailers = usize::try_from(read["trailers"].as_u64().ok_or("it has no end")?).map_err(|e| e.to_string())?;
        Ok(Self { method: text(&read["method"]), target: text(&read["target"]), fields, body, trailers })
    }

    /// What a program sees that folds names into variables, as CGI does, and joins those that fold into one.
    pub fn folded(&self, name: &str) -> String {
        let fold = |name: &str| -> String {
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
        };
        let same = self.fields.iter().filter(|(field, _)| fold(field) == fold(name));
        same.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(",")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The judge's program; a test that needs it fails without it.
fn program(judge: &str) -> Command {
    let (program, script) = match judge {
        "node" => ("target/peers/node", "tests/gateway/wall/readers.mjs"),
        _ => ("target/peers/venv/bin/python", "tests/gateway/wall/readers.py"),
    };
    let program = root().join(program);
    assert!(program.exists(), "{judge} is not installed for this test: run ./tests/run --install");
    let mut command = Command::new(program);
    command.arg(root().join(script)).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// What a judge reads in each of these: every request that it finds, or why it does not.
pub fn ask_batch(judge: &str, raws: &[&[u8]]) -> Vec<Vec<Result<Meaning, String>>> {
    let mut child = program(judge).arg("parse").spawn().unwrap();
    let encoded: Vec<String> = raws.iter().map(|raw| STANDARD.encode(raw)).collect();
    let mut stdin = child.stdin.take().unwrap();
    let asked = serde_json::to_vec(&encoded).unwrap();
    let asking = std::thread::spawn(move || stdin.write_all(&asked).unwrap());
    let output = child.wait_with_output().unwrap();
    asking.join().unwrap();
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    read.as_array().unwrap().iter().map(|found| found.as_array().unwrap().iter().map(Meaning::of).collect()).collect()
}

/// What httparse reads in a message that the recorder kept.
pub fn httparse_reads(message: &Message) -> Meaning {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(end) = request.parse(&message.raw).unwrap() else { panic!("{message:?}") };
    assert_eq!(request.version, Some(1));
    let latin = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let (method, target) = (request.method.unwrap().to_owned(), request.path.unwrap().to_owned());
    let mut fields: Vec<(String, String)> =
        request.headers.iter().map(|field| (field.name.to_lowercase(), latin(field.value))).collect();
    fields.sort();
    let chunked = fields.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let mut rest = &message.raw[end..];
    let mut body = Vec::new();
    if chunked {
        loop {
            let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
                panic!("{message:?}")
            };
            let size = usize::try_from(size).unwrap();
            body.extend_from_slice(&rest[start..start + size]);
            rest = &rest[start + size + 2..];
            if size == 0 {
                break;
            }
        }
        assert!(rest.is_empty(), "{message:?}");
    } else {
        let length =
            fields.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
        assert_eq!(rest.len(), length, "{message:?}");
        body.extend_from_slice(rest);
    }
    Meaning { method, target, fields, body, trailers: 0 }
}

/// A server on a unix socket of its own. Dropping it ends the process.
pub struct Server {
    child: Child,
    _folder: tempfile::TempDir,
    pub socket: PathBuf,
}

impl Server {
    pub fn start(kind: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("product.sock");
        let child = if kind == "nginx" { nginx(folder.path(), &socket) } else { script(kind, &socket) };
        let server = Self { child, _folder: folder, socket };
        for _ in 0..1_000 {
            if std::os::unix::net::UnixStream::connect(&server.socket).is_ok() {
                return server;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{kind} did not start");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A script ends with its standard input; whatever is left is killed.
        drop(self.child.stdin.take());
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn script(kind: &str, socket: &Path) -> Child {
    let mut child = program(kind).arg("serve").arg(socket).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "{kind}");
    child
}

/// nginx at its most lenient: names that it would drop or refuse are kept.
fn nginx(folder: &Path, socket: &Path) -> Child {
    let program =
        ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"].iter().find(|path| Path::new(path).exists());
    let program = program.expect("nginx is not installed for this test: run ./tests/run --install");
    let at = folder.display();
    let said = "$request_method\\n$request_uri\\n$uri\\n$content_length\\n$http_transfer_encoding\\n$http_x_fedgate_user\\n\
                $http_fedgate_assertion\\n$http_x_forwarded_for\\n$http_authorization\\n$http_cookie\\n$request_length";
    let file = format!(
        "daemon off; master_process off; pid {at}/pid; error_log stderr crit;\nevents {{ worker_connections 64; }}\n\
         http {{ access_log off; client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;\n\
         uwsgi_temp_path {at}/u; scgi_temp_path {at}/s; large_client_header_buffers 8 128k;\n\
         server {{ listen unix:{}; underscores_in_headers on; ignore_invalid_headers off; merge_slashes off;\n\
         location / {{ return 200 \"{said}\"; }} }} }}\n",
        socket.display()
    );
    std::fs::write(folder.join("nginx.conf"), file.replace("                ", "")).unwrap();
    let mut command = Command::new(program);
    command.arg("-e").arg("stderr").arg("-c").arg(folder.join("nginx.conf")).arg("-p").arg(folder);
    command.stdin(Stdio::null()).spawn().unwrap()
}
