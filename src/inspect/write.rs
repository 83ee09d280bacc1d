//! The job as text: what was seen as plain settings, and what was guessed in comments.

use std::path::{Component, Path, PathBuf};

use super::columns::Roles;
use super::market::Market;
use super::numbers::Numbers;
use super::outcome::Proposal;
use super::place::{self, Place};
use super::sample::Sample;
use super::time::Found;
use crate::source::Format;
use crate::text::toml::{key, string};

/// All that was seen.
pub(super) struct Draft<'a> {
    pub(super) sample: &'a Sample,
    pub(super) roles: &'a Roles,
    pub(super) place: Option<Place>,
    pub(super) time: &'a Found,
    pub(super) numbers: Numbers,
    pub(super) market: Market,
}

impl Draft<'_> {
    /// The job that will lie in the folder `jobs`.
    pub(super) fn job(&self, patterns: &[PathBuf], jobs: &Path) -> Proposal {
        let name = self.name();
        let mut confirm = Vec::new();
        let mut out = vec![
            "#:schema ../schema/job.schema.json".to_owned(),
            format!(
                "# Written by `barkeep init --from`, from {} of {} files; what is marked as a guess must be confirmed.",
                self.sample.looked_at,
                self.sample.files.len()
            ),
            format!("name  = {}", string(&name)),
            self.rules(),
            String::new(),
        ];
        self.source(patterns, jobs, &mut out, &mut confirm);
        self.bars(&mut out, &mut confirm);
        out.extend(
            [
                "",
                "[limits]                               # a run that wants to move more is refused",
                "rows     = 10_000",
                "fraction = 0.01",
                "",
                "[report]",
                "dir = \"../reports\"",
                "",
            ]
            .map(str::to_owned),
        );
        Proposal { name, text: out.join("\n"), confirm }
    }

    /// The rules of any market, without those that these bars lack something for.
    fn rules(&self) -> String {
        let (mut except, mut lacks) = (Vec::new(), Vec::new());
        if self.roles.of("volume").is_none() {
            except.push("volume-overflow");
            lacks.push("volume");
        }
        if self.market.calendar.is_none() {
            except.extend(["gap", "calendar-range"]);
            lacks.push("calendar");
        }
        if except.is_empty() {
            return "rules = [\"../rules/ohlcv.toml\"]".to_owned();
        }
        let except: Vec<String> = except.into_iter().map(string).collect();
        format!(
            "rules = [{{ file = \"../rules/ohlcv.toml\", except = [{}] }}]   # there is no {}",
            except.join(", "),
            lacks.join(" and no ")
        )
    }

    /// The folder of the files where it says something, else the only file.
    fn name(&self) -> String {
        let folder = place::folder(&self.sample.files);
        let usual = ["data", "bars", "csv", "csv_data", "files", ""];
        let of_folder =
            folder.file_name().and_then(|name| name.to_str()).filter(|name| !usual.contains(name)).map(str::to_owned);
        let of_file = || Some(self.sample.files.first()?.file_name()?.to_str()?.split('.').next()?.to_owned());
        let name = match self.sample.files.len() {
            1 => of_file(),
            _ => of_folder,
        };
        let plain: String = name
            .unwrap_or_default()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect();
        let plain = plain.trim_matches('-').to_owned();
        if plain.is_empty() { "bars".to_owned() } else { plain }
    }

    fn source(&self, patterns: &[PathBuf], jobs: &Path, out: &mut Vec<String>, confirm: &mut Vec<String>) {
        let Self { sample, numbers, .. } = self;
        out.push("[source.files]".to_owned());
        let paths: Vec<String> = match &self.place {
            Some(place) => {
                let folder = place::folder(&sample.files);
                let apart = sample.files.iter().any(|path| path.parent() != Some(&folder));
                let name = if apart { format!("**/{}", place.name) } else { place.name.clone() };
                let mut path = glob::Pattern::escape(&from(jobs, &folder));
                path.push('/');
                confirm.push(format!("the symbol is what stands for `{{symbol}}` in `{}`", place.name));
                vec![path + &name]
            }
            None => patterns.iter().map(|pattern| from(jobs, pattern)).collect(),
        };
        out.push(match paths.as_slice() {
            [path] => format!("path      = {}", string(path)),
            paths => format!("path      = [{}]", paths.iter().map(|path| string(path)).collect::<Vec<_>>().join(", ")),
        });
        if !sample.named {
            out.push(format!("format    = {}", string(sample.format.as_str())));
        }
        if let Some(records) = &sample.records {
            out.push(format!("records   = {}", string(records)));
        }
        match sample.format {
            Format::Csv => self.layout(out, confirm),
            _ if !sample.layout.columns.is_empty() => self.columns(out, confirm),
            _ => {}
        }
        if let Some(setting) = &numbers.setting {
            out.push(format!("numbers   = {setting}"));
        }
        if !numbers.nulls.is_empty() {
            let nulls: Vec<String> = ["", "null", "NULL", "None", "N/A"]
                .into_iter()
                .map(string)
                .chain(numbers.nulls.iter().map(|null| string(null)))
                .collect();
            out.push(format!("nulls     = [{}]", nulls.join(", ")));
        }
        if sample.drift {
            out.push("missing   = \"null\"                # some files lack columns that others have".to_owned());
        }
        if let Some(at) = sample.table.columns.iter().position(|column| column.name.eq_ignore_ascii_case("series"))
            && sample.table.columns[at].cells.iter().flatten().any(|cell| cell == "EQ")
        {
            out.push(format!(
                "filter    = {{ {} = \"EQ\" }}          # a guess: shares only",
                key(&sample.table.columns[at].name)
            ));
            confirm.push("only rows of the series `EQ` are read".to_owned());
        }
        out.push(String::new());
    }

    fn layout(&self, out: &mut Vec<String>, confirm: &mut Vec<String>) {
        let layout = &self.sample.layout;
        let tabs = self.sample.files.iter().all(|path| path.extension().is_some_and(|ending| ending == "tsv"));
        if layout.delimiter != "," && !(tabs && layout.delimiter == "\t") {
            out.push(format!("delimiter = {}", string(&layout.delimiter)));
        }
        if layout.skip > 0 {
            out.push(format!("skip      = {}", layout.skip));
        }
        if layout.header != "first" {
            out.push(format!("header    = {}", string(layout.header)));
            self.columns(out, confirm);
        }
        if let Some(wide) = layout.wide {
            out.push(format!("wide      = {wide}   # each column is of one series"));
            if wide.contains("values") {
                confirm.push("the cells are closes: the files do not say what they are".to_owned());
            }
        }
        if !layout.ignore.is_empty() {
            let patterns: Vec<String> = layout.ignore.iter().map(|pattern| string(pattern)).collect();
            out.push(format!("ignore    = [{}]   # lines that are no bars", patterns.join(", ")));
        }
        if let Some(encoding) = &layout.encoding {
            out.push(format!("encoding  = {}   # a guess: the files are not UTF-8", string(encoding)));
            confirm.push(format!("the encoding {encoding}"));
        }
        if layout.trim {
            out.push("trim      = true".to_owned());
        }
    }

    /// The names of columns that the files do not name.
    fn columns(&self, out: &mut Vec<String>, confirm: &mut Vec<String>) {
        let columns: Vec<String> = self.sample.layout.columns.iter().map(|name| string(name)).collect();
        out.push(format!("columns   = [{}]   # a guess by what they hold", columns.join(", ")));
        confirm.push("the names of the columns, which no header says".to_owned());
    }

    fn bars(&self, out: &mut Vec<String>, confirm: &mut Vec<String>) {
        let Self { sample, market, roles, .. } = self;
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let others: Vec<String> =
            market.others.iter().take(4).map(|(name, fit)| format!("{name} {}", percent(*fit))).collect();
        out.push("[bars]".to_owned());
        out.push("series   = [\"symbol\"]".to_owned());
        out.push(format!("interval = {}                        # the most common step", string(&market.interval)));
        match market.calendar {
            Some(calendar) => {
                out.push(format!(
                    "calendar = {}   # a guess: {} fit, missing bars counted; {}",
                    string(calendar),
                    percent(market.fit),
                    others.join(", ")
                ));
                confirm.push(format!("the calendar {calendar}: {} of bars fit it", percent(market.fit)));
            }
            None => {
                out.push(format!(
                    "# calendar = \"XNYS\"   # no calendar fits: {}, missing bars counted",
                    others.join(", ")
                ));
                confirm.push(format!("that there is no calendar: {} of bars fit the best one", percent(market.fit)));
            }
        }
        if market.on_the_clock {
            out.push(
                "align    = \"clock\"                  # bars are cut at full hours, not from the open".to_owned(),
            );
        }
        out.push(self.time(confirm));
        let columns = &sample.table.columns;
        let mut fields = Vec::new();
        if let Some(at) = roles.symbol.filter(|at| columns[*at].name != "symbol") {
            fields.push(format!("symbol = {}", string(&columns[at].name)));
        }
        for (name, at) in &roles.fields {
            let source = &columns[*at].name;
            let scale = self.numbers.scale.filter(|_| ["open", "high", "low", "close"].contains(name));
            match (scale, source == name) {
                (Some((scale, _)), true) => fields.push(format!("{name} = {{ scale = {} }}", string(scale))),
                (Some((scale, _)), false) => {
                    fields.push(format!("{name} = {{ field = {}, scale = {} }}", string(source), string(scale)));
                }
                (None, true) => {}
                (None, false) => fields.push(format!("{name} = {}", string(source))),
            }
        }
        let mut note = String::new();
        if let Some((_, who)) = self.numbers.scale {
            note = format!("   # a guess: prices are whole, and probably {who}");
            confirm.push(format!("prices are {who}"));
        }
        if !fields.is_empty() {
            out.push(format!("fields   = {{ {} }}{note}", fields.join(", ")));
        }
        let missing: Vec<String> = ["open", "high", "low", "close", "volume"]
            .into_iter()
            .filter(|name| roles.of(name).is_none())
            .map(string)
            .collect();
        if !missing.is_empty() {
            out.push(format!(
                "without  = [{}]                  # rules that need it are not evaluated",
                missing.join(", ")
            ));
        }
    }

    fn time(&self, confirm: &mut Vec<String>) -> String {
        let Self { market, time, .. } = self;
        let mut parts = vec![match time.fields.as_slice() {
            [only] => format!("field = {}", string(only)),
            several => format!("fields = [{}]", several.iter().map(|name| string(name)).collect::<Vec<_>>().join(", ")),
        }];
        if !time.formats.is_empty() {
            parts.push(format!(
                "formats = [{}]",
                time.formats.iter().map(|format| string(format)).collect::<Vec<_>>().join(", ")
            ));
        }
        let zone = time.zone.or(market.zone);
        parts.extend(zone.map(|zone| format!("zone = {}", string(zone.name()))));
        parts.extend(market.ends.then(|| "label = \"end\"".to_owned()));
        let mut note = String::new();
        if !market.zone_is_known && !market.daily {
            let name = zone.map_or_else(
                || format!("that of {}", market.calendar.unwrap_or("no calendar")),
                |zone| zone.name().to_owned(),
            );
            note = format!("   # the zone is a guess ({name}): the data do not say it");
            confirm.push(format!("the zone, {name}: it cannot be known from the data"));
        }
        if time.ambiguous {
            note.push_str("   # day and month might be the other way round");
            confirm.push("that the month stands before the day".to_owned());
        }
        if market.ends {
            confirm.push("that timestamps are where bars end".to_owned());
        }
        format!("time     = {{ {} }}{note}", parts.join(", "))
    }
}

/// `path` as seen from the folder `base`, both absolute; `path` itself where they have nothing in common.
fn from(base: &Path, path: &Path) -> String {
    let (base, target): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (base.components().collect(), path.components().collect());
    let common = base.iter().zip(&target).take_while(|(one, other)| one == other).count();
    if common < 2 {
        return path.display().to_string();
    }
    let up = std::iter::repeat_n(Component::ParentDir, base.len() - common);
    up.chain(target[common..].iter().copied()).collect::<PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_seen_from_the_job() {
        assert_eq!(from(Path::new("/a/p/jobs"), Path::new("/a/data/x.csv")), "../../data/x.csv");
        assert_eq!(from(Path::new("/a/p/jobs"), Path::new("/b/x.csv")), "/b/x.csv");
    }
}
