//! Which URIs are acceptable, and what the client is to make of them.
//!
//! A URI may say where the server is, who is asking, and how long to wait. It may not weaken what removals rest on,
//! send credentials in the clear to another machine, or say something nobody understands. Pure, but for DNS look-ups.

use std::net::IpAddr;
use std::time::Duration;

use mongodb::options::{
    Acknowledgment, ClientOptions, ConnectionString, HostInfo, ReadConcernLevel, ReadPreference, ServerAddress,
    ServerMonitoringMode, Tls,
};
use secrecy::{ExposeSecret, SecretString};

use super::error::MongoError;
use super::redact::Secrets;
use super::words::words;
use crate::schema::diagnostic::nearest;

/// Connections at most, unless the URI says otherwise.
const POOL: u32 = 4;
/// How long to look for a server and to wait for a connection, unless the URI says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Options a URI may have, as MongoDB's documentation writes them.
const KNOWN: &[&str] = &[
    "appName",
    "authMechanism",
    "authMechanismProperties",
    "authSource",
    "connectTimeoutMS",
    "directConnection",
    "heartbeatFrequencyMS",
    "journal",
    "localThresholdMS",
    "maxConnecting",
    "maxIdleTimeMS",
    "maxPoolSize",
    "minPoolSize",
    "readConcernLevel",
    "readPreference",
    "replicaSet",
    "retryReads",
    "retryWrites",
    "serverMonitoringMode",
    "serverSelectionTimeoutMS",
    "srvMaxHosts",
    "srvServiceName",
    "ssl",
    "tls",
    "tlsAllowInvalidCertificates",
    "tlsCAFile",
    "tlsCertificateKeyFile",
    "tlsCertificateKeyFilePassword",
    "tlsInsecure",
    "uuidRepresentation",
    "w",
    "wtimeoutMS",
];

/// Where a collection is.
#[derive(Debug, Clone)]
pub struct Address {
    /// The connection string, credentials included.
    pub uri: SecretString,
    /// The database.
    pub database: String,
    /// The collection.
    pub collection: String,
    /// Whether hosts that are not this machine may be talked to without TLS, or without a verified certificate.
    pub allow_plaintext: bool,
}

/// A URI that passed.
pub(super) struct Target {
    pub(super) options: ClientOptions,
    pub(super) secrets: Secrets,
    /// The hosts, without credentials and options.
    pub(super) redacted: String,
    /// The option that is fine on a standalone and too weak anywhere else.
    pub(super) standalone_only: Option<&'static str>,
    /// Why hosts that are not this machine must not be talked to; `None` where they may.
    pub(super) loopback_only: Option<&'static str>,
}

/// Reads and evaluates the URI, and looks up the hosts of a `mongodb+srv` one.
pub(super) async fn target(address: &Address) -> Result<Target, MongoError> {
    let uri = address.uri.expose_secret().trim();
    let mut secrets = Secrets::of_uri(uri);
    known_options(uri)?;
    let parsed = ConnectionString::parse(uri).map_err(|error| unusable(&secrets, &error))?;
    secrets.add_credential(parsed.credential.as_ref());
    let redacted = hosts(&parsed.host_info);
    let standalone_only = evaluate(&parsed)?;
    let insecure = parsed.tls_insecure() == Some(true);
    let mut options = ClientOptions::parse(parsed).await.map_err(|error| {
        let source = words(&secrets, &error);
        match *error.kind {
            mongodb::error::ErrorKind::DnsResolve { .. } => MongoError::Dns { server: redacted.clone(), source },
            _ => MongoError::Uri { reason: source.text },
        }
    })?;
    let loopback_only = if address.allow_plaintext { None } else { exposed(&options, insecure) };
    if let Some(reason) = loopback_only
        && let Some(host) = options.hosts.iter().find(|host| !is_loopback(host))
    {
        return Err(MongoError::Plaintext { host: host.to_string(), reason });
    }
    set_options(&mut options);
    Ok(Target { options, secrets, redacted, standalone_only, loopback_only })
}

fn unusable(secrets: &Secrets, error: &mongodb::error::Error) -> MongoError {
    let text = match &*error.kind {
        mongodb::error::ErrorKind::InvalidArgument { message, .. } => message.clone(),
        _ => error.to_string(),
    };
    MongoError::Uri { reason: secrets.hide(&text) }
}

