//! HMAC-SHA256 (RFC 2104), as each service wants to see it.

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256 of `text`.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// The signature of a body as hexadecimal text, behind `sha256=`.
pub(super) fn of_body(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", HEXLOWER.encode(&hmac(secret.as_bytes(), body)))
}

/// `DingTalk`: the secret signs the timestamp (ms since 1970), a line feed and itself.
pub(super) fn dingtalk(secret: &str, timestamp_ms: i64) -> String {
    BASE64.encode(&hmac(secret.as_bytes(), format!("{timestamp_ms}\n{secret}").as_bytes()))
}

/// Feishu: the timestamp (seconds since 1970), a line feed and the secret are the key, and nothing is signed.
pub(super) fn feishu(secret: &str, timestamp: i64) -> String {
    BASE64.encode(&hmac(format!("{timestamp}\n{secret}").as_bytes(), b""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, text, expected) in cases {
            assert_eq!(HEXLOWER.encode(&hmac(key, text)), expected);
        }
        let secret = std::str::from_utf8(cases[1].0).unwrap();
        assert_eq!(of_body(secret, cases[1].1), format!("sha256={}", cases[1].2));
    }

    /// Made by the example programs in the documents of the services, run with Python 3.
    #[test]
    fn signatures_are_those_of_the_examples_of_the_services() {
        assert_eq!(dingtalk("this is secret", 1_546_084_445_901), DINGTALK);
        assert_eq!(feishu("this is secret", 1_599_360_473), FEISHU);
    }

    const DINGTALK: &str = "iZUamRUhDrNjadIMypR3HzMCRArfP4PWgn33Azh7zVk=";
    const FEISHU: &str = "/eYKrXQBzTjUZJ3s6NX16VxGbTwmK7AEs8/FnvC1CSw=";
}
