//! Parquet files as a table: the snapshot of a text source, or a Parquet source where it lies.
//!
//! Every row carries its locator, `__file` (index into the job's files) and `__row` (from 1). The table holds plain
//! data only, so a plan over it can travel. Files are whole: one file is read by one partition, in order.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use object_store::{ObjectMeta, path::Path as StorePath};
use parquet::arrow::RowNumber;

use crate::bars::BarColumn;
use crate::durable::paths;

/// One Parquet file of the table.
#[derive(Debug, Clone)]
pub struct TableFile {
    /// The file.
    pub path: PathBuf,
    /// Index of the source file its rows are from.
    pub index: i32,
    /// Length in bytes.
    pub bytes: u64,
    /// What its place gives, in the order of the table's place fields.
    pub places: Vec<Option<Arc<str>>>,
}

/// Where the locators of the rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locators {
    /// Columns of the files: a snapshot.
    Stored,
    /// The reader counts the rows of each file.
    Counted,
}

/// Parquet files of one schema.
#[derive(Debug)]
pub struct BarsTable {
    groups: Vec<Vec<TableFile>>,
    locators: Locators,
    tables: TableSchema,
    /// Over columns of the files.
    only: Option<Expr>,
}

impl BarsTable {
    /// A table of `groups` of files, one partition each. `schema` has the columns to be read, by name; `places` are the
    /// names of fields that the places of the files give, and come as text.
    pub fn new(groups: Vec<Vec<TableFile>>, schema: SchemaRef, locators: Locators, places: &[Arc<str>]) -> Self {
        let tables = match locators {
            Locators::Stored => TableSchema::from(schema),
            Locators::Counted => {
                let row: FieldRef =
                    Arc::new(Field::new(BarColumn::Row.name(), DataType::Int64, false).with_extension_type(RowNumber));
                let file = Arc::new(Field::new(BarColumn::File.name(), DataType::Int32, false));
                let places = places.iter().map(|name| Arc::new(Field::new(&**name, DataType::Utf8View, true)));
                TableSchema::builder(schema)
                    .with_table_partition_cols(std::iter::once(file).chain(places).collect::<Vec<_>>())
                    .with_virtual_columns(vec![row])
                    .build()
            }
        };
        Self { groups, locators, tables, only: None }
    }

    /// Rows of which `only`, which looks at columns of the files alone, is not true need not be read, and pages and row groups
    /// without others are not.
    #[must_use]
    pub fn where_possible(self, only: Option<Expr>) -> Self {
        Self { only, ..self }
    }

    fn group(&self, files: &[TableFile]) -> Result<FileGroup> {
        let files = files.iter().map(|file| {
            let location = StorePath::from_absolute_path(paths::absolute(&file.path)?)
                .map_err(|source| DataFusionError::External(Box::new(source)))?;
            let meta = ObjectMeta {
                location,
                last_modified: chrono::DateTime::UNIX_EPOCH,
                size: file.bytes,
                e_tag: None,
                version: None,
            };
            let file_index = ScalarValue::Int32(Some(file.index));
            let part = PartitionedFile::new_from_meta(meta);
            Ok(match self.locators {
                Locators::Stored => part,
                Locators::Counted => {
                    let place = |value: &Option<Arc<str>>| ScalarValue::Utf8View(value.as_deref().map(str::to_owned));
                    part.with_partition_values(
                        std::iter::once(file_index).chain(file.places.iter().map(place)).collect(),
                    )
                }
            })
        });
        Ok(FileGroup::new(files.collect::<Result<_>>()?))
    }
}

#[async_trait]
impl TableProvider for BarsTable {
    fn schema(&self) -> SchemaRef {
        // Extension metadata would have to match everywhere a plan compares schemas; the reader has its own copy.
        let plain = |field: &FieldRef| field.as_ref().clone().with_metadata(HashMap::new());
        Arc::new(Schema::new(self.tables.table_schema().fields().iter().map(plain).collect::<Vec<_>>()))
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut source = ParquetSource::new(self.tables.clone());
        if let Some(only) = &self.only {
            let schema = DFSchema::try_from(self.schema())?;
            let predicate = state.create_physical_expr(only.clone(), &schema)?;
            source = source.with_predicate(predicate).with_pushdown_filters(true);
        }
        let source = Arc::new(source);
        let groups = self.groups.iter().map(|group| self.group(group)).collect::<Result<Vec<_>>>()?;
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(groups)
            .with_preserve_order(true)
            .with_projection_indices(projection.cloned())?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