/// Fails on options nobody knows: one with a typing error would otherwise be without effect.
fn known_options(uri: &str) -> Result<(), MongoError> {
    let Some((_, options)) = uri.split_once('?') else { return Ok(()) };
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, _) = option.split_once('=').unwrap_or((option, ""));
        if name.eq_ignore_ascii_case("socketTimeoutMS") {
            let reason =
                "`socketTimeoutMS` has no effect; remove it, every call of barkeep has its own limit".to_owned();
            return Err(MongoError::Uri { reason });
        }
        if !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            // A password with an unescaped `?` ends up here: show a name only if it can be one.
            let plain = name.len() <= 40 && !uri[uri.find('?').unwrap_or(0)..].contains('@');
            let option = if plain { name.to_owned() } else { "<hidden>".to_owned() };
            return Err(MongoError::UnknownOption {
                near: nearest(name, KNOWN.iter().copied()).map(str::to_owned),
                option,
            });
        }
    }
    Ok(())
}

/// Fails on options that weaken reading or writing. Returns the one that only a standalone may have.
fn evaluate(uri: &ConnectionString) -> Result<Option<&'static str>, MongoError> {
    const NEEDED: &str = "a majority and its journals, or for the journal of a standalone";
    let weak = |option: String| Err(MongoError::WeakWriteConcern { option, needed: NEEDED });
    let mut standalone_only = None;
    if let Some(concern) = &uri.write_concern {
        if concern.journal == Some(false) {
            return weak("journal=false".to_owned());
        }
        match &concern.w {
            None | Some(Acknowledgment::Majority) => {}
            Some(Acknowledgment::Nodes(1)) => standalone_only = Some("w=1"),
            Some(Acknowledgment::Nodes(nodes)) => return weak(format!("w={nodes}")),
            Some(Acknowledgment::Custom(tag)) => return weak(format!("w={tag}")),
            Some(_) => return weak("w".to_owned()),
        }
    }
    if uri.read_preference.as_ref().is_some_and(|preference| *preference != ReadPreference::Primary) {
        let reason = "`readPreference` is not `primary`; remove it, a secondary may lack the newest rows".to_owned();
        return Err(MongoError::Uri { reason });
    }
    if uri.read_concern.as_ref().is_some_and(|concern| concern.level != ReadConcernLevel::Majority) {
        let reason = "`readConcernLevel` is not `majority`; remove it, other rows may be rolled back".to_owned();
        return Err(MongoError::Uri { reason });
    }
    Ok(standalone_only)
}

/// Why the connection is not safe beyond this machine.
fn exposed(options: &ClientOptions, insecure: bool) -> Option<&'static str> {
    match &options.tls {
        Some(Tls::Enabled(tls)) if insecure || tls.allow_invalid_certificates == Some(true) => {
            Some("anybody could pretend to be the server, for its certificate is not verified")
        }
        Some(Tls::Enabled(_)) => None,
        _ => Some("it is not encrypted"),
    }
}

/// Whether a host is this machine.
pub(super) fn is_loopback(host: &ServerAddress) -> bool {
    match host {
        ServerAddress::Tcp { host, .. } => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        // What is not TCP is a socket in this machine's file system.
        _ => true,
    }
}

/// What barkeep decides itself.
fn set_options(options: &mut ClientOptions) {
    options.app_name.get_or_insert_with(|| "barkeep".to_owned());
    options.max_pool_size = Some(options.max_pool_size.filter(|size| *size > 0).unwrap_or(POOL));
    options.server_selection_timeout.get_or_insert(CONNECT_TIMEOUT);
    options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
    // A monitor that polls looks again at once when a command finds that the primary has gone.
    options.server_monitoring_mode.get_or_insert(ServerMonitoringMode::Poll);
    // Who asks again, and when, is decided where the outcome is known.
    options.retry_reads = Some(false);
    options.retry_writes = Some(false);
    // Every command states its own concerns.
    options.write_concern = None;
    options.read_concern = None;
    options.selection_criteria = None;
}

