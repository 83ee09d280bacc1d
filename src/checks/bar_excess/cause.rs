use crate::checks::cause::causes;

causes! {
    /// The low lies far below open and close.
    Low = "low",
    /// The high lies far above open and close.
    High = "high",
    /// The open lies far outside of the close before it and its own close.
    Open = "open",
    /// The close lies far outside of its own open and the open after it.
    Close = "close",
    /// Open and close both lie far outside of the close before and the open after.
    Bar = "bar",
    /// So many bars stick out that the limit does not suit the series.
    Unsuited = "unsuited",
}
