//! Work on the bars of a job that reports nothing and moves nothing.

use datafusion::prelude::SessionContext;

use super::facts;
use super::failure::Failure;
use super::job::Job;
use super::open::Opened;
use crate::engine::session::session;

impl Job {
    /// Opens the source, with the facts of the job and what barkeep moved, lets `work` read it, and closes it again.
    pub(super) async fn look_at_bars<T>(
        &self,
        work: impl AsyncFnOnce(&Opened, &SessionContext) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        facts::note_oddities(&self.context, &self.loaded);
        let opened = self.open_source().await?;
        let facts = facts::with_moved(&self.context, &opened).await;
        let opened = Opened { facts, ..opened };
        let worked = async {
            let scratch = self.context.scratch()?;
            let session = session(&self.context.limits_in(&scratch))?;
            work(&opened, &session).await
        };
        let worked = worked.await;
        opened.source.close().await;
        worked
    }
}
