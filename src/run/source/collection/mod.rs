//! A collection of a MongoDB server as the source of a job.

mod connect;
mod examine;
mod privileges;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use mongodb::bson::Document;

use self::connect::connect;
use super::contract::{Reading, Source, SourceKind, Within};
use crate::config::Loaded;
use crate::config::job::MongoSource;
use crate::durable::hex;
use crate::quarantine::plan::SourceIdentity;
use crate::report::run::Connections;
use crate::run::clock::Clock;
use crate::run::events::Stage;
use crate::run::examination::{Examination, Health};
use crate::run::failure::Failure;
use crate::run::ingest::{self, Beyond, Ingested, Stored};
use crate::run::quarantine::collection::{CollectionQuarantine, CollectionRemoval};
use crate::run::quarantine::{Quarantine, Removal};
use crate::source::mongodb::{Collections, Connection, ConnectionUse, MongoError, filter};
use crate::source::{self, Original, SourceColumn};

/// The collection that a job names.
pub(super) struct NamedCollection {
    loaded: Arc<Loaded>,
    clock: Clock,
    source: MongoSource,
}

impl NamedCollection {
    pub(super) fn new(loaded: &Arc<Loaded>, source: &MongoSource, clock: &Clock) -> Self {
        Self { loaded: Arc::clone(loaded), clock: clock.clone(), source: source.clone() }
    }
}

#[async_trait]
impl SourceKind for NamedCollection {
    async fn open(&self) -> Result<Arc<dyn Source>, Failure> {
        let connection = Arc::new(connect(&self.source).await?);
        let filter = filter::query(&self.source.filter);
        match infer(&connection, &self.source, &filter).await {
            Ok((collections, columns)) => {
                let (loaded, clock, source) = (Arc::clone(&self.loaded), self.clock.clone(), self.source.clone());
                Ok(Arc::new(FoundCollection { loaded, clock, source, connection, collections, filter, columns }))
            }
            Err(error) => {
                connection.close().await;
                Err(error.into())
            }
        }
    }

    async fn quarantine(&self) -> Result<Box<dyn Quarantine>, Failure> {
        let connection = Arc::new(connect(&self.source).await?);
        match Collections::find(Arc::clone(&connection), &self.source).await {
            Ok(found) => {
                let of_job = (&self.loaded, &self.clock);
                Ok(Box::new(CollectionQuarantine::new(of_job, &self.source, &connection, found.info())))
            }
            Err(error) => {
                connection.close().await;
                Err(error.into())
            }
        }
    }

    /// What the user may do is reported first: it explains why the rest fails.
    async fn examine(&self, lines: &mut Examination<'_>) -> Result<bool, Failure> {
        let connected = connect(&self.source).await;
        let Some(connection) = lines.reached(Health::Fail, "server", connected)? else { return Ok(false) };
        let connection = Arc::new(connection);
        let ended = examine::server(&self.loaded, &self.source, &connection, lines).await;
        connection.close().await;
        lines.reached(Health::Fail, "server", ended)?;
        Ok(true)
    }
}

/// A collection that was found and looked at, or several that are read as one.
#[derive(Debug)]
struct FoundCollection {
    loaded: Arc<Loaded>,
    clock: Clock,
    source: MongoSource,
    connection: Arc<Connection>,
    collections: Collections,
    /// Which of its documents the job reads.
    filter: Document,
    columns: Vec<SourceColumn>,
}

#[async_trait]
impl Source for FoundCollection {
    fn columns(&self) -> &[SourceColumn] {
        &self.columns
    }

