//! What `[notify]` reads as, and what is wrong with it.

use super::super::{Job, read as read_job};
use super::*;
use crate::config::document;
use crate::schema::reader::Environment;

const HEAD: &str = "name = \"demo\"\nrules = \"r.toml\"\nsource.files.path = \"d\"\nbars = { series = [\"symbol\"], interval = \"1d\" }\n[notify]\n";

fn environment() -> Environment {
    let values = [
        ("URL", "https://hooks.example/s3cret-token-1"),
        ("HTTP", "http://alerts.internal/s3cret-token-2"),
        ("SECRET", "SEC0123"),
        ("EMPTY", ""),
        ("ODD", "not a url s3cret-token-3"),
    ];
    Environment::new(values.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

fn read_text(keys: &str) -> (Option<Job>, String) {
    let (file, mut mistakes) = document::open("jobs/demo.toml", &format!("{HEAD}{keys}\n"));
    let draft = read_job(&file, &environment());
    mistakes.extend(draft.mistakes);
    let text = mistakes.iter().map(|mistake| mistake.render(false)).collect::<Vec<_>>().join("\n\n");
    (draft.job.filter(|_| text.is_empty()), text)
}

fn good(keys: &str) -> Settings {
    let (job, mistakes) = read_text(keys);
    job.unwrap_or_else(|| panic!("{mistakes}")).notify.unwrap()
}

fn wrong(keys: &str) -> String {
    let (job, mistakes) = read_text(keys);
    assert!(job.is_none(), "no mistake was found");
    assert!(!mistakes.contains("s3cret") && !mistakes.contains("SEC0123"), "{mistakes}");
    mistakes
}

#[test]
fn channels_are_those_that_are_written_and_not_empty() {
    let settings = good(
        "slack = \"${URL}\"\nfeishu = \"${EMPTY}\"\nwecom = \"${NOBODY:-}\"\ndingtalk = \"${URL}\"\n\
         dingtalk_secret = \"${SECRET}\"\nmail = [\"ops@example.com\", \"${EMPTY}\"]\nprometheus = \"metrics\"",
    );
    let names: Vec<_> = settings.channels.iter().map(Channel::name).collect();
    assert_eq!(names, ["slack", "dingtalk", "mail"]);
    assert_eq!(
        (settings.on, settings.at_most_every, settings.required),
        (vec![Event::Fail, Event::Recovery], None, false)
    );
    assert_eq!(settings.prometheus.unwrap(), PathBuf::from("jobs/metrics"));
    assert!(!format!("{:?}", settings.channels).contains("s3cret"));
    assert!(!format!("{:?}", settings.channels).contains("SEC0123"));
    let settings = good("slack = \"${EMPTY}\"\non = \"new\"\nat_most_every = \"6h\"\nrequired = true");
    assert_eq!((settings.on, settings.channels.len(), settings.required), (vec![Event::New], 0, true));
}

#[test]
fn an_address_in_the_file_is_a_secret_in_the_file() {
    let said =
        wrong("slack = \"https://hooks.example/s3cret-token-1\"\nwebhook = \"${URL}\"\nwebhook_secret = 'SEC0123'");
    assert_eq!(said.matches("error[secret-in-file]").count(), 2, "{said}");
    assert_eq!(said.matches("error[").count(), 2, "{said}");
    let said = wrong("healthchecks = \"${X:-https://hooks.example/s3cret-token-1}\"");
    assert!(said.starts_with("error[secret-in-file]"), "{said}");
    good("healthchecks = \"https://hc.example/${SECRET}/demo\"");
}

#[test]
fn what_is_no_address_is_said_without_it() {
    insta::assert_snapshot!(wrong("slack = \"${HTTP}\"\nwecom = \"${ODD}\"\nslak = \"${URL}\""), @r#"
error[bad-value]: `slack`: `http` sends a secret in plain text; write `allow_plaintext = true` if it may
 --> jobs/demo.toml:6:9
  |
6 | slack = "${HTTP}"
  |         ^^^^^^^^^
  |
  = help: it is what the service shows as the address of the webhook

error[bad-value]: `wecom`: this is not a URL; one begins with `https://`
 --> jobs/demo.toml:7:9
  |
7 | wecom = "${ODD}"
  |         ^^^^^^^^
  |
  = help: it is what the service shows as the address of the webhook

error[unknown-key]: unknown key `slak` in `[notify]`
 --> jobs/demo.toml:8:1
  |
8 | slak = "${URL}"
  | ^^^^ unknown key
  |
  = help: did you mean `slack`? keys: on, at_most_every, required, text, allow_plaintext, prometheus, healthchecks, webhook, webhook_secret, slack, feishu, feishu_secret, dingtalk, dingtalk_secret, wecom, mail, mail_from, sendmail
"#);
    good("slack = \"${HTTP}\"\nallow_plaintext = true");
}

#[test]
fn keys_that_have_no_effect_are_mistakes() {
    for (keys, said) in [
        ("on = \"fail\"", "`[notify]` has no channel"),
        ("slack = \"${URL}\"\non = [\"fial\"]", "did you mean `fail`?"),
        ("slack = \"${URL}\"\nfeishu_secret = \"${SECRET}\"", "`feishu_secret` without `feishu` signs nothing"),
        ("slack = \"${URL}\"\nmail_from = \"a@b\"", "`mail_from` without `mail` has no effect"),
        ("mail = \"Ops <ops@example.com>\"", "write the bare address"),
        ("slack = \"${URL}\"\ntext = \"{{ symbol }}\"", "does not render in line 1: undefined value"),
        ("slack = \"${UNSET}\"", "environment variable `UNSET` is not set"),
        ("slack = 5", "a string"),
    ] {
        let mistakes = wrong(keys);
        assert!(mistakes.contains(said), "{keys}: {mistakes}");
    }
}
