//! A kind of source in one place: bars in memory that are only checked.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use async_trait::async_trait;
use chrono::Utc;
use parquet::arrow::ArrowWriter;

use super::{Reading, Source, SourceKind};
use crate::bars::FieldKind;
use crate::engine::plan::{Input, narrowed, table_file};
use crate::engine::table::Locators;
use crate::quarantine::plan::SourceIdentity;
use crate::report::run::Connections;
use crate::run::conclude::Ended;
use crate::run::examination::Examination;
use crate::run::execute::{Started, execute_over};
use crate::run::failure::{Exit, Failure};
use crate::run::ingest::{self, Ingested};
use crate::run::load::load;
use crate::run::peak::Peak;
use crate::run::quarantine::{Quarantine, Removal};
use crate::run::{Context, Goal, Order};
use crate::source::{KeyField, SourceColumn};

/// Bars in memory, all of them texts.
#[derive(Debug, Clone)]
struct Memory {
    bars: RecordBatch,
    columns: Vec<SourceColumn>,
}

impl Memory {
    fn new(columns: &[(&str, FieldKind, &[&str])]) -> Self {
        let column = |(name, _, texts): &(&str, FieldKind, &[&str])| {
            (name.to_string(), Arc::new(StringArray::from(texts.to_vec())) as ArrayRef)
        };
        let described =
            |(name, kind, _): &(&str, FieldKind, &[&str])| SourceColumn::untyped(name.to_string(), *kind, false);
        let bars = RecordBatch::try_from_iter(columns.iter().map(column)).unwrap();
        Self { bars, columns: columns.iter().map(described).collect() }
    }

    fn not_movable() -> Failure {
        Failure::Refused("rows in memory cannot be moved".to_owned(), "check them".to_owned())
    }
}

#[async_trait]
impl SourceKind for Memory {
    async fn open(&self) -> Result<Arc<dyn Source>, Failure> {
        Ok(Arc::new(self.clone()))
    }

    async fn quarantine(&self) -> Result<Box<dyn Quarantine>, Failure> {
        Err(Self::not_movable())
    }

    async fn examine(&self, _lines: &mut Examination<'_>) -> Result<bool, Failure> {
        Ok(true)
    }
}

#[async_trait]
impl Source for Memory {
    fn columns(&self) -> &[SourceColumn] {
        &self.columns
    }

    async fn ingest(&self, reading: &Reading<'_>) -> Result<Ingested, Failure> {
        let Reading { program, context, .. } = *reading;
        let columns = ingest::columns(program, &[])?;
        let folder = context.scratch()?;
        let path = folder.path().join("bars.parquet");
        let mut writer = ArrowWriter::try_new(File::create(&path)?, self.bars.schema(), None)?;
        writer.write(&self.bars)?;
        writer.close()?;
        let bytes = fs::metadata(&path)?.len();
        let files = vec![table_file(path.clone(), 0, bytes)];
        let key = ingest::key_columns(&program.bars).into_iter().map(KeyField::Column).collect();
        let (arrangement, groups) = ingest::arrange(key, files, vec![path.clone()], 1).await?;
        let schema = narrowed(&self.bars.schema(), &columns);
        let (locators, filter, window, places) = (Locators::Counted, Vec::new(), (None, None), Vec::new());
        let whole = None;
        let input = Input { groups, schema, whole, places, locators, arrangement, filter, window };
        let (rows, snapshot) = (Some(self.bars.num_rows() as u64), Some((path, folder)));
        Ok(Ingested { input, identities: Vec::new(), rows, bytes, extract_seconds: 0.0, snapshot, copies: None })
    }

    async fn damage(&self) -> Option<Failure> {
        None
    }

    fn file_names(&self) -> Vec<String> {
        vec!["memory".to_owned()]
    }

    fn named(&self, _ingested: &Ingested) -> SourceIdentity {
        SourceIdentity::Files(Vec::new())
    }

    async fn identity(&self, _ingested: &Ingested) -> Result<SourceIdentity, Failure> {
        Err(Self::not_movable())
    }

    fn check_same(&self, _planned: &SourceIdentity) -> Result<(), String> {
        Err("no plan is made of rows in memory".to_owned())
    }

    fn removal(&self) -> Result<Box<dyn Removal + '_>, Failure> {
        Err(Self::not_movable())
    }

    async fn examine(&self, lines: &mut Examination<'_>) -> Result<(), Failure> {
        lines.ok("source", "bars in memory")
    }

    async fn close(&self) -> Option<Connections> {
        None
    }
}

/// Two bars of which the second has a high below its low; what a run over them came to.
async fn run(goal: Goal, action: &str) -> Result<Ended, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let job = "name = \"daily\"\nrules = [\"rules.toml\"]\n[source.files]\npath = \"never-looked-at.csv\"\n\
               [bars]\nseries = [\"symbol\"]\ninterval = \"1d\"\n\
               time = { field = \"date\", formats = [\"%Y-%m-%d\"] }\n[report]\ndir = \"reports\"\n";
    let rules = format!("[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\nseverity = \"error\"\naction = \"{action}\"\n");
    fs::write(folder.path().join("job.toml"), job).unwrap();
    fs::write(folder.path().join("rules.toml"), rules).unwrap();
    let number = FieldKind::Number;
    let memory = Memory::new(&[
        ("symbol", FieldKind::Text, &["AAPL", "AAPL"]),
        ("date", FieldKind::Text, &["2024-01-02", "2024-01-03"]),
        ("open", number, &["10", "11"]),
        ("high", number, &["12", "9"]),
        ("low", number, &["9", "10"]),
        ("close", number, &["11", "10"]),
    ]);
    let order = Order::new(folder.path().join("job.toml"), goal);
    let loaded = Arc::new(load(&order.job)?);
    let started = Started { at: Utc::now(), clock: Instant::now(), peak: Peak::UNKNOWN };
    execute_over(&Context::default(), &order, &loaded, &memory, started).await
}

#[tokio::test]
async fn a_job_runs_over_a_source_that_nothing_else_knows() {
    let ended = run(Goal::Check, "report").await.unwrap();
    assert_eq!(ended.exit, Exit::Findings);
    assert_eq!((ended.summary.rows.read, ended.summary.rows.clean, ended.summary.rows.flagged), (2, 1, 1));
    assert!(ended.summary.connections.is_none());
}

#[tokio::test]
async fn rows_of_a_source_that_cannot_give_them_away_stay() {
    for goal in [Goal::Plan { file: None, holds: None }, Goal::Run { dry: false }] {
        let failure = run(goal, "quarantine").await.unwrap_err();
        assert_eq!(failure.render(false), "refused: rows in memory cannot be moved\n  = help: check them");
    }
}
