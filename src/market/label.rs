/// What a bar's timestamp says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// A trading date.
    Session,
    /// The instant the bar opens.
    Start,
    /// The instant the bar closes.
    End,
}

/// Which day dates a weekly or monthly bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeriodLabel {
    /// The first session of the period.
    First,
    /// The last session of the period.
    Last,
    /// The Monday of the week, whether or not it is a session.
    Monday,
}
