//! The way to the server of a job.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use secrecy::SecretString;

use crate::config::job::{MongoSource, Uri};
use crate::run::failure::Failure;
use crate::source::mongodb::{Address, Connection};

/// Connects to the server of a job.
pub(super) async fn connect(job: &MongoSource) -> Result<Connection, Failure> {
    let address = Address {
        uri: uri(&job.uri)?,
        database: job.database.clone(),
        collection: job.collection.clone(),
        allow_plaintext: job.allow_plaintext,
    };
    Ok(Connection::open(&address).await?)
}

/// The connection string, from the job's environment or from a file that nobody else may read.
fn uri(uri: &Uri) -> Result<SecretString, Failure> {
    let path = match uri {
        Uri::Given(uri) => return Ok(uri.clone()),
        Uri::File(path) => path,
    };
    let unreadable = |problem: String, help: &str| {
        Failure::Usage(format!("`uri_file` names `{}`: {problem}", path.resolved.display()), help.to_owned())
    };
    let mode = fs::metadata(&path.resolved)
        .map_err(|error| unreadable(error.to_string(), "write the connection string into it, mode 0600"))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        let help = format!("run `chmod 600 {}`", path.resolved.display());
        return Err(unreadable("others may read it".to_owned(), &help));
    }
    let text = fs::read_to_string(&path.resolved)
        .map_err(|error| unreadable(error.to_string(), "make it readable for the user that runs this"))?;
    Ok(SecretString::from(text.trim()))
}
