//! The columns that files of facts have, declared once: reading, mistakes and documentation come from the same list.

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// Text as it stands.
    Text,
    /// A date, `2024-03-08` or `20240308`, or a moment of a day.
    Moment,
    /// A number above 0.
    Number,
    /// One of these words.
    Words(&'static [&'static str]),
}

/// A column of a file of facts.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its cells are.
    pub cells: Cells,
    /// Whether the file must have it.
    pub needed: bool,
    /// What it says, for the person who writes it.
    pub doc: &'static str,
}

/// One kind of files of facts.
#[derive(Debug)]
pub struct Kind {
    /// The key of `[facts]` that names it.
    pub key: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
}

const fn needed(name: &'static str, cells: Cells, doc: &'static str) -> Column {
    Column { name, cells, needed: true, doc }
}

const fn free(name: &'static str, cells: Cells, doc: &'static str) -> Column {
    Column { name, cells, needed: false, doc }
}

const FROM: &str = "The first date; empty: always until then.";
const UNTIL: &str = "The first date it no longer holds; empty: it still does.";

/// Every kind of files of facts, by the keys of `[facts]`.
pub const KINDS: &[Kind] = &[
    Kind {
        key: "corporate_actions",
        columns: &[
            needed("symbol", Cells::Text, "The symbol, as the bars have it."),
            needed("date", Cells::Moment, "The ex-date: the first date with prices without what it gives."),
            needed(
                "kind",
                Cells::Words(&["split", "bonus", "rights", "dividend", "other"]),
                "What it is; `other` changes the level of the prices by how much is not known.",
            ),
            free(
                "ratio",
                Cells::Number,
                "Of a split, the shares that each share becomes: 4 for four for one, 0.1 for one for ten. Of bonus shares and \
                 rights, the new shares for each share held: 0.3 for 3 for 10.",
            ),
            free("cash", Cells::Number, "Of a dividend, what is paid for each share, in the unit of the prices."),
            free("price", Cells::Number, "Of rights, what a new share costs, in the unit of the prices."),
        ],
    },
    Kind {
        key: "suspensions",
        columns: &[
            needed(
                "symbol",
                Cells::Text,
                "The symbol, as the bars have it; `*` is all of them, as where the exchange halts trading.",
            ),
            needed("from", Cells::Moment, "The first date, or moment, without trading."),
            needed("until", Cells::Moment, "The first date, or moment, with trading again; empty: not yet."),
        ],
    },
    Kind {
        key: "listings",
        columns: &[
            needed("symbol", Cells::Text, "The symbol, as the bars have it."),
            needed("from", Cells::Moment, "The first date it was traded; empty: before all bars."),
            needed("until", Cells::Moment, "The first date it was no longer listed; empty: it still is."),
        ],
    },
    Kind {
        key: "price_limits",
        columns: &[
            free("symbol", Cells::Text, "The symbol, or a form in which `*` stands for any text, as `30*` or `*.SH`."),
            free(
                "board",
                Cells::Words(&["main", "chinext", "star", "beijing"]),
                "The board, in the place of a symbol.",
            ),
            free("from", Cells::Moment, FROM),
            free("until", Cells::Moment, UNTIL),
            needed("up", Cells::Number, "How far above the reference price, as a share: 0.1 is 10 %; empty: no limit."),
            needed("down", Cells::Number, "How far below the reference price, as a share; empty: no limit."),
        ],
    },
    Kind {
        key: "outages",
        columns: &[
            needed("from", Cells::Moment, "The first moment nothing came."),
            needed("until", Cells::Moment, "The first moment bars came again; empty: not yet."),
            free("source", Cells::Text, "The source, as the bars have it; empty: all sources."),
            free("symbol", Cells::Text, "The symbol, as the bars have it; empty: all symbols."),
        ],
    },
    Kind {
        key: "exceptions",
        columns: &[
            needed("symbol", Cells::Text, "The symbol, as the bars have it."),
            needed("rule", Cells::Text, "The `id` of the rule."),
            free("from", Cells::Moment, FROM),
            free("until", Cells::Moment, UNTIL),
            needed("why", Cells::Text, "Why, for whoever reads it later."),
        ],
    },
];

impl Cells {
    /// What the cells are, in words.
    pub fn words(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Moment => "date or moment".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Words(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        }
    }
}

impl Kind {
    /// Its columns as a table of a document.
    pub fn markdown(&self) -> String {
        let head = "| column | holds | needed | meaning |\n|---|---|---|---|\n".to_owned();
        self.columns.iter().fold(head, |table, column| {
            let needed = if column.needed { "yes" } else { "" };
            table + &format!("| `{}` | {} | {needed} | {} |\n", column.name, column.cells.words(), column.doc)
        })
    }
}
