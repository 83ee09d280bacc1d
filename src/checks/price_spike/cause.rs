use crate::checks::cause::causes;

causes! {
    /// The price goes out and comes back.
    Reversal = "reversal",
    /// The low sticks out of the body, unlike in the bars beside it.
    LowWick = "low-wick",
    /// The high does.
    HighWick = "high-wick",
}