fn hosts(info: &HostInfo) -> String {
    match info {
        HostInfo::HostIdentifiers(hosts) => {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            format!("mongodb://{}", hosts.join(","))
        }
        HostInfo::DnsRecord(name) => format!("mongodb+srv://{name}"),
        _ => "mongodb://".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn open(uri: &str, allow_plaintext: bool) -> Result<Target, MongoError> {
        let address = Address {
            uri: SecretString::from(uri.to_owned()),
            database: "d".to_owned(),
            collection: "c".to_owned(),
            allow_plaintext,
        };
        target(&address).await
    }

    async fn refusal(uri: &str) -> String {
        match open(uri, false).await {
            Ok(_) => panic!("{uri} was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn malformed_uris_are_refused_without_their_password() {
        for uri in [
            "",
            "localhost:27017",
            "http://u:hunter2@localhost/",
            "mongodb://u:hunter2@localhost:port/",
            "mongodb://u:hunter2@localhost:99999/",
            "mongodb://u:hunt%er2@localhost/",
            "mongodb://u:hunter2?x@localhost/",
            "mongodb://u:hunter2@/?w",
            "mongodb://u:hunter2@localhost/?tls=maybe",
            "mongodb://u:hunter2@localhost/?w=majority&w=majority",
            "mongodb+srv://u:hunter2@localhost:27017/",
            "mongodb://u:hunter2@localhost/a b",
        ] {
            let text = refusal(uri).await;
            assert!(!text.contains("hunter2") && !text.contains("hunt%er2"), "{text}");
            assert!(text.contains("URI"), "{text}");
        }
    }

    #[tokio::test]
    async fn unknown_options_are_refused_with_the_nearest_name() {
        assert_eq!(
            refusal("mongodb://localhost/?replicaset=rs&authSorce=admin").await,
            "the MongoDB URI has an unknown option `authSorce`; did you mean `authSource`?"
        );
        assert!(refusal("mongodb://localhost/?socketTimeoutMS=5").await.contains("socketTimeoutMS"));
        assert!(refusal("mongodb://localhost/?compressors=zlib").await.contains("unknown option `compressors`"));
    }

    #[tokio::test]
    async fn weak_concerns_are_refused() {
        for option in ["w=0", "journal=false", "w=2", "w=dc1", "readPreference=secondary", "readConcernLevel=local"] {
            let text = refusal(&format!("mongodb://localhost/?{option}")).await;
            let name = option.split('=').next().unwrap();
            assert!(text.contains(&format!("`{name}")), "{text}");
        }
        let fine = "mongodb://localhost/?w=majority&journal=true&readConcernLevel=majority&readPreference=primary&retryWrites=true";
        assert_eq!(open(fine, false).await.ok().unwrap().standalone_only, None);
        assert_eq!(open("mongodb://localhost/?w=1", false).await.ok().unwrap().standalone_only, Some("w=1"));
    }

    #[tokio::test]
    async fn plain_text_and_unverified_tls_stay_on_this_machine() {
        for uri in [
            "mongodb://db.example/",
            "mongodb://10.0.0.7:27018/",
            "mongodb://localhost,db.example/",
            "mongodb://localhost.example/",
            "mongodb://db.example/?tls=true&tlsInsecure=true",
            "mongodb://db.example/?tls=true&tlsAllowInvalidCertificates=true",
        ] {
            assert!(matches!(open(uri, false).await, Err(MongoError::Plaintext { .. })), "{uri}");
            assert!(open(uri, true).await.is_ok(), "{uri}");
        }
        for uri in [
            "mongodb://127.0.0.1/",
            "mongodb://127.9.9.9:5/",
            "mongodb://LOCALHOST/",
            "mongodb://[::1]:5/",
            "mongodb://%2Ftmp%2Fmongodb-27017.sock/",
            "mongodb://db.example/?tls=true",
        ] {
            assert!(open(uri, false).await.is_ok(), "{uri}");
        }
    }

    #[tokio::test]
    async fn barkeep_decides_names_pools_and_retries() {
        let target = open("mongodb://u:hunter2@localhost:5,127.0.0.1/?retryWrites=true", false).await.ok().unwrap();
        assert_eq!(target.redacted, "mongodb://localhost:5,127.0.0.1:27017");
        let options = target.options;
        assert_eq!(options.app_name.as_deref(), Some("barkeep"));
        assert_eq!(options.max_pool_size, Some(4));
        assert_eq!(options.server_selection_timeout, Some(Duration::from_secs(5)));
        assert_eq!((options.retry_reads, options.retry_writes), (Some(false), Some(false)));
        let own = "mongodb://localhost/?maxPoolSize=2&serverSelectionTimeoutMS=100&appName=x";
        let options = open(own, false).await.ok().unwrap().options;
        assert_eq!(options.max_pool_size, Some(2));
        assert_eq!(options.server_selection_timeout, Some(Duration::from_millis(100)));
        assert_eq!(options.app_name.as_deref(), Some("x"));
    }
}
