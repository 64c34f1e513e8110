//! A real Chromium, driven by WebDriver: just what the tests of the page need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::parts::{Server, check, eventually, free_port};

/// How the browser is to be.
pub struct Look {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    pub script: bool,
}

pub const WIDE: Look = Look { width: 1280, height: 1800, dark: false, script: true };
pub const PHONE: Look = Look { width: 400, height: 900, dark: false, script: true };

pub struct Browser {
    driver: Server,
    port: u16,
    session: String,
    profile: tempfile::TempDir,
}

impl Browser {
    pub fn start(look: &Look) -> Result<Self, Failed> {
        let port = free_port();
        let driver = Server(
            Command::new("chromedriver")
                .arg(format!("--port={port}"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?,
        );
        let profile = tempfile::tempdir()?;
        let mut browser = Self { driver, port, session: String::new(), profile };
        eventually(Duration::from_secs(20), || {
            let ready = browser.ask("GET", "/status", &Value::Null)?["ready"].clone();
            check(ready == true, || "chromedriver is not ready".to_owned())
        })?;
        let mut arguments: Vec<String> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            "--hide-scrollbars",
            "--disable-dev-shm-usage",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", browser.profile.path().display()));
        arguments.push(format!("--window-size={},{}", look.width, look.height));
        if look.dark {
            arguments.push("--force-dark-mode".to_owned());
            arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        let script = if look.script { 1 } else { 2 };
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": { "profile.managed_default_content_settings.javascript": script },
                "mobileEmulation": { "deviceMetrics": { "width": look.width, "height": look.height, "pixelRatio": 1.0, "mobile": false, "touch": false } },
            },
        } } });
        let session = browser.ask("POST", "/session", &capabilities)?;
        session["sessionId"].as_str().ok_or_else(|| session.to_string())?.clone_into(&mut browser.session);
        Ok(browser)
    }

    /// One request to the driver; the value of its answer.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Failed> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        // The driver keeps the connection open.
        let mut reader = BufReader::new(stream);
        let (mut length, mut line) = (0, String::new());
        while reader.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            line.clear();
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer)?;
        let body = String::from_utf8_lossy(&answer);
        let value = serde_json::from_str::<Value>(&body)?["value"].clone();
        match value["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["message"]).into()),
            None => Ok(value),
        }
    }

    fn of_session(&self, method: &str, path: &str, body: &Value) -> Result<Value, Failed> {
        self.ask(method, &format!("/session/{}{path}", self.session), body)
    }

    pub fn open(&self, url: &str) -> Result<(), Failed> {
        self.of_session("POST", "/url", &json!({ "url": url })).map(drop)
    }

    pub fn url(&self) -> Result<String, Failed> {
        Ok(self.of_session("GET", "/url", &Value::Null)?.as_str().unwrap_or_default().to_owned())
    }

    pub fn back(&self) -> Result<(), Failed> {
        self.of_session("POST", "/back", &json!({})).map(drop)
    }

    /// Clicks what a person would: the element must be there, visible and not covered.
    ///
    /// A live page may put a newer element in its place between the driver's two steps: then it is looked for again.
    pub fn click(&self, css: &str) -> Result<(), Failed> {
        let mut tries = 3;
        loop {
            let found = self.of_session("POST", "/element", &json!({ "using": "css selector", "value": css }))?;
            let id = found.as_object().and_then(|o| o.values().next()).and_then(Value::as_str).ok_or("no element")?;
            tries -= 1;
            match self.of_session("POST", &format!("/element/{id}/click"), &json!({})) {
                Err(gone) if tries > 0 && gone.message().is_some_and(|m| m.starts_with("stale element")) => {}
                done => return done.map(drop),
            }
        }
    }

    pub fn key(&self, key: &str) -> Result<(), Failed> {
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": [
            { "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }
        ] }] });
        self.of_session("POST", "/actions", &actions).map(drop)
    }

    /// What a script in the page returns.
    pub fn script(&self, script: &str) -> Result<Value, Failed> {
        self.of_session("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What a script tells `arguments[0]`, once it does.
    pub fn script_later(&self, script: &str) -> Result<Value, Failed> {
        self.of_session("POST", "/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// The page's text, as a person reads it.
    pub fn text(&self) -> Result<String, Failed> {
        Ok(self.script("return document.body.innerText")?.as_str().unwrap_or_default().to_owned())
    }

    /// A screenshot as PNG.
    pub fn screenshot(&self) -> Result<Vec<u8>, Failed> {
        let text = self.of_session("GET", "/screenshot", &Value::Null)?;
        decoded(text.as_str().ok_or("no screenshot")?)
    }

    /// Asks the browser's own tools for developers: the protocol of Chromium.
    pub fn tools(&self, command: &str, parameters: &Value) -> Result<Value, Failed> {
        self.of_session("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// What the browser complained of.
    pub fn complaints(&self) -> Result<Vec<String>, Failed> {
        let log = self.of_session("POST", "/se/log", &json!({ "type": "browser" }))?;
        Ok(log.as_array().map(|all| all.iter().map(ToString::to_string).collect()).unwrap_or_default())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver's end is not the browser's.
        if !self.session.is_empty() {
            let _ = self.of_session("DELETE", "", &Value::Null);
        }
        let _ = self.driver.0.kill();
    }
}

/// Base64.
fn decoded(text: &str) -> Result<Vec<u8>, Failed> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for symbol in text.bytes().filter(|symbol| *symbol != b'=') {
        let value = (0_u32..).zip(ALPHABET).find(|(_, known)| **known == symbol).ok_or("no base64")?.0;
        bits = bits << 6 | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count).to_le_bytes()[0]);
        }
    }
    Ok(bytes)
}
