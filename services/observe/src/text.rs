//! What people read, in both languages.

/// The languages of boards and runbooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lang {
    Zh,
    En,
}

impl Lang {
    pub(crate) const ALL: [Self; 2] = [Self::Zh, Self::En];

    pub(crate) fn code(self) -> &'static str {
        match self {
            Lang::Zh => "zh",
            Lang::En => "en",
        }
    }
}

/// A text in both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    pub(crate) zh: &'static str,
    pub(crate) en: &'static str,
}

impl Text {
    pub(crate) fn of(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::Zh => self.zh,
            Lang::En => self.en,
        }
    }
}

/// A text from its Chinese and its English wording.
macro_rules! text {
    ($zh:expr, $en:expr $(,)?) => {
        $crate::text::Text { zh: $zh, en: $en }
    };
}
pub(crate) use text;
