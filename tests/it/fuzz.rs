//! Whatever bytes stand where a job, rules or bars should be, barkeep answers: nothing panics, and no row is lost.
//!
//! Through the entry points of the library, so that many inputs cost little; a few go through the program.

mod driver;
mod targets;

use std::fs;

use crate::cli_support::{BARS, Project};

#[test]
fn the_program_answers_noise_with_an_exit_code() {
    let project = Project::new(BARS);
    for (number, seed) in (0_u32..6).enumerate() {
        let noise: Vec<u8> =
            (0..200 + seed * 97).map(|n| (n.wrapping_mul(seed * 2 + 40_503) >> 7).to_le_bytes()[0]).collect();
        let name = ["job.toml", "rules.toml", "bars.csv"][number % 3];
        let whole = fs::read(project.path(name)).unwrap();
        let half = [&whole[..whole.len() / 2], noise.as_slice()].concat();
        for bytes in [noise, half] {
            project.write(name, &bytes);
            let output = project.call(&["run", "job.toml", "--format", "json"]);
            assert!(matches!(output.code, Some(0..=4)), "{output:?}");
            output.json();
        }
        project.write(name, whole);
    }
}
