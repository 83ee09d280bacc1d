//! A message as a mail (RFC 5322), for the `sendmail` of the system.

use data_encoding::BASE64;

use super::settings::Mailbox;
use super::template::cut;

/// Bytes of the subject in one encoded word: with what stands around it, a line of 75 characters at most.
const WORD: usize = 42;
const LONGEST_SUBJECT: usize = 200;
const LINE: usize = 76;

/// Why `text` is not an address that a mail can go to; `None` where it is one.
pub fn wrong_address(text: &str) -> Option<&'static str> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || ",;:<>()[]\\\"".contains(c) || !c.is_ascii();
    match text {
        "" => Some("it is empty"),
        _ if text.starts_with('-') => Some("it begins with `-`"),
        _ if text.contains(odd) => Some("write the bare address, e.g. `ops@example.com`"),
        _ => None,
    }
}

/// The mail with its headers; `date` is in the form of RFC 5322.
pub fn mail(mailbox: &Mailbox, subject: &str, text: &str, date: &str) -> String {
    let from = mailbox.from.iter().map(|from| format!("From: {from}\n"));
    let subject = encoded_words(&cut(subject, LONGEST_SUBJECT));
    let body = BASE64.encode(text.as_bytes());
    let body: Vec<&str> =
        body.as_bytes().chunks(LINE).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!(
        "{}To: {}\nSubject: {subject}\nDate: {date}\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{}\n",
        from.collect::<String>(),
        mailbox.to.join(", "),
        body.join("\n")
    )
}

/// A header in plain letters, or as encoded words (RFC 2047): nothing in it can begin another header.
fn encoded_words(text: &str) -> String {
    if text.len() <= LINE - "Subject: ".len() && text.chars().all(|c| matches!(c, ' '..='~')) && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= WORD => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let words: Vec<String> =
        words.iter().map(|word| format!("=?utf-8?B?{}?=", BASE64.encode(word.as_bytes()))).collect();
    words.join("\n ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox() -> Mailbox {
        Mailbox {
            to: vec!["ops@example.com".to_owned(), "root".to_owned()],
            from: Some("barkeep@example.com".to_owned()),
            sendmail: "/usr/sbin/sendmail".into(),
        }
    }

    #[test]
    fn a_mail_has_its_headers_and_its_text() {
        let mail = mail(&mailbox(), "FAIL cn-daily: 13 errors", "FAIL\n日本", "Fri, 20 Nov 2026 02:30:04 +0000");
        insta::assert_snapshot!(mail, @r"
        From: barkeep@example.com
        To: ops@example.com, root
        Subject: FAIL cn-daily: 13 errors
        Date: Fri, 20 Nov 2026 02:30:04 +0000
        Auto-Submitted: auto-generated
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: base64

        RkFJTArml6XmnKw=
        ");
    }

    #[test]
    fn a_subject_begins_no_header_and_no_line_is_too_long() {
        let mail =
            mail(&mailbox(), "a\nBcc: x@y\n日本語の銘柄の長い長い長い題名がここにあります", &"x".repeat(500), "now");
        assert!(!mail.contains("\nBcc:") && mail.contains("Subject: =?utf-8?B?"), "{mail}");
        assert!(mail.lines().all(|line| line.len() <= 84), "{mail}");
    }

    #[test]
    fn addresses_are_bare() {
        assert_eq!((wrong_address("ops@example.com"), wrong_address("root")), (None, None));
        for wrong in ["", "-f x", "a b", "a,b", "a\nBcc: b", "Ops <ops@example.com>", "-oQ/tmp"] {
            assert!(wrong_address(wrong).is_some(), "{wrong}");
        }
    }
}
