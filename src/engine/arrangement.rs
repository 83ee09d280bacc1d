/// How the rows of a series come together in front of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arrangement {
    /// They lie together: every series is one run of rows of one input partition. Verified beforehand, and
    /// again while running.
    InPlace,
    /// They lie together in one stream, which is hash-partitioned by series.
    HashPartitioned,
    /// They lie anywhere: hash-partitioned by series, then sorted by series (spilling to disk if need be).
    Sorted,
}
