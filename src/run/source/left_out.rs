//! A source of a kind that this build was made without.

use std::sync::Arc;

use async_trait::async_trait;

use super::contract::{Source, SourceKind};
use crate::run::examination::Examination;
use crate::run::failure::Failure;
use crate::run::quarantine::Quarantine;

/// A collection, in a build without MongoDB support.
pub(super) struct LeftOut;

impl LeftOut {
    fn refused() -> Failure {
        Failure::Usage(
            "this build of barkeep has no MongoDB support, and the job reads `[source.mongodb]`".to_owned(),
            "build it with `--features mongodb`, which is the default".to_owned(),
        )
    }
}

#[async_trait]
impl SourceKind for LeftOut {
    async fn open(&self) -> Result<Arc<dyn Source>, Failure> {
        Err(Self::refused())
    }

    async fn quarantine(&self) -> Result<Box<dyn Quarantine>, Failure> {
        Err(Self::refused())
    }

    async fn examine(&self, _lines: &mut Examination<'_>) -> Result<bool, Failure> {
        Err(Self::refused())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::run::{Context, Goal, Order, execute};

    #[tokio::test]
    async fn a_job_over_a_collection_is_told_what_the_build_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let job = "name = \"daily\"\nrules = [\"rules.toml\"]\n\
                   [source.mongodb]\nuri = \"mongodb://127.0.0.1\"\ndatabase = \"market\"\ncollection = \"bars\"\n\
                   [bars]\nseries = [\"symbol\"]\ninterval = \"1d\"\n[report]\ndir = \"reports\"\n";
        fs::write(folder.path().join("job.toml"), job).unwrap();
        fs::write(
            folder.path().join("rules.toml"),
            "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\nseverity = \"error\"\n",
        )
        .unwrap();
        let order = Order::new(folder.path().join("job.toml"), Goal::Check);
        let failure = execute(&Context::default(), &order).await.unwrap_err();
        assert_eq!(
            failure.render(false),
            "error: this build of barkeep has no MongoDB support, and the job reads `[source.mongodb]`\n  \
             = help: build it with `--features mongodb`, which is the default"
        );
    }
}
