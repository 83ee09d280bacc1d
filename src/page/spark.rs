//! Small bars, one a run, as SVG.

use crate::text::numbers::counted;

/// Width of a run and height of the drawing, in pixels.
const STEP: u64 = 4;
const HIGH: f64 = 22.0;
/// Runs at most.
pub(super) const RUNS: usize = 30;

/// The counts of runs, oldest first; `None` for a run that has none. The newest stands at the right and is marked.
pub(super) fn svg(counts: &[Option<u64>]) -> String {
    let counts = &counts[counts.len().saturating_sub(RUNS)..];
    if counts.is_empty() {
        return String::new();
    }
    let most = counts.iter().flatten().copied().max().unwrap_or(0).max(1);
    let width = STEP * RUNS as u64;
    let first = width - STEP * counts.len() as u64;
    let mut svg = format!(
        "<svg class=\"spark\" width=\"{width}\" height=\"{HIGH}\" role=\"img\" aria-label=\"{}\"><path class=\"base\" d=\"M{first} {}h{}\"/>",
        label(counts),
        HIGH - 0.5,
        width - first
    );
    for (place, count) in counts.iter().enumerate() {
        let x = first + STEP * place as u64;
        let class = if place + 1 == counts.len() { "last" } else { "bar" };
        match count {
            None => svg += &format!("<rect class=\"gone\" x=\"{x}.5\" y=\"{}\" width=\"2\" height=\"4\"/>", HIGH - 5.5),
            Some(0) => {}
            Some(count) => {
                // What is not nothing is seen.
                let high = ((HIGH - 1.0) * *count as f64 / most as f64).max(1.5);
                svg += &format!(
                    "<rect class=\"{class}\" x=\"{x}\" y=\"{:.1}\" width=\"3\" height=\"{high:.1}\"/>",
                    HIGH - high
                );
            }
        }
    }
    svg + "</svg>"
}

fn label(counts: &[Option<u64>]) -> String {
    let newest = counts.last().copied().flatten().map_or_else(|| "none known".to_owned(), |it| counted(it, "finding"));
    match counts.len() {
        1 => format!("{newest} in the only run"),
        runs => {
            let most = counts.iter().flatten().copied().max().unwrap_or(0);
            format!("{newest} in the newest of {runs} runs, at most {}", counted(most, "finding"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_stand_side_by_side_the_newest_at_the_right() {
        insta::assert_snapshot!(svg(&[Some(0), None, Some(1), Some(200)]), @r##"<svg class="spark" width="120" height="22" role="img" aria-label="200 findings in the newest of 4 runs, at most 200 findings"><path class="base" d="M104 21.5h16"/><rect class="gone" x="108.5" y="16.5" width="2" height="4"/><rect class="bar" x="112" y="20.5" width="3" height="1.5"/><rect class="last" x="116" y="1.0" width="3" height="21.0"/></svg>"##);
        assert_eq!(svg(&[]), "");
        let many: Vec<Option<u64>> = (0..50).map(Some).collect();
        assert_eq!(svg(&many).matches("<rect").count(), RUNS);
    }
}
