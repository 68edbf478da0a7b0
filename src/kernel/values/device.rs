//! What a browser calls itself, as coarsely as its owner recognizes it.

/// A browser and a system, each out of a closed list: nothing of a `User-Agent` (RFC 9110 §10.1.5) that somebody chose is kept or shown.
///
/// Good for a person who looks for a device of their own, and for nothing else: a client says what it likes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Device {
    browser: &'static str,
    system: &'static str,
}

/// Marks of browsers in the order in which they count: most name others too, to be taken for them.
const BROWSERS: [(&str, &str); 10] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

/// The same of systems.
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("X11", "Unix"),
];

/// The name of what no mark tells.
const OTHER: &str = "";

impl Device {
    /// Reads what a browser calls itself; what is not recognized is left out.
    pub fn of(user_agent: &str) -> Self {
        let find = |marks: &[(&str, &'static str)]| {
            marks.iter().find(|(mark, _)| user_agent.contains(mark)).map_or(OTHER, |(_, name)| *name)
        };
        Self { browser: find(&BROWSERS), system: find(&SYSTEMS) }
    }

    /// The stable text in rows: `Firefox/Linux`; either side may be empty.
    pub fn code(self) -> String {
        format!("{}/{}", self.browser, self.system)
    }

    /// Reads [`Self::code`]; what is in no list reads as not recognized.
    pub fn from_code(code: &str) -> Self {
        let (browser, system) = code.split_once('/').unwrap_or_default();
        let find = |marks: &[(&str, &'static str)], text: &str| {
            marks.iter().find(|(_, name)| *name == text).map_or(OTHER, |(_, name)| *name)
        };
        Self { browser: find(&BROWSERS, browser), system: find(&SYSTEMS, system) }
    }

    /// The browser and the system, each where it was recognized.
    pub fn parts(self) -> (Option<&'static str>, Option<&'static str>) {
        let known = |name: &'static str| (name != OTHER).then_some(name);
        (known(self.browser), known(self.system))
    }

    /// As people read it: `Firefox on Linux`, `A browser on Windows`, `An unknown browser`.
    pub fn shown(self) -> String {
        match (self.browser, self.system) {
            (OTHER, OTHER) => "An unknown browser".to_owned(),
            (OTHER, system) => format!("A browser on {system}"),
            (browser, OTHER) => browser.to_owned(),
            (browser, system) => format!("{browser} on {system}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(user_agent: &str, shown: &str) {
        let device = Device::of(user_agent);
        assert_eq!(device.shown(), shown, "{user_agent}");
        assert_eq!(Device::from_code(&device.code()), device, "{user_agent}");
    }

    #[test]
    fn a_browser_is_named_and_whom_it_imitates_is_not() {
        check("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux");
        check(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0",
            "Edge on Windows",
        );
        check(
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36",
            "Chrome on Android",
        );
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1 CriOS/130.0 Safari/604.1",
            "Chrome on iPhone",
        );
        check(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1 Version/17.5 Safari/605.1",
            "Safari on macOS",
        );
        check("curl/8.5.0", "curl");
        check("", "An unknown browser");
    }

    #[test]
    fn m26_nothing_that_a_client_wrote_is_kept() {
        check("<b>Call +1 555 0100</b> Windows\u{202e}", "A browser on Windows");
        assert_eq!(Device::from_code("Evil <b>/Windows").shown(), "A browser on Windows");
        assert_eq!(Device::from_code("").shown(), "An unknown browser");
    }
}
