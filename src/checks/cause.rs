/// Declares why a check flags: an enum whose words are the `cause` of findings. A word is never renamed once released.
macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// Why something was flagged.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Cause {
            $($(#[$doc])* $variant,)+
        }

        impl Cause {
            /// The words, in the order of the causes.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];

            /// The cause that `word` names.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl From<Cause> for &'static str {
            fn from(cause: Cause) -> Self {
                match cause {
                    $(Cause::$variant => $word,)+
                }
            }
        }
    };
}

pub(super) use causes;
