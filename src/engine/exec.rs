//! The operator: takes the rows of one series after the other, runs all rules over each in one pass, and passes on
//! what they found. Memory is bounded by the longest series, not by the data.

use std::fmt;
use std::sync::Arc;

use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements,
    Partitioning, PlanProperties,
};
use futures::{StreamExt, TryStreamExt};

use super::arrangement::Arrangement;
use super::frame::Layout;
use super::neighbours::Neighbours;
use super::program::Program;
use super::records;
use super::series_buffer::{Measured, SeriesBuffer};
use super::twice::Pass;

/// Rows of output worth a batch.
const BATCH: usize = 4096;

/// Runs a program over its input, one series at a time.
#[derive(Debug)]
pub struct SeriesExec {
    input: Arc<dyn ExecutionPlan>,
    program: Arc<Program>,
    layout: Arc<Layout>,
    arrangement: Arrangement,
    pass: Pass,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl SeriesExec {
    /// Runs `program` over `input`.
    ///
    /// # Errors
    /// `input` lacks a column of the program.
    pub fn try_new(
        input: Arc<dyn ExecutionPlan>,
        (program, neighbours): (Arc<Program>, Arc<Neighbours>),
        arrangement: Arrangement,
        pass: Pass,
    ) -> Result<Self> {
        let layout = Arc::new(Layout::try_new(&program, &input.schema(), neighbours)?);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(records::schema()),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Ok(Self { input, program, layout, arrangement, pass, properties, metrics: ExecutionPlanMetricsSet::new() })
    }

    fn keys(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        let schema = self.input.schema();
        let column =
            |index: &usize| Arc::new(Column::new(schema.field(*index).name(), *index)) as Arc<dyn PhysicalExpr>;
        self.layout.keys.iter().map(column).collect()
    }
}

impl DisplayAs for SeriesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "SeriesExec: rules={}, arrangement={:?}", self.program.rules.rules.len(), self.arrangement)
    }
}

impl ExecutionPlan for SeriesExec {
    fn name(&self) -> &'static str {
        "SeriesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![match self.arrangement {
            Arrangement::InPlace => Distribution::UnspecifiedDistribution,
            Arrangement::HashPartitioned | Arrangement::Sorted => Distribution::KeyPartitioned(self.keys()),
        }])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let sorts = self.keys().into_iter().map(PhysicalSortExpr::new_default);
        let ordering = LexOrdering::new(sorts).filter(|_| self.arrangement == Arrangement::Sorted);
        vec![ordering.map(OrderingRequirements::from)]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![self.arrangement != Arrangement::InPlace]
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else { return internal_err!("SeriesExec has one input") };
        let planned = (Arc::clone(&self.program), Arc::clone(&self.layout.neighbours));
        Ok(Arc::new(Self::try_new(input, planned, self.arrangement, self.pass.clone())?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for key in &self.keys() {
            if f(key)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new(format!("SeriesExec[{partition}]")).register(context.memory_pool());
        let measured = Measured::new(&self.metrics, partition);
        let input = self.input.execute(partition, context)?;
        let (program, layout) = (Arc::clone(&self.program), Arc::clone(&self.layout));
        let series = SeriesBuffer::new((program, layout), self.pass.clone(), memory, measured);
        let state = Some((input, series));
        let stream = futures::stream::try_unfold(state, |state| async move {
            let Some((mut input, mut series)) = state else { return Ok(None) };
            while let Some(batch) = input.next().await {
                series.take(&batch?)?;
                if series.found() >= BATCH {
                    let batch = series.finish()?;
                    return Ok(Some((batch, Some((input, series)))));
                }
            }
            series.close()?;
            Ok(Some((series.finish()?, None)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(records::schema(), stream.into_stream())))
    }
}
