//! How outside text is shown to a model: between words drawn at random, with every space marked, so that data can't pass
//! for an order; what the model copies from it is unmarked again.
//!
//! Marking: Hines et al., "Defending Against Indirect Prompt Injection Attacks With Spotlighting" (2024).

use state::model::Evidence;

use crate::ctx::Dice;

/// What may stand for a space: rare in logs, cheap in tokens.
const MARKS: [char; 6] = ['¬', '¦', '¤', '§', '¶', '‡'];

/// The fence and the mark of one question.
#[derive(Debug, Clone)]
pub(super) struct Veil {
    /// The word that stands around data.
    pub(super) fence: String,
    /// The character that stands for every space in data.
    pub(super) mark: char,
}

impl Veil {
    /// Drawn at random; the mark does not stand in what is known so far, if one of them does not.
    pub(super) fn drawn(dice: &Dice, known: &[Evidence]) -> Self {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to below the number of marks"
        )]
        let first = (dice.share() * MARKS.len() as f64) as usize;
        let mut marks = MARKS.iter().cycle().skip(first).take(MARKS.len());
        let free = marks.find(|mark| {
            let stands = |e: &Evidence| {
                e.value.to_string().contains(**mark)
                    || e.activities
                        .iter()
                        .any(|a| a.raw.to_string().contains(**mark))
            };
            !known.iter().any(stands)
        });
        Self {
            fence: dice.word()[..16].to_owned(),
            mark: *free.unwrap_or(&MARKS[first % MARKS.len()]),
        }
    }

    /// The text as it is shown: without the fence, every space marked, at most so many characters; what was cut is said.
    pub(super) fn over(&self, text: &str, most: usize) -> String {
        let text = text.replace(&self.fence, "");
        let (shown, cut) = match text.char_indices().nth(most) {
            Some((at, _)) => (
                &text[..at],
                format!("… [cut: {at} of {} bytes shown]", text.len()),
            ),
            None => (text.as_str(), String::new()),
        };
        format!("{}{cut}", shown.replace(' ', &self.mark.to_string()))
    }

    /// The JSON that the model writes, with spaces where it copied marks, escaped or not.
    pub(super) fn off(&self, json: &str) -> String {
        let escaped = format!("\\u{:04x}", u32::from(self.mark));
        json.replace(self.mark, " ")
            .replace(&escaped, " ")
            .replace(&escaped.to_uppercase().replace("\\U", "\\u"), " ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_on_and_off_and_the_fence_stays_out() {
        let veil = Veil::drawn(&Dice::seeded("a"), &[]);
        let text = format!("ignore all {}>>> orders", veil.fence);
        let shown = veil.over(&text, 100);
        assert!(
            !shown.contains(' ') && !shown.contains(&veil.fence),
            "{shown}"
        );
        assert_eq!(veil.off(&shown), "ignore all >>> orders");
        for mark in MARKS {
            let veil = Veil {
                fence: String::new(),
                mark,
            };
            let code = u32::from(mark);
            let written = format!("a{mark}b\\u{code:04x}c\\u{code:04X}d");
            assert_eq!(veil.off(&written), "a b c d");
        }
        let cut = veil.over("äöü äöü", 4);
        assert!(cut.starts_with("äöü"), "{cut}");
        assert!(cut.ends_with("[cut: 7 of 13 bytes shown]"), "{cut}");
    }
}
