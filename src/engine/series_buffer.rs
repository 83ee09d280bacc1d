//! The rows of one series, gathered from batches; evaluated when the next series begins.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{concat_batches, partition};
use datafusion::common::exec_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder};

use super::emit::Emitter;
use super::evaluation::certainty::is_certain;
use super::evaluation::{self, Evaluated};
use super::frame::{Frame, Layout};
use super::key::key_of;
use super::program::{Gathers, Program};
use super::scope::Scope;
use super::twice::Pass;

/// What one partition of the operator is measured by.
pub(super) struct Measured {
    output: BaselineMetrics,
    rows: Count,
    series: Count,
}

impl Measured {
    pub(super) fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        Self {
            output: BaselineMetrics::new(metrics, partition),
            rows: MetricBuilder::new(metrics).counter("input_rows", partition),
            series: MetricBuilder::new(metrics).counter("series", partition),
        }
    }
}

/// Gathers the rows of one series, evaluates them when the next one begins.
pub(super) struct SeriesBuffer {
    program: Arc<Program>,
    layout: Arc<Layout>,
    pass: Pass,
    key: String,
    parts: Vec<RecordBatch>,
    done: HashSet<String>,
    emitter: Emitter,
    memory: MemoryReservation,
    /// Of the keys in `done`.
    keys: MemoryReservation,
    measured: Measured,
}

/// About what a key takes besides its text.
const BYTES_OF_KEY: usize = 64;

impl SeriesBuffer {
    /// An empty buffer that takes its memory from `memory`.
    pub(super) fn new(
        (program, layout): (Arc<Program>, Arc<Layout>),
        pass: Pass,
        memory: MemoryReservation,
        measured: Measured,
    ) -> Self {
        let emitter = Emitter::new(Arc::clone(&program), Arc::clone(&layout));
        let (key, parts, done, keys) = (String::new(), Vec::new(), HashSet::new(), memory.new_empty());
        Self { program, layout, pass, key, parts, done, emitter, memory, keys, measured }
    }

    /// Rows of output so far.
    pub(super) fn found(&self) -> usize {
        self.emitter.rows()
    }

    /// The output so far; none is left.
    pub(super) fn finish(&mut self) -> Result<RecordBatch> {
        let batch = self.emitter.finish()?;
        self.measured.output.record_output(batch.num_rows());
        Ok(batch)
    }

    /// Takes a batch, whose rows are of one series after the other.
    ///
    /// # Errors
    /// The rows of the series do not fit into the memory limit, or those of one series do not lie together.
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.measured.rows.add(batch.num_rows());
        let row_bytes = batch.get_array_memory_size() / batch.num_rows();
        let keys: Vec<_> = self.layout.keys.iter().map(|column| Arc::clone(batch.column(*column))).collect();
        for range in partition(&keys)?.ranges() {
            let key = self.key_at(batch, range.start);
            if !self.pass.has(&key) {
                continue;
            }
            if !self.parts.is_empty() && key != self.key {
                self.close()?;
            }
            if self.parts.is_empty() {
                self.open(key)?;
            }
            self.reserve(row_bytes * range.len())?;
            self.parts.push(batch.slice(range.start, range.len()));
        }
        Ok(())
    }

    /// The key of the series that `row` of `batch` belongs to.
    fn key_at(&self, batch: &RecordBatch, row: usize) -> String {
        let text = |column: &usize| {
            let texts = batch.column(*column).as_string_view();
            (!texts.is_null(row)).then(|| texts.value(row))
        };
        key_of(self.layout.keys.iter().map(text))
    }

    fn open(&mut self, key: String) -> Result<()> {
        if !self.done.insert(key.clone()) {
            return exec_err!("rows of series `{key}` do not lie together: the files changed while they were read");
        }
        self.keys.try_grow(key.len() + BYTES_OF_KEY).map_err(|_| {
            let message = format!(
                "the names of {} series do not fit into the memory limit: raise --memory-limit, or name fewer fields in \
                 `[bars] series`",
                self.done.len()
            );
            DataFusionError::ResourcesExhausted(message)
        })?;
        self.key = key;
        Ok(())
    }

    /// Sets memory aside for more of the series.
    fn reserve(&self, bytes: usize) -> Result<()> {
        self.memory.try_grow(bytes).map_err(|_| {
            let rows: usize = self.parts.iter().map(RecordBatch::num_rows).sum();
            let message = format!(
                "series `{}` does not fit into the memory limit: its first {rows} rows take {} MB; raise --memory-limit, \
                 or make series smaller with a further field in `[bars] series`",
                self.key,
                self.memory.size() >> 20,
            );
            DataFusionError::ResourcesExhausted(message)
        })
    }

    /// Evaluates the series gathered so far, if there is one.
    ///
    /// # Errors
    /// Its rows do not fit into the memory limit a second time, as one batch.
    pub(super) fn close(&mut self) -> Result<()> {
        let Some(first) = self.parts.first() else { return Ok(()) };
        let batch = match self.parts.len() {
            1 => first.clone(),
            _ => {
                self.reserve(self.memory.size())?;
                concat_batches(&first.schema(), &self.parts)?
            }
        };
        self.parts.clear();
        let timer = self.measured.output.elapsed_compute().timer();
        let frame = Frame::try_new(&batch, &self.layout)?.with_neighbours(&self.program, &self.layout)?;
        if self.is_put_off(&frame) {
            self.emitter.put_off(&self.key, &frame);
        } else {
            let scope = self.scope(&frame);
            let of = (self.key.as_str(), scope.map(|scope| scope.since));
            let evaluated = evaluation::evaluate(&self.program, &self.layout, &frame, of)?;
            match scope {
                Some(scope) if !self.is_certain(&frame, &evaluated, scope) => self.emitter.longer(&self.key, &frame),
                Some(scope) => self.emitter.emit(&self.key, &frame, &evaluated, Some(scope.since)),
                None => self.emitter.emit(&self.key, &frame, &evaluated, None),
            }
        }
        timer.done();
        self.measured.series.add(1);
        self.memory.free();
        Ok(())
    }

    /// The part of the rows that is reported on; `None` for all of them. A series with all of its rows has its verdicts where
    /// bars may have changed since, however far apart its bars are; and rows without a key are no series.
    fn scope(&self, frame: &Frame) -> Option<Scope> {
        let has_key = self.layout.keys.iter().all(|column| frame.text(Some(*column), 0).is_some());
        let whole = |scope: &Scope| self.pass.has_all_rows() && scope.changed > scope.since;
        self.program.scope.filter(|scope| has_key && !whole(scope) && self.program.gathers == Gathers::Nothing)
    }

    fn is_certain(&self, frame: &Frame, evaluated: &Evaluated, scope: Scope) -> bool {
        self.pass.has_all_rows() || is_certain(&self.program, &self.layout, frame, &self.key, evaluated, scope)
    }

    /// Whether the series has rows that only all fields of the source tell apart, and these are not there.
    fn is_put_off(&self, frame: &Frame) -> bool {
        let twice = || frame.time(&self.layout).windows(2).any(|pair| pair[0] == pair[1]);
        let has_key = || self.layout.keys.iter().all(|column| frame.text(Some(*column), 0).is_some());
        !self.pass.is_whole() && self.program.compares_rows() && frame.rows() > 0 && has_key() && twice()
    }
}
