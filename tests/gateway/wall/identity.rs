//! What only we may say of a person or of the way of a request, in every spelling (rules H7, C7).

use super::*;

/// Names that some server folds into one of ours, or that decide in its place.
const FORGED: [&str; 62] = [
    "X-Fedgate-User",
    "x-fedgate-user",
    "X_Fedgate_User",
    "X-FEDGATE_USER",
    "X.Fedgate.User",
    "X!Fedgate!User",
    "X~Fedgate~User",
    "X|Fedgate|User",
    "X*Fedgate^User",
    "X+Fedgate`User",
    "X'Fedgate'User",
    "X%Fedgate%User",
    "X&Fedgate&User",
    "X#Fedgate#User",
    "X$Fedgate$User",
    "X-Fedgate-User-Id",
    "X-Fedgate",
    "Fedgate-Assertion",
    "FEDGATE-ASSERTION",
    "Fedgate_Assertion",
    "fedgate.assertion",
    "Fedgate",
    "X-Auth-Name",
    "X_Auth_Name",
    "x-auth.name",
    "X-Auth-Name-2",
    "X-Forwarded-For",
    "X_Forwarded_For",
    "X-Forwarded-Host",
    "X-Forwarded-Server",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Forwarded-Scheme",
    "X-Forwarded-SSL",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Uri",
    "X-Forwarded",
    "Forwarded",
    "forwarded-for",
    "X-Real-IP",
    "X_Real_IP",
    "X-Original-URL",
    "X-Original-Host",
    "X-Original-Method",
    "X_Original_URI",
    "X-Rewrite-URL",
    "X.Rewrite.Url",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X_HTTP_Method_Override",
    "X-Method-Override",
    "X-Envoy-Original-Path",
    "X-Envoy-External-Address",
    "X-Request-Id",
    "Proxy",
    "Proxy-Authorization",
    "Authorization",
];

#[test]
fn h7_no_spelling_of_a_forged_name_reaches_the_product() {
    let wall = Wall::new();
    let mut raws = Vec::new();
    for name in FORGED {
        // The peer is a trusted proxy: what it says by this one must be readable to be answered at all.
        let (x, eve) = if name == "Forwarded" { ("for=_x", "for=_eve") } else { ("x", "eve") };
        raws.push((name, format!("GET /a HTTP/1.1\r\nBASE{name}: {eve}\r\n\r\n")));
        raws.push((name, format!("GET /a HTTP/1.1\r\nBASE{name}: {x}\r\n{name}:{eve}\r\n\r\n")));
        raws.push((name, format!("GET /a HTTP/1.1\r\n{name}:\t{eve} \t\r\nBASEConnection: close, {name}\r\n\r\n")));
    }
    let rows: Vec<Row<'_>> =
        raws.iter().map(|(name, raw)| row(name, raw, 200, Sees::Once(&["get /a http/1.1"]))).collect();
    wall.check(&rows);
}

#[test]
fn h7_connection_cannot_take_our_fields_away() {
    let wall = Wall::new();
    let ours = "x-fedgate-user, fedgate-assertion, x-auth-name, x-forwarded-for, host, x-forwarded-host, cookie";
    let lines = ["get /a http/1.1", "x-auth-name: ann", "host: trello.localhost", "x-forwarded-host: trello.localhost"];
    let raws = [
        format!("GET /a HTTP/1.1\r\nBASEConnection: {ours}\r\n\r\n"),
        format!("GET /a HTTP/1.1\r\nBASEConnection: close\r\nConnection: {}\r\n\r\n", ours.to_uppercase()),
        format!("GET /a HTTP/1.1\r\nBASEConnection: ,, {ours} ,\t,\r\n\r\n"),
        format!("GET /a HTTP/1.1\r\nBASETE: {ours}\r\nTrailer: {ours}\r\n\r\n"),
        format!("GET /a HTTP/1.1\r\nBASEKeep-Alive: {ours}\r\nProxy-Connection: {ours}\r\n\r\n"),
    ];
    let rows: Vec<Row<'_>> = raws.iter().map(|raw| row(raw, raw, 200, Sees::Once(&lines))).collect();
    wall.check(&rows);
    // What the client names there is for us alone, and ends here; what nobody may name stays.
    for named in ["x-hop", "X-HOP", "close, x-hop", "keep-alive , x-hop,x", "\tx-hop\t"] {
        let raw = format!("GET /a HTTP/1.1\r\nBASEX-Hop: eve\r\nx-hop: eve\r\nConnection: {named}\r\n\r\n");
        wall.check(&[row(named, raw, 200, Sees::Once(&["get /a http/1.1"]))]);
    }
    let framed = "POST /a HTTP/1.1\r\nBASEContent-Length: 5\r\nConnection: content-length, host\r\n\r\nhello";
    wall.check(&[row("content-length", framed, 200, Sees::Body(b"hello"))]);
    let expecting = "POST /a HTTP/1.1\r\nBASEContent-Length: 5\r\nExpect: 100-continue\r\nX-End: eve\r\nConnection: x-end\r\n\r\nhello";
    let mut client = wall.world.plain();
    client.stream.write_all(&wall.fill(expecting.as_bytes())).unwrap();
    let first = client.reply().status;
    assert!(first == 200 || (first == 100 && client.reply().status == 200), "{first}");
    let seen = wall.recorder.take();
    assert!(seen.len() == 1 && !seen[0].head.contains("expect"), "we are what was expected to answer: {seen:?}");
    // What ends at this hop does not go on, in any spelling.
    for name in ["Connection", "TE", "Trailer", "Keep-Alive", "Proxy-Connection", "Upgrade", "Transfer_Encoding"] {
        let raw = format!("GET /a HTTP/1.1\r\nBASEOrigin: https://{HOST}\r\n{name}: x-eve\r\n\r\n");
        wall.check(&[row(name, raw, 200, Sees::Once(&["get /a http/1.1"]))]);
    }
}

