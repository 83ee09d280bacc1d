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
