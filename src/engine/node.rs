//! The logical node of the operator, and how it becomes physical.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DFSchemaRef, internal_err};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

use super::arrangement::Arrangement;
use super::exec::SeriesExec;
use super::neighbours::Neighbours;
use super::program::Program;
use super::records;
use super::twice::Pass;

/// All rules over all series of the input.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SeriesNode {
    input: LogicalPlan,
    program: Arc<Program>,
    arrangement: Arrangement,
    pass: Pass,
    schema: DFSchemaRef,
}

impl SeriesNode {
    /// Runs `program` over `input`, whose rows are arranged as `arrangement` says.
    pub fn try_new(input: LogicalPlan, program: Arc<Program>, arrangement: Arrangement, pass: Pass) -> Result<Self> {
        let schema = Arc::new(DFSchema::try_from(records::schema())?);
        Ok(Self { input, program, arrangement, pass, schema })
    }
}

impl PartialOrd for SeriesNode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (&self.program, self.arrangement, &self.pass).partial_cmp(&(&other.program, other.arrangement, &other.pass))
    }
}

impl UserDefinedLogicalNodeCore for SeriesNode {
    fn name(&self) -> &'static str {
        "Series"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rules = self.program.rules.rules.len();
        write!(f, "Series: job={} rules={rules} arrangement={:?}", self.program.job, self.arrangement)
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let input = inputs.pop().unwrap_or_else(|| self.input.clone());
        Ok(Self { input, ..self.clone() })
    }
}

/// Plans [`SeriesNode`].
#[derive(Debug)]
pub struct SeriesPlanner;

#[async_trait]
impl ExtensionPlanner for SeriesPlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        _planning: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let (Some(node), [input]) = (node.as_any().downcast_ref::<SeriesNode>(), physical_inputs) else {
            return Ok(None);
        };
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return internal_err!("the session of a run has no state to plan expressions by");
        };
        let program = Arc::clone(&node.program);
        let neighbours = Arc::new(Neighbours::try_new(state, &program, &input.schema())?);
        let exec = SeriesExec::try_new(Arc::clone(input), (program, neighbours), node.arrangement, node.pass.clone())?;
        Ok(Some(Arc::new(exec)))
    }
}
