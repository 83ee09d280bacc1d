//! A message in the form each service takes it.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::address::Address;
use super::message::Message;
use super::sign;
use super::template::cut;

/// Most bytes of a text, by what the services say they take.
const SLACK: usize = 4_000;
const FEISHU: usize = 15_000;
const DINGTALK: usize = 15_000;
const WECOM: usize = 2_048;
const PING: usize = 10_000;

/// The header with the signature of a webhook.
pub const SIGNATURE: &str = "X-Barkeep-Signature";

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where it goes.
    pub address: Address,
    /// Its kind of content.
    pub content_type: &'static str,
    /// Headers besides.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
    /// How an answer is read that is a success of HTTP.
    pub answer: Answer,
}

/// What an answer says besides its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: the status is enough.
    Any,
    /// A JSON object with this number, 0 for a success.
    Code(&'static str),
}

const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

fn post(address: &Address, body: &Value, answer: Answer) -> Request {
    Request { address: address.clone(), content_type: JSON, headers: Vec::new(), body: body.to_string(), answer }
}

/// The message itself, as JSON; its signature covers every byte of the body.
///
/// # Errors
/// It is no JSON, which is a mistake of barkeep.
pub fn webhook(
    address: &Address,
    secret: Option<&SecretString>,
    message: &Message,
    text: &str,
) -> Result<Request, serde_json::Error> {
    let mut body = serde_json::to_value(message)?;
    body["type"] = "barkeep.run".into();
    body["version"] = 1.into();
    body["text"] = text.into();
    let mut request = post(address, &body, Answer::Any);
    if let Some(secret) = secret {
        let signature = sign::of_body(secret.expose_secret(), request.body.as_bytes());
        request.headers.push((SIGNATURE, signature));
    }
    Ok(request)
}

/// For an incoming webhook of Slack.
pub fn slack(address: &Address, text: &str) -> Request {
    // Slack takes these three for its own marks.
    let text = cut(text, SLACK).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    post(address, &json!({ "text": text }), Answer::Any)
}

/// For a custom bot of Feishu; `now` is in seconds since 1970.
pub fn feishu(address: &Address, secret: Option<&SecretString>, text: &str, now: i64) -> Request {
    let mut body = json!({ "msg_type": "text", "content": { "text": cut(text, FEISHU) } });
    if let Some(secret) = secret {
        body["timestamp"] = now.to_string().into();
        body["sign"] = sign::feishu(secret.expose_secret(), now).into();
    }
    post(address, &body, Answer::Code("code"))
}

/// For a custom robot of `DingTalk`; `now_ms` is in milliseconds since 1970.
pub fn dingtalk(address: &Address, secret: Option<&SecretString>, text: &str, now_ms: i64) -> Request {
    let body = json!({ "msgtype": "text", "text": { "content": cut(text, DINGTALK) } });
    let signed = secret.map(|secret| {
        let sign = sign::dingtalk(secret.expose_secret(), now_ms);
        let sign = percent_encoding::utf8_percent_encode(&sign, percent_encoding::NON_ALPHANUMERIC);
        address.with_query(&format!("timestamp={now_ms}&sign={sign}"))
    });
    post(signed.as_ref().unwrap_or(address), &body, Answer::Code("errcode"))
}

/// For a robot of a group of `WeCom`.
pub fn wecom(address: &Address, text: &str) -> Request {
    post(address, &json!({ "msgtype": "text", "text": { "content": cut(text, WECOM) } }), Answer::Code("errcode"))
}

/// A ping in the shape of healthchecks: `end` is `start` or an exit code.
pub fn ping(address: &Address, end: &str, text: &str) -> Request {
    Request {
        address: address.below(end),
        content_type: TEXT,
        headers: Vec::new(),
        body: cut(text, PING),
        answer: Answer::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::sample;
    use super::*;

    fn address() -> Address {
        Address::parse("https://hooks.example/s3cret?key=k", false).unwrap()
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[test]
    fn a_webhook_has_the_message_and_its_signature() {
        let request = webhook(&address(), Some(&secret("Jefe")), &sample(), "in words").unwrap();
        insta::assert_snapshot!(request.body, @r#"{"event":"fail","job":"cn-daily","run_id":"20261120T023000Z-k7f3","verdict":"FAIL","status":"findings","exit_code":1,"error":null,"host":"bars-1","started_at":"2026-11-20T02:30:00Z","finished_at":"2026-11-20T02:30:04Z","seconds":4.2,"rows_read":259174,"rows_removed":13,"errors":13,"warnings":34,"new":2,"fixed":0,"rules":[{"id":"ohlc","severity":"error","findings":13,"new":2},{"id":"gap","severity":"warn","findings":34,"new":0}],"refusals":[],"next":"barkeep report show --dir reports","type":"barkeep.run","version":1,"text":"in words"}"#);
        let [(name, signature)] = request.headers.as_slice() else { panic!("{:?}", request.headers) };
        assert_eq!((*name, signature), (SIGNATURE, &sign::of_body("Jefe", request.body.as_bytes())));
        assert_eq!(webhook(&address(), None, &sample(), "").unwrap().headers, []);
    }

    #[test]
    fn each_service_has_its_own_body() {
        let body = |request: Request| request.body;
        assert_eq!(body(slack(&address(), "a <b> & c")), r#"{"text":"a &lt;b&gt; &amp; c"}"#);
        assert_eq!(body(wecom(&address(), "a")), r#"{"msgtype":"text","text":{"content":"a"}}"#);
        assert_eq!(body(feishu(&address(), None, "a", 7)), r#"{"msg_type":"text","content":{"text":"a"}}"#);
        let signed = feishu(&address(), Some(&secret("this is secret")), "a", 1_599_360_473);
        let sign = sign::feishu("this is secret", 1_599_360_473);
        let expected = json!({"msg_type": "text", "content": {"text": "a"}, "timestamp": "1599360473", "sign": sign});
        assert_eq!(body(signed), expected.to_string());
        assert_eq!(body(dingtalk(&address(), None, "a", 7)), r#"{"msgtype":"text","text":{"content":"a"}}"#);
        let signed = dingtalk(&address(), Some(&secret("this is secret")), "a", 1_546_084_445_901);
        assert_eq!(
            signed.address.url(),
            "https://hooks.example/s3cret?key=k&timestamp=1546084445901&sign=iZUamRUhDrNjadIMypR3HzMCRArfP4PWgn33Azh7zVk%3D"
        );
        assert_eq!(ping(&address(), "start", "").address.url(), "https://hooks.example/s3cret/start?key=k");
    }

    #[test]
    fn texts_are_no_longer_than_a_service_takes() {
        let long = "日".repeat(20_000);
        let text = |request: Request, path: &str| {
            let body: Value = serde_json::from_str(&request.body).unwrap();
            body.pointer(path).unwrap().as_str().unwrap().len()
        };
        assert!(text(slack(&address(), &long), "/text") <= SLACK);
        assert!(text(wecom(&address(), &long), "/text/content") <= WECOM);
        assert!(text(feishu(&address(), None, &long, 0), "/content/text") <= FEISHU);
        assert!(text(dingtalk(&address(), None, &long, 0), "/text/content") <= DINGTALK);
    }
}
