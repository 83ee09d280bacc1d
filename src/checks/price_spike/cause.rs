use crate::checks::cause::causes;

causes! {
    /// The price goes out and comes back, and nothing explains it.
    Reversal = "reversal",
    /// Much was traded while it was out.
    RealMove = "real-move",
}
