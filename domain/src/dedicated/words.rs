//! How a set of Atlas' words becomes a type. It refuses no word: one that Atlas adds later is kept as it came.

/// Makes an enum of the words that this version knows, each with its meaning, and of any other word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $meaning:literal])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[doc = $meaning])* $variant,)+
            /// A word that this version does not know, or an empty one where Atlas sent none.
            Other(String),
        }

        impl $name {
            /// All that this version knows.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant,)+];

            /// The words of those.
            pub const KNOWN_WORDS: &'static [&'static str] = &[$($word,)+];

            /// Returns Atlas' word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;
