//! A job over bars in memory.

use std::error::Error;
use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, RecordBatchIterator, RecordBatchReader, StringArray};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::OwnSource;
use crate::run::{CheckOptions, Context, Exit, Failure, Job, PlanOptions, RunOptions};

/// Bars in memory, and whether they break off behind the first batch.
struct Memory(RecordBatch, bool);

impl OwnSource for Memory {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn read(&self) -> Result<Box<dyn RecordBatchReader + Send>, Box<dyn Error + Send + Sync>> {
        let broken = self.1.then(|| Err(ArrowError::ComputeError("the feed is closed".to_owned())));
        let batches: Vec<_> = std::iter::once(Ok(self.0.clone())).chain(broken).collect();
        Ok(Box::new(RecordBatchIterator::new(batches, self.0.schema())))
    }
}

/// Two bars of two series, of which the second has a high below its low, and a column that nothing reads.
fn bars() -> RecordBatch {
    let texts = |texts: [&str; 2]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let numbers = |numbers: [f64; 2]| Arc::new(Float64Array::from(numbers.to_vec())) as ArrayRef;
    let columns = [
        ("note", texts(["a", "b"])),
        ("symbol", texts(["AAPL", "MSFT"])),
        ("date", texts(["2024-01-02", "2024-01-03"])),
        ("open", numbers([10.0, 11.0])),
        ("high", numbers([12.0, 9.0])),
        ("low", numbers([9.0, 10.0])),
        ("close", numbers([11.0, 10.0])),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    /// A job over `source`, with a rule whose rows are to be moved.
    fn new(source: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let job = format!(
            "name = \"daily\"\nrules = [\"rules.toml\"]\n{source}\n\
             [bars]\nseries = [\"symbol\"]\ninterval = \"1d\"\n\
             time = {{ field = \"date\", formats = [\"%Y-%m-%d\"] }}\n\
             [limits]\nfraction = 1.0\nseries_fraction = 1.0\n[report]\ndir = \"reports\"\n"
        );
        let rules = "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\nseverity = \"error\"\naction = \"quarantine\"\n";
        fs::write(folder.path().join("job.toml"), job).unwrap();
        fs::write(folder.path().join("rules.toml"), rules).unwrap();
        Self(folder)
    }

    fn job(&self, breaks_off: bool) -> Result<Job, Failure> {
        Job::open_over(&Context::default(), self.0.path().join("job.toml"), Memory(bars(), breaks_off))
    }
}

const OWN: &str = "[source.own]\nname = \"memory\"";

#[tokio::test]
async fn a_job_runs_over_bars_that_a_program_gives() {
    let folder = Folder::new(OWN);
    let job = folder.job(false).unwrap();
    let result = job.check(CheckOptions::default()).await.unwrap();
    assert_eq!(result.exit, Exit::Findings);
    let summary = &result.summary;
    assert_eq!((summary.source.as_str(), summary.rows.read, summary.rows.clean), ("memory", 2, 1));
    assert_eq!((summary.rows.to_quarantine, summary.rules[0].rows), (1, 1));
    let none = CheckOptions { series: vec!["AAPL".to_owned()], ..CheckOptions::default() };
    let result = job.check(none).await.unwrap();
    assert_eq!((result.exit, result.summary.rows.read), (Exit::Ok, 1));
}

#[tokio::test]
async fn rows_that_a_program_gives_stay() {
    let folder = Folder::new(OWN);
    let job = folder.job(false).unwrap();
    let refused = "refused: no row can be moved: a program gives the bars\n  \
                   = help: correct them where it has them from";
    let failure = job.run(RunOptions::default()).await.unwrap_err();
    assert_eq!(failure.render(false), refused);
    let plan = job.plan(PlanOptions::default()).await.unwrap().plan.unwrap();
    assert_eq!((plan.rows().len(), plan.rows()[0].series.as_str()), (1, "MSFT"));
    let failure = plan.apply(&plan.confirmation()).await.unwrap_err();
    assert!(failure.render(false).starts_with("refused: no row can be moved: a program gives the bars\n"), "{failure}");
    assert!(job.quarantine().await.is_err_and(|failure| failure.render(false) == refused));
}

#[tokio::test]
async fn bars_that_break_off_end_the_check() {
    let folder = Folder::new(OWN);
    let failure = folder.job(true).unwrap().check(CheckOptions::default()).await.unwrap_err();
    assert_eq!(failure.exit(), Exit::Broken);
    assert!(failure.render(false).contains("`memory` that the program gives"), "{failure}");
    assert!(failure.render(false).contains("the feed is closed"), "{failure}");
}

#[test]
fn a_job_that_names_files_reads_no_bars_of_a_program() {
    let folder = Folder::new("[source.files]\npath = \"bars.csv\"");
    let failure = folder.job(false).unwrap_err();
    assert_eq!(
        failure.render(false),
        "error: the program gives bars, and the job reads `[source.files]`\n  \
         = help: write `[source.own]` with a `name` in its place"
    );
}