    /// Copies documents into a snapshot.
    async fn ingest(&self, reading: &Reading<'_>) -> Result<Ingested, Failure> {
        let Reading { program, context, series, within, .. } = *reading;
        let columns = ingest::columns_of_snapshot(program, &[])?;
        let wanted = ingest::wanted_columns(program, &columns);
        let limits = context.limits();
        let temp = context.scratch()?;
        // What the server cannot choose by is chosen when the snapshot is read.
        let (filter, chosen) = match ingest::key_columns(&program.bars).first() {
            Some(key) if self.collections.serves(key) => (filter::and_one_of(&self.filter, key, series), Vec::new()),
            Some(key) if !series.is_empty() => (self.filter.clone(), vec![(key.clone(), series.to_vec())]),
            _ => (self.filter.clone(), Vec::new()),
        };
        let Within { window, besides } = within.unwrap_or_default();
        let key = ingest::key_columns(&program.bars).into_iter().next();
        let besides_by_key = key.as_ref().map(|key| (key.as_str(), besides));
        let within = self.collections.within(&filter, (&program.bars.time, window), besides_by_key).await?;
        let in_part = within.is_some();
        let filter = within.unwrap_or(filter);
        let workers = NonZeroUsize::new(limits.threads).unwrap_or(NonZeroUsize::MIN);
        let started = std::time::Instant::now();
        let progress = context.begin(&program.job, Stage::Reading, None);
        let reported = |rows, _| progress.report(rows);
        let snapshot = self
            .collections
            .extract(&filter, (&wanted, program.compares_rows()), temp.path(), workers, reported)
            .await?;
        let extract_seconds = started.elapsed().as_secs_f64();
        let path = snapshot.path;
        let stored = Stored { path: path.clone(), schema: snapshot.schema, filter: chosen };
        let input = stored.input(program, &columns, limits.threads).await?;
        // How many rows the source has is not known where the server chose.
        let (bytes, rows) = (snapshot.bytes, (!in_part).then_some(snapshot.rows));
        Ok(Ingested {
            input,
            identities: Vec::new(),
            rows,
            bytes,
            extract_seconds,
            snapshot: Some((path, temp)),
            copies: None,
            beyond: Beyond::default(),
            whole_only: in_part.then(|| besides.iter().cloned().collect()),
        })
    }

    async fn originals(&self, ingested: &Ingested, places: Vec<(i32, i64)>) -> Result<Vec<Original>, Failure> {
        let Some(snapshot) = ingested.snapshot().map(Path::to_path_buf) else { return Ok(Vec::new()) };
        Ok(tokio::task::spawn_blocking(move || source::originals(&snapshot, &places)).await??)
    }

    /// The reader reports its damages itself.
    async fn damage(&self) -> Option<Failure> {
        None
    }

    fn origin(&self) -> String {
        let info = self.collections.info();
        format!("{} {} {} {}", self.connection.redacted(), info.namespace, hex(&info.uuid), self.filter)
    }

    fn file_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn named_source(&self, _ingested: &Ingested) -> SourceIdentity {
        SourceIdentity::Mongodb {
            server: self.connection.redacted().to_owned(),
            namespace: self.collections.info().namespace.clone(),
            uuid: hex(&self.collections.info().uuid),
        }
    }

    fn check_only(&self) -> Option<(&str, &str)> {
        self.collections.info().check_only.as_ref().map(|only| (only.reason.as_str(), only.remedy.as_str()))
    }

    /// Its UUID says which collection it is; each document is looked at when it is to leave.
    async fn identity(&self, ingested: &Ingested) -> Result<SourceIdentity, Failure> {
        Ok(self.named_source(ingested))
    }

    fn check_same(&self, planned: &SourceIdentity) -> Result<(), String> {
        let SourceIdentity::Mongodb { namespace, uuid, server } = planned else {
            return Err("the plan is of another kind of source".to_owned());
        };
        let (info, now_server) = (self.collections.info(), self.connection.redacted());
        let now = &info.namespace;
        if server != now_server {
            return Err(format!("the plan is of {server}, and the job reads {now_server} now"));
        }
        if (namespace, uuid) == (now, &hex(&info.uuid)) {
            return Ok(());
        }
        if namespace == now {
            return Err(format!("`{now}` was dropped and made again since the plan was made"));
        }
        Err(format!("the plan is of `{namespace}`, and the job reads `{now}` now"))
    }

    fn removal(&self) -> Result<Box<dyn Removal + '_>, Failure> {
        let info = self.collections.info();
        let quarantine = CollectionQuarantine::new((&self.loaded, &self.clock), &self.source, &self.connection, info);
        let allow_sharded = self.source.allow_sharded;
        Ok(Box::new(CollectionRemoval { quarantine, info, allow_sharded }))
    }

    async fn examine(&self, lines: &mut Examination<'_>) -> Result<(), Failure> {
        let job = &self.loaded.job;
        let in_part = job.window.lookback.is_some_and(|lookback| !lookback.is_zero());
        let by_window = job.bars.time.fields.first().filter(|_| in_part).map(|field| &**field.get_ref());
        examine::collection((&self.source, by_window), &self.collections, lines)?;
        examine::fit(self.removal()?.check_fit().await, self.check_only().is_some(), lines)
    }

    async fn close(&self) -> Option<Connections> {
        let ConnectionUse { opened, closed, peak, in_use, commands } = self.connection.close().await;
        Some(Connections { opened, closed, peak, in_use, commands })
    }
}

async fn infer(
    connection: &Arc<Connection>,
    source: &MongoSource,
    filter: &Document,
) -> Result<(Collections, Vec<SourceColumn>), MongoError> {
    let collections = Collections::find(Arc::clone(connection), source).await?;
    let columns = collections.infer(filter).await?;
    Ok((collections, columns))
}