#[test]
fn c7_a_strangers_credential_goes_nowhere() {
    // Also where the product keeps `Authorization` beside a session: a stranger has none.
    let wall = Wall::with(|_, site| site.keep_authorization = true);
    for path in ["/share/1", "/assets/a"] {
        for credential in ["Basic eve", "Bearer eve", "Digest eve", "Negotiate eve", "eve"] {
            let fields = [&*format!("Authorization: {credential}"), "Proxy-Authorization: eve"];
            assert_eq!(wall.world.ask(&format!("GET {path}"), &fields).status, 200, "{path} {credential}");
            judge_seen(&wall.recorder.take()).unwrap_or_else(|why| panic!("{path} {credential}: {why}"));
        }
    }
}

#[test]
fn h7_names_that_are_none_are_refused() {
    let wall = Wall::new();
    let lines: [&[u8]; 12] = [
        b"X-Fedgate-User : eve",
        b"X-Fedgate-User\t: eve",
        b" X-Fedgate-User: eve",
        b"X-A: b\r\n X-Fedgate-User: eve",
        b"X-A: b\r\n\tX-Fedgate-User: eve",
        b"X-A:\r\n X-Fedgate-User: eve",
        b"X Fedgate User: eve",
        b"X\0Fedgate: eve",
        b"X\xadFedgate-User: eve",
        b": eve",
        b"X-Fedgate-User",
        b"X-A: b\rX-Fedgate-User: eve",
    ];
    let raws: Vec<(String, Vec<u8>)> = lines
        .iter()
        .map(|line| {
            let raw = [&b"GET /a HTTP/1.1\r\nBASE"[..], line, b"\r\n\r\n"].concat();
            (String::from_utf8_lossy(line).into_owned(), raw)
        })
        .collect();
    let rows: Vec<Row<'_>> = raws.iter().map(|(name, raw)| row(name, raw, 400, Sees::Nothing)).collect();
    wall.check(&rows);
}

#[test]
fn h7_trailers_of_requests_end_here() {
    let wall = Wall::new();
    let raws: Vec<String> = FORGED
        .iter()
        .chain(&["X-Own", "Cookie", "Host", "Content-Length", "Transfer-Encoding"])
        .map(|name| {
            format!(
                "POST /a HTTP/1.1\r\nBASETransfer-Encoding: chunked\r\nTrailer: {name}\r\nTE: trailers\r\n\r\n\
                 2\r\nhi\r\n0\r\n{name}: eve\r\n\r\n"
            )
        })
        .collect();
    let rows: Vec<Row<'_>> = raws.iter().map(|raw| row(raw, raw, 200, Sees::Body(b"hi"))).collect();
    wall.check(&rows);
}

#[test]
fn m29_a_stranger_does_not_say_where_a_request_came_from() {
    // The peer is no trusted proxy on the TLS listener; here it is one, and its last word counts.
    let wall = Wall::new();
    let check = |fields: &str, client: &str| {
        let line = format!("x-forwarded-for: {client}");
        let forwarded = format!("forwarded: for={client};host=\"trello.localhost\";proto=https");
        let lines = ["get /a http/1.1", &line, &forwarded];
        wall.check(&[row(fields, format!("GET /a HTTP/1.1\r\nBASE{fields}\r\n"), 200, Sees::Once(&lines))]);
    };
    check("X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1");
    check("X-Forwarded-For: 198.51.100.1, 192.0.2.1\r\n", "192.0.2.1");
    check("X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1");
    check("X-Forwarded-For: 192.0.2.1, 127.0.0.1\r\n", "192.0.2.1");
    check("X-Forwarded-For: 192.0.2.1, evil\r\n", "127.0.0.1");
    check("X_Forwarded_For: 192.0.2.1\r\n", "127.0.0.1");
    check("Forwarded: for=192.0.2.1\r\nX-Real-IP: 198.51.100.1\r\n", "192.0.2.1");
    check("Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 198.51.100.1\r\n", "127.0.0.1");
    check("X-Real-IP: 192.0.2.1\r\nX-Client-IP: 192.0.2.1\r\n", "127.0.0.1");
    check("X-Forwarded-For: 127.0.0.1\r\n", "127.0.0.1");
}
