//! What a server lets this user do, and what its clock shows. Reads only.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use mongodb::bson::{Bson, Document, doc};

use super::call::Call;
use super::command;
use super::error::MongoError;
use super::reader::Reader;

/// What a user may do, as far as the server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Privileges {
    /// The server asks nobody who he is.
    Everything,
    /// What a user was granted.
    Granted {
        /// Who it is; the first of several.
        user: User,
        /// Actions by resource.
        grants: Vec<Grant>,
    },
}

/// Who is logged in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The database that knows it.
    pub database: String,
}

/// Actions on a resource; an empty name stands for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The database.
    pub database: String,
    /// The collection.
    pub collection: String,
    /// What may be done, e.g. `find`.
    pub actions: BTreeSet<String>,
}

impl Privileges {
    /// Those of `wanted` that may not be done to `database.collection`.
    pub fn missing<'a>(&self, database: &str, collection: &str, wanted: &[&'a str]) -> Vec<&'a str> {
        let Self::Granted { grants, .. } = self else { return Vec::new() };
        let covers = |grant: &&Grant| {
            (grant.database.is_empty() || grant.database == database)
                && (grant.collection.is_empty() || grant.collection == collection)
        };
        let may = |action: &str| {
            grants
                .iter()
                .filter(covers)
                .any(|grant| grant.actions.contains(action) || grant.actions.contains("anyAction"))
        };
        wanted.iter().copied().filter(|action| !may(action)).collect()
    }
}

impl Reader {
    /// What this user may do.
    ///
    /// # Errors
    /// The server fails or is too slow.
    pub async fn privileges(&self) -> Result<Privileges, MongoError> {
        let ask = doc! { "connectionStatus": 1, "showPrivileges": true };
        let reply = command::run(&self.connection, "admin", Call::short("ask for its privileges"), &ask).await?;
        let info = reply.get_document("authInfo").cloned().unwrap_or_default();
        let list = |name: &str| info.get_array(name).into_iter().flatten().filter_map(Bson::as_document);
        let Some(user) = list("authenticatedUsers").next() else { return Ok(Privileges::Everything) };
        let text = |field: &str| user.get_str(field).unwrap_or_default().to_owned();
        let user = User { name: text("user"), database: text("db") };
        Ok(Privileges::Granted { user, grants: list("authenticatedUserPrivileges").filter_map(grant).collect() })
    }

    /// How far the server's clock is ahead of this machine's, in milliseconds, give or take half of the second number,
    /// which is how long the answer took.
    ///
    /// # Errors
    /// The server fails, is too slow, or does not tell the time.
    pub async fn clock_ahead(&self) -> Result<(i64, i64), MongoError> {
        let before = now();
        let reply = command::run(&self.connection, "admin", Call::short("ask the time"), &doc! { "hello": 1 }).await?;
        let after = now();
        let there = reply.get_datetime("localTime").map(|at| at.timestamp_millis());
        let there = there.map_err(|error| self.connection.nonsense("ask the time", error.to_string()))?;
        Ok((there - i64::midpoint(before, after), after - before))
    }
}

fn grant(privilege: &Document) -> Option<Grant> {
    let resource = privilege.get_document("resource").ok()?;
    let any = resource.get_bool("anyResource").unwrap_or(false);
    let name = |field: &str| resource.get_str(field).ok().map(str::to_owned);
    let (database, collection) = match any {
        true => (String::new(), String::new()),
        false => (name("db")?, name("collection")?),
    };
    let actions = privilege.get_array("actions").ok()?.iter().filter_map(Bson::as_str).map(str::to_owned).collect();
    Some(Grant { database, collection, actions })
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_on_all_collections_of_a_database_covers_each_of_them() {
        let of = |database: &str, collection: &str, actions: &[&str]| Grant {
            database: database.into(),
            collection: collection.into(),
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        };
        let grants = vec![of("d", "", &["find"]), of("d", "q", &["insert"])];
        let granted = Privileges::Granted { user: User::default(), grants };
        assert_eq!(granted.missing("d", "c", &["find", "remove"]), ["remove"]);
        assert_eq!(granted.missing("d", "q", &["find", "insert"]), Vec::<&str>::new());
        assert_eq!(granted.missing("e", "q", &["find"]), ["find"]);
        assert_eq!(Privileges::Everything.missing("e", "q", &["find"]), Vec::<&str>::new());
    }

    #[test]
    fn a_resource_of_everything_is_read_as_one() {
        let privilege = doc! { "resource": { "anyResource": true }, "actions": ["anyAction"] };
        let granted = Privileges::Granted { user: User::default(), grants: vec![grant(&privilege).unwrap()] };
        assert_eq!(granted.missing("d", "c", &["find"]), Vec::<&str>::new());
        assert_eq!(grant(&doc! { "resource": { "cluster": true }, "actions": ["x"] }), None);
    }
}
