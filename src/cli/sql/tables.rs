//! The tables of a query. Those that take some work, the bars of a job, its quarantine and what is open, are read when a query
//! names them, and once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use tokio::sync::OnceCell;

use crate::quarantine::item::Which;
use crate::report::open::{open_findings, open_schema};
use crate::report::store;
use crate::report::views::VIEWS;
use crate::run::{BarsTable, Failure, Job};

/// Where DataFusion looks tables up that a query names without a schema.
const CATALOG: &str = "datafusion";
const SCHEMA: &str = "public";

/// Tables that are read when they are named.
const BARS: &str = "bars";
const QUARANTINE: &str = "quarantine";
const OPEN_FINDINGS: &str = "open_findings";

/// The tables of the reports below a folder, and of a job.
pub(super) struct Tables {
    /// The session that plans how the bars are read: another than that of the query, which holds these tables.
    planning: SessionContext,
    dir: PathBuf,
    job: Option<Job>,
    /// The tables of the reports, and the views.
    known: MemorySchemaProvider,
    /// Read once; the bars are there as long as their files, which [`BarsTable`] holds.
    bars: OnceCell<(Arc<dyn TableProvider>, BarsTable)>,
    quarantine: OnceCell<Arc<dyn TableProvider>>,
    open: OnceCell<Arc<dyn TableProvider>>,
}

impl Tables {
    /// Makes the tables below `dir` and those of `job`, whose bars are read as `planning` says, known to `context`.
    ///
    /// # Errors
    /// The path of `dir` cannot be written as an address of a table, or a view cannot be planned.
    pub(super) async fn register(
        context: &SessionContext,
        planning: SessionContext,
        dir: &Path,
        job: Option<Job>,
    ) -> Result<()> {
        store::register(context, dir)?;
        let known = MemorySchemaProvider::new();
        let schema = |name: &str| context.catalog(CATALOG).and_then(|catalog| catalog.schema(name));
        let Some(registered) = schema(SCHEMA) else { return Ok(()) };
        for view in VIEWS {
            let frame = context.sql(view.query).await?;
            context.register_table(view.name, frame.into_view())?;
        }
        for name in registered.table_names() {
            if let Some(table) = registered.table(&name).await? {
                known.register_table(name, table)?;
            }
        }
        let tables = Self {
            planning,
            dir: dir.to_path_buf(),
            job,
            known,
            bars: OnceCell::new(),
            quarantine: OnceCell::new(),
            open: OnceCell::new(),
        };
        if let Some(catalog) = context.catalog(CATALOG) {
            catalog.register_schema(SCHEMA, Arc::new(tables))?;
        }
        Ok(())
    }

    fn job(&self, table: &str) -> Result<&Job> {
        self.job.as_ref().ok_or_else(|| DataFusionError::Plan(format!("`{table}` is a table of a job: add --job JOB")))
    }

    async fn bars(&self) -> Result<Arc<dyn TableProvider>> {
        let job = self.job(BARS)?;
        let read = async || job.bars(&self.planning).await.map_err(failed);
        Ok(Arc::clone(&self.bars.get_or_try_init(read).await?.0))
    }

    async fn quarantine(&self) -> Result<Arc<dyn TableProvider>> {
        let job = self.job(QUARANTINE)?;
        let read = async || {
            let quarantine = job.quarantine().await.map_err(failed)?;
            let table = quarantine.table(&Which::default()).await;
            quarantine.close().await;
            let batch = table.map_err(failed)?;
            Ok(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?) as Arc<dyn TableProvider>)
        };
        self.quarantine.get_or_try_init(read).await.map(Arc::clone)
    }

    async fn open(&self) -> Result<Arc<dyn TableProvider>> {
        let read = async || {
            let batches = open_findings(&self.dir).map_err(|error| failed(error.into()))?;
            Ok(Arc::new(MemTable::try_new(open_schema(), vec![batches])?) as Arc<dyn TableProvider>)
        };
        self.open.get_or_try_init(read).await.map(Arc::clone)
    }
}

/// A failure on its way through the planner, out of which [`super::failed`] takes it again.
#[derive(Debug, thiserror::Error)]
#[error("a table cannot be read")]
pub(super) struct NotRead(pub(super) Failure);

fn failed(failure: Failure) -> DataFusionError {
    DataFusionError::External(Box::new(NotRead(failure)))
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("dir", &self.dir).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        let of_job = [BARS, QUARANTINE].into_iter().filter(|_| self.job.is_some());
        let more = of_job.chain([OPEN_FINDINGS]).map(str::to_owned);
        self.known.table_names().into_iter().chain(more).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(match name {
            BARS => Some(self.bars().await?),
            QUARANTINE => Some(self.quarantine().await?),
            OPEN_FINDINGS => Some(self.open().await?),
            known => self.known.table(known).await?,
        })
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        match name {
            BARS | QUARANTINE | OPEN_FINDINGS => Ok(Some(TableType::View)),
            known => self.known.table_type(known).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        [BARS, QUARANTINE, OPEN_FINDINGS].contains(&name) || self.known.table_exist(name)
    }
}
