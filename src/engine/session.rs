//! The DataFusion session every query of barkeep runs in.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{LogicalPlan, ScalarUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::{SessionConfig, SessionContext};

use super::node::SeriesPlanner;
use super::pool::SortsSpill;
use super::shape::{ReadNumber, ReadTime};

/// About what a row of bars takes while it is sorted.
const ROW_BYTES: usize = 200;

/// Limits a person sets for a run.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Partitions, and so cores in use.
    pub threads: usize,
    /// Bytes of the memory pool that everything takes from which grows with the data; sorts spill to disk within it. Without
    /// a limit, sorts spill beyond 192 MiB a thread, and the rest takes what it needs.
    pub memory: Option<usize>,
    /// Folder for spilled data, one that the caller removes; where `None`, a folder is made when something is spilled.
    pub temp: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { threads, memory: None, temp: None }
    }
}

/// A session with barkeep's functions and operator. The time zone is UTC; identifiers keep their case.
pub fn session(limits: &Limits) -> Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_target_partitions(limits.threads)
        .with_repartition_file_scans(false)
        .with_round_robin_repartition(false)
        .with_information_schema(true);
    if let Some(memory) = limits.memory {
        // A sort holds a batch at least; small ones let it work within a small pool.
        config = config.with_batch_size((memory / limits.threads.max(1) / ROW_BYTES / 32).clamp(256, 8192));
    }
    let options = config.options_mut();
    options.sql_parser.enable_ident_normalization = false;
    options.execution.parquet.pushdown_filters = false;
    let mut runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(SortsSpill::new(limits.threads)));
    if let Some(memory) = limits.memory {
        // Several sorts run at once; a fair pool makes each spill in time instead of letting the first take it all.
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(memory)));
        // A sort keeps this much aside to merge its spilled runs; the default alone would exceed a small pool.
        options.execution.sort_spill_reservation_bytes = (memory / 16 / limits.threads.max(1)).min(10 << 20);
    }
    if let Some(temp) = &limits.temp {
        runtime = runtime.with_temp_file_path(temp);
    }
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime.build_arc()?)
        .with_default_features()
        .with_query_planner(Arc::new(Planner))
        .build();
    let context = SessionContext::new_with_state(state);
    context.register_udf(ScalarUDF::from(ReadTime::default()));
    context.register_udf(ScalarUDF::from(ReadNumber::default()));
    Ok(context)
}

#[derive(Debug)]
struct Planner;

#[async_trait::async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(SeriesPlanner)]);
        planner.create_physical_plan(plan, session).await
    }
}
