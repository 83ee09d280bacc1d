//! The protocol against a simulated server, in thousands of schedules: replies are lost, writes come late, twice or in
//! part, runners end anywhere, a second one comes, a writer changes and removes rows, the collection is made again.
//!
//! The code under test is the protocol itself. After every statement that the server carries out the promises are held
//! against the bytes. `BARKEEP_SCHEDULES` says how many schedules, `BARKEEP_SCHEDULE` names one to look at.

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll};

    use mongodb::bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf};
    use mongodb::bson::rawdoc;

    use super::super::apply::Applied;
    use super::super::document::{self, Names, sha256};
    use super::super::error::QuarantineError;
    use super::super::restore::Restored;
    use super::super::server::{Outcome, WriteError, text};
    use super::super::simulated::{Asked, Line, Reply, Request, State as Held, known, matches, parts};
    use super::super::{Collection, Order, RUNS};
    use crate::decide::Action;
    use crate::durable::hex;
    use crate::quarantine::item::{State, Which};
    use crate::quarantine::plan::{Head, Place, Plan, PlanRow, PlanRule, SourceIdentity};
    use crate::source::mongodb::id;
    use crate::text::utc::UtcMicros;

    const SOURCE: &str = "q";
    const QUARANTINE: &str = "q_quarantine";
    /// Rows that are rejected, and rows that are not.
    const BAD: i32 = 7;
    const GOOD: i32 = 4;
    /// Steps of a schedule, at most.
    const STEPS: usize = 260;

    /// Numbers that look drawn, the same for the same seed.
    struct Draw(u64);

    impl Draw {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }

        fn below(&mut self, end: usize) -> usize {
            usize::try_from(self.next() % end as u64).unwrap()
        }

        fn one_in(&mut self, n: usize) -> bool {
            self.below(n) == 0
        }
    }

    /// How a runner ended.
    #[derive(Debug)]
    enum Ended {
        Applied(Box<Applied>, Result<(), QuarantineError>),
        Recovered(Result<(), QuarantineError>),
        Restored(Result<Restored, QuarantineError>),
        Purged(Result<u64, QuarantineError>),
    }

    type Running = Pin<Box<dyn Future<Output = Ended>>>;

    struct Runner {
        number: usize,
        run_id: String,
        future: Running,
        /// Rows that were absent from the source at some moment since it began.
        absent: BTreeSet<i32>,
        lost_delete: bool,
    }

    /// A statement that is to be carried out later, and whose.
    struct Late {
        runner: usize,
        name: String,
        collection: String,
        statement: RawDocumentBuf,
    }

    struct World {
        seed: u64,
        draw: Draw,
        held: Held,
        requests: Arc<Mutex<Vec<Request>>>,
        runners: Vec<Runner>,
        late: Vec<Late>,
        plan: Arc<Plan>,
        bad: BTreeMap<i32, RawDocumentBuf>,
        /// Rows that a person or a loader put their hand on: what becomes of them is theirs.
        by_hand: BTreeSet<i32>,
        /// Rows that a finished run said it kept, by run.
        kept: BTreeMap<usize, BTreeSet<i32>>,
        /// Rows that were put back since.
        put_back: BTreeSet<i32>,
        /// Rows of which an item was erased when it was over.
        erased: BTreeSet<i32>,
        removers: BTreeSet<usize>,
        runs: usize,
        faults: bool,
        is_told: bool,
        counts: Counts,
    }

    /// How often what happened, so that a test that tries nothing is seen.
    #[derive(Debug, Default, Clone, Copy)]
    struct Counts {
        removed: u64,
        unknown: u64,
        open: u64,
        crashed: u64,
        changed: u64,
        restored: u64,
        purged: u64,
        recovered: u64,
        rebuilt: u64,
        second: u64,
    }

    fn row(n: i32, date: &str) -> RawDocumentBuf {
        rawdoc! { "_id": n, "symbol": "A", "date": date, "close": f64::from(n), "volume": 5.0 }
    }

    fn number(row: &RawDocument) -> i32 {
        row.get_i32("_id").unwrap()
    }

    fn plan(bad: &BTreeMap<i32, RawDocumentBuf>, at: i64) -> Plan {
        let head = Head {
            version: Head::VERSION,
            plan_id: "plan".into(),
            job: "job".into(),
            job_file: "job.toml".into(),
            rules_sha256: "ab".into(),
            rules: vec![PlanRule { id: "date".into(), hash: "cd".into(), why: None }],
            source: SourceIdentity::Mongodb { server: "s".into(), namespace: "d.q".into(), uuid: String::new() },
            read: 11,
            rows: bad.len() as u64,
            as_of: UtcMicros(at),
            expires_at: UtcMicros(at),
            refusals: Vec::new(),
        };
        let rows = bad.values().map(|raw| PlanRow {
            stands: None,
            at: Place::Id(hex(&id::of(raw).unwrap())),
            sha256: Some(sha256(raw.as_bytes())),
            row_key: String::new(),
            series: "A".into(),
            time: None,
            action: if number(raw) % 2 == 0 { Action::Quarantine } else { Action::Delete },
            found: vec![(0, format!("f{}", number(raw)))],
        });
        Plan::new(head, rows.collect()).unwrap()
    }

    impl World {
        fn new(seed: u64) -> Self {
            let bad: BTreeMap<i32, RawDocumentBuf> = (0..BAD).map(|n| (n, row(n, "7"))).collect();
            let good = (BAD..BAD + GOOD).map(|n| row(n, "2024-05-06"));
            let rows = bad.values().cloned().chain(good).collect();
            let now = 1_700_000_000_000;
            let held = Held { now, collections: BTreeMap::from([(SOURCE.to_owned(), rows)]), uuid: [7; 16] };
            Self {
                seed,
                draw: Draw(seed),
                held,
                requests: Arc::default(),
                runners: Vec::new(),
                late: Vec::new(),
                plan: Arc::new(plan(&bad, now * 1000)),
                bad,
                by_hand: BTreeSet::new(),
                kept: BTreeMap::new(),
                put_back: BTreeSet::new(),
                erased: BTreeSet::new(),
                removers: BTreeSet::new(),
                runs: 0,
                faults: true,
                is_told: std::env::var_os("BARKEEP_SCHEDULE").is_some(),
                counts: Counts::default(),
            }
        }

        fn source(&self) -> &[RawDocumentBuf] {
            self.held.collections.get(SOURCE).map_or(&[], Vec::as_slice)
        }

        fn items(&self) -> &[RawDocumentBuf] {
            self.held.collections.get(QUARANTINE).map_or(&[], Vec::as_slice)
        }

        fn is_there(&self, n: i32) -> bool {
            self.source().iter().any(|row| row.as_bytes() == self.bad[&n].as_bytes())
        }

        /// Whether an item holds the bytes of a bad row.
        fn copies(&self, n: i32) -> impl Iterator<Item = &RawDocumentBuf> {
            let raw = self.bad[&n].as_bytes();
            self.items().iter().filter(move |item| document::row(item).is_some_and(|(_, row)| row.as_bytes() == raw))
        }

        fn collection(&self, runner: usize) -> Collection {
            let names = Names {
                server: "s".into(),
                database: "d".into(),
                collection: SOURCE.into(),
                uuid: self.held.uuid,
                quarantine: QUARANTINE.into(),
            };
            Collection { server: Arc::new(Line { runner, requests: Arc::clone(&self.requests) }), names }
        }

        fn start(&mut self, what: usize) {
            let number = self.runs;
            self.runs += 1;
            self.counts.second += u64::from(!self.runners.is_empty());
            let run_id = format!("run-{number:04}");
            let (collection, plan, run) = (self.collection(number), Arc::clone(&self.plan), run_id.clone());
            let later = self.draw.one_in(2);
            self.tell(|| format!("run {number} begins: {}", ["apply", "recover", "restore", "purge"][what]));
            let future: Running = Box::pin(async move {
                let day = 86_400_000_000;
                let order =
                    Order { run_id: &run, job: "job", keep: 30 * day, keep_deleted: if later { 2 * day } else { 0 } };
                match what {
                    0 => {
                        let (applied, result) = collection.apply(&plan, &order, &|| false, &mut |_| {}).await;
                        Ended::Applied(Box::new(applied), result)
                    }
                    1 => Ended::Recovered(collection.recover(&order).await.1),
                    2 => {
                        let items = match collection.items(&Which::default(), false).await {
                            Ok(items) => items,
                            Err(error) => return Ended::Restored(Err(error)),
                        };
                        let items = match collection.restorable(items).await {
                            Ok(items) => items,
                            Err(error) => return Ended::Restored(Err(error)),
                        };
                        Ended::Restored(collection.restore(&items, &order).await)
                    }
                    _ => {
                        let now = super::super::local_now();
                        match collection.purgeable(now, now).await {
                            Ok((items, _)) => {
                                Ended::Purged(collection.purge(&items, &order).await.map(|reported| reported.purged))
                            }
                            Err(error) => Ended::Purged(Err(error)),
                        }
                    }
                }
            });
            if what < 2 {
                self.removers.insert(number);
            }
            let absent = (0..BAD).filter(|n| !self.is_there(*n)).collect();
            let runner = Runner { number, run_id, future, absent, lost_delete: false };
            self.runners.push(runner);
            self.poll(self.runners.len() - 1);
        }

        /// Lets a runner go on until it waits for the server.
        fn poll(&mut self, at: usize) {
            let mut context = Context::from_waker(futures::task::noop_waker_ref());
            if let Poll::Ready(ended) = self.runners[at].future.as_mut().poll(&mut context) {
                let runner = self.runners.remove(at);
                self.tell(|| format!("run {} ends: {ended:.600?}", runner.number));
                self.ended(&runner, ended);
            }
        }

        fn ended(&mut self, runner: &Runner, ended: Ended) {
            match ended {
                Ended::Applied(applied, result) => self.applied(runner, &applied, result.as_ref().err()),
                Ended::Recovered(result) => self.fails_well(result.as_ref().err()),
                Ended::Restored(result) => self.fails_well(result.as_ref().err()),
                Ended::Purged(result) => self.fails_well(result.as_ref().err()),
            }
        }

        fn fails_well(&self, error: Option<&QuarantineError>) {
            if let Some(error @ (QuarantineError::Unbalanced { .. } | QuarantineError::Encode { .. })) = error {
                panic!("seed {}: {error}", self.seed);
            }
            assert!(self.faults || error.is_none(), "seed {}: without a fault: {error:?}", self.seed);
        }

        /// What a run tells of its rows is true.
        fn applied(&mut self, runner: &Runner, applied: &Applied, error: Option<&QuarantineError>) {
            let seed = self.seed;
            self.fails_well(error);
            assert!(applied.counts.conserved(), "seed {seed}: {:?}", applied.counts);
            assert_eq!(applied.ends.len(), self.bad.len(), "seed {seed}");
            let numbers: Vec<i32> = self.bad.keys().copied().collect();
            let mut kept = BTreeSet::new();
            for end in &applied.ends {
                let n = numbers[end.index];
                match end.word {
                    "removed" | "gone" => {
                        assert!(
                            runner.absent.contains(&n),
                            "seed {seed}: row {n} is reported {} and never was",
                            end.word
                        );
                        if end.word == "removed" {
                            self.counts.removed += 1;
                            let kept = self.copies(n).next().is_some() || self.erased.contains(&n);
                            assert!(kept, "seed {seed}: row {n} left without a copy");
                        }
                    }
                    "kept_changed" => self.counts.changed += 1,
                    "open" => self.counts.open += 1,
                    "kept_error" | "untried" => drop(kept.insert(n)),
                    other => panic!("seed {seed}: {other}"),
                }
            }
            // Of a row that an earlier run had begun to remove it said so there.
            let earlier = applied.recovered.iter().flat_map(|one| &one.rows).filter(|row| row.state.is_none());
            for row in earlier {
                kept.retain(|n| sha256(self.bad[n].as_bytes()) != row.sha256);
            }
            self.kept.insert(runner.number, kept);
            let recovered: usize = applied.recovered.iter().map(|one| one.rows.len()).sum();
            self.counts.recovered += recovered as u64;
            if error.is_none() && applied.counts.open == 0 {
                let runs = self.held.collections.get(RUNS).into_iter().flatten();
                let sealed =
                    runs.filter(|run| text(run, "_id") == runner.run_id).all(|run| run.get_bool("sealed").unwrap());
                assert!(sealed, "seed {seed}: a run that ended well is not sealed");
            } else if error.is_none() {
                assert!(runner.lost_delete, "seed {seed}: rows are open though every removal was answered");
            }
        }

        /// Answers a request of a runner, well or badly.
        fn answer(&mut self) {
            let requests = self.requests.lock().unwrap().len();
            if requests == 0 {
                return;
            }
            let which = self.draw.below(requests);
            let Request { runner, asked, reply } = self.requests.lock().unwrap().remove(which);
            let broken = || QuarantineError::Unreachable { doing: "read".into(), reason: "simulated".into() };
            let reported = match asked {
                Asked::Pause => Reply::Pause,
                Asked::Ask(_) if self.faults && self.draw.one_in(60) => Reply::Ask(Err(broken())),
                Asked::Ask(command) => Reply::Ask(Ok(self.held.answer(&command))),
                Asked::Read(..) if self.faults && self.draw.one_in(60) => Reply::Read(Err(broken())),
                Asked::Read(collection, filter, projection) => {
                    Reply::Read(Ok(self.held.find(&collection, &filter, projection.as_ref())))
                }
                Asked::Write(command) => Reply::Write(Ok(self.write(runner, &command))),
            };
            // A runner that ended with its lease in hand does not wait any more.
            drop(reply.send(reported));
            if let Some(at) = self.runners.iter().position(|one| one.number == runner) {
                self.poll(at);
            }
        }

        fn write(&mut self, runner: usize, command: &RawDocument) -> Outcome {
            let (name, collection, statements) = parts(command);
            let late = |statement: &RawDocumentBuf| Late {
                runner,
                name: name.clone(),
                collection: collection.clone(),
                statement: statement.clone(),
            };
            let fault = if self.faults { self.draw.below(40) } else { usize::MAX };
            // From this statement on nothing is carried out now.
            let now = match fault {
                0 | 1 => 0,
                2 => self.draw.below(statements.len() + 1),
                _ => statements.len(),
            };
            let mut errors = BTreeMap::new();
            for (index, statement) in statements.iter().enumerate().take(now) {
                // Now and then the server refuses a row: a rule of its own, an index.
                if self.faults && collection != RUNS && name != "update" && self.draw.one_in(60) {
                    errors.insert(index, WriteError { code: 121, message: "refused".into() });
                } else if let Err(error) = self.carry_out(runner, &name, &collection, statement) {
                    errors.insert(index, error);
                }
            }
            let unknown = match fault {
                // Carried out after its runner has given up, or in part.
                1 | 2 => {
                    self.late.extend(statements.iter().skip(now).map(late));
                    true
                }
                // Lost on its way; carried out, and the reply is lost.
                0 | 3 => true,
                // Twice.
                4 => {
                    self.late.extend(statements.iter().map(late));
                    false
                }
                _ => false,
            };
            self.tell(|| format!("  reply to run {runner}: {name} unknown={unknown} {errors:?}"));
            if !unknown {
                return known(errors);
            }
            self.counts.unknown += 1;
            if name == "delete" && collection == SOURCE {
                for one in self.runners.iter_mut().filter(|one| one.number == runner) {
                    one.lost_delete = true;
                }
            }
            Outcome::Unknown("simulated".into())
        }

        /// Carries out one statement, and holds the promises against what it did.
        fn carry_out(
            &mut self,
            runner: usize,
            name: &str,
            collection: &str,
            statement: &RawDocument,
        ) -> Result<(), WriteError> {
            let seed = self.seed;
            self.tell(|| format!("  run {runner}: {name} {collection} {statement:.180?}"));
            let before: Vec<RawDocumentBuf> = self.held.collections.get(collection).cloned().unwrap_or_default();
            let result = self.held.statement(name, collection, statement);
            let after: Vec<RawDocumentBuf> = self.held.collections.get(collection).cloned().unwrap_or_default();
            let missing: Vec<&RawDocumentBuf> = before.iter().filter(|row| !after.contains(row)).collect();
            if collection == SOURCE {
                for gone in missing {
                    let n = number(gone);
                    assert!(name == "delete", "seed {seed}: {name} overwrote row {n}");
                    assert!(self.removers.contains(&runner), "seed {seed}: a restore or purge removed row {n}");
                    let planned = self.bad.get(&n).is_some_and(|bad| bad.as_bytes() == gone.as_bytes());
                    assert!(planned, "seed {seed}: a row that is not in the plan was removed: {gone:?}");
                    let announced = |item: &RawDocumentBuf| {
                        let history = item.get_array("history").unwrap().into_iter().flatten();
                        history.filter_map(RawBsonRef::as_document).any(|event| text(event, "state") == "removing")
                    };
                    assert!(self.copies(n).any(announced), "seed {seed}: row {n} left with no copy or no record");
                    let touched = self.by_hand.contains(&n) || self.put_back.contains(&n);
                    let told_kept = self.kept.get(&runner).is_some_and(|kept| kept.contains(&n));
                    assert!(touched || !told_kept, "seed {seed}: row {n} was reported as kept and left later");
                }
                for fresh in after.iter().filter(|row| !before.contains(row)) {
                    let n = number(fresh);
                    assert!(
                        self.bad.get(&n).is_some_and(|bad| bad.as_bytes() == fresh.as_bytes()),
                        "seed {seed}: {fresh:?}"
                    );
                    self.put_back.insert(n);
                    self.counts.restored += 1;
                }
                self.look();
            } else if collection == QUARANTINE {
                self.items_went_on(&before, &after);
            }
            result
        }

        /// States of items only went forward, and what was erased was over.
        fn items_went_on(&mut self, before: &[RawDocumentBuf], after: &[RawDocumentBuf]) {
            let seed = self.seed;
            for old in before {
                let (name, from) = (text(old, "_id"), document::state(old).unwrap());
                let Some(new) = after.iter().find(|item| text(item, "_id") == name) else {
                    self.counts.purged += 1;
                    let over = old.get_datetime("expires_at").unwrap().timestamp_millis() <= self.held.now;
                    self.erased.insert(document::row(old).map(|(_, raw)| number(&raw)).unwrap());
                    assert!(over && !matches!(from, State::Removing | State::Restored), "seed {seed}: erased {from:?}");
                    continue;
                };
                let to = document::state(new).unwrap();
                assert_eq!(document::raw(old), document::raw(new), "seed {seed}: the bytes of an item changed");
                let claimed = text(old, "run_id") != text(new, "run_id");
                let forward = match (from, to) {
                    (from, to) if from == to => true,
                    (_, State::Copied) if claimed => true,
                    // What was marked late, of a run that was over, or of another collection, goes back.
                    (State::Removing, _) | (State::Copied, State::Removing) | (_, State::Restored) => true,
                    _ => false,
                };
                assert!(forward, "seed {seed}: an item went from {from:?} to {to:?}");
            }
        }

        /// Says what happens, where one schedule is looked at.
        fn tell(&self, what: impl FnOnce() -> String) {
            if self.is_told {
                eprintln!("{}", what());
            }
        }

        /// Takes note of what is absent now.
        fn look(&mut self) {
            let absent: Vec<i32> = (0..BAD).filter(|n| !self.is_there(*n)).collect();
            for runner in &mut self.runners {
                runner.absent.extend(&absent);
            }
        }

        fn late(&mut self) {
            if self.late.is_empty() {
                return;
            }
            let which = self.draw.below(self.late.len());
            let late = self.late.remove(which);
            self.tell(|| "late:".to_owned());
            // What the server says to nobody is not heard.
            drop(self.carry_out(late.runner, &late.name, &late.collection, &late.statement));
        }

        /// A loader or a person changes, removes or puts back a row.
        fn hand(&mut self) {
            let n = i32::try_from(self.draw.below(usize::try_from(BAD + GOOD).unwrap())).unwrap();
            let how = self.draw.below(5);
            let rows = self.held.collections.entry(SOURCE.to_owned()).or_default();
            let at = rows.iter().position(|row| number(row) == n);
            self.by_hand.insert(n);
            if self.is_told {
                eprintln!("row {n} by hand, {how}");
            }
            match (at, how) {
                (Some(at), 0) => drop(rows.remove(at)),
                (Some(at), 1) => rows[at] = row(n, "2024-07-08"),
                // As long as before and worth the same: only the type is another.
                (Some(at), 2) => {
                    rows[at] = rawdoc! { "_id": n, "symbol": "A", "date": "7", "close": f64::from(n), "volume": 5_i64 };
                }
                (Some(at), _) => rows[at] = row(n, if n < BAD { "7" } else { "2024-05-06" }),
                (None, 3) => rows.push(row(n, if n < BAD { "7" } else { "2024-05-06" })),
                (None, _) => {}
            }
            self.look();
        }

        /// The collection is dropped and made again with a part of its rows.
        fn rebuild(&mut self) {
            self.counts.rebuilt += 1;
            self.held.uuid[0] = self.held.uuid[0].wrapping_add(1);
            let part = self.draw.below(3);
            let rows = self.held.collections.entry(SOURCE.to_owned()).or_default();
            rows.retain(|row| part == 0 || number(row) % 3 != i32::try_from(part).unwrap());
            self.by_hand.extend(0..BAD + GOOD);
            self.look();
        }

        fn crash(&mut self) {
            if self.runners.is_empty() {
                return;
            }
            self.counts.crashed += 1;
            let which = self.draw.below(self.runners.len());
            let runner = self.runners.remove(which);
            self.tell(|| format!("run {} ends in the middle", runner.number));
            let asked: Vec<Request> =
                self.requests.lock().unwrap().extract_if(.., |request| request.runner == runner.number).collect();
            for request in asked {
                // What it had sent may still come.
                if let (Asked::Write(command), true) = (request.asked, self.draw.one_in(2)) {
                    let (name, collection, statements) = parts(&command);
                    self.late.extend(statements.into_iter().map(|statement| Late {
                        runner: runner.number,
                        name: name.clone(),
                        collection: collection.clone(),
                        statement,
                    }));
                }
            }
        }

        fn step(&mut self) {
            match self.draw.below(200) {
                140..155 => self.late(),
                155..163 => self.hand(),
                163..166 => self.crash(),
                166..182 if self.runners.len() < 2 => {
                    if self.draw.one_in(3) {
                        self.held.now += 61_000;
                    }
                    let what = [0, 0, 0, 1, 2, 2, 3][self.draw.below(7)];
                    self.start(what);
                }
                182..184 => self.held.now += 61_000,
                184 if self.draw.one_in(4) => self.rebuild(),
                // Not while somebody runs: the clock of this machine, by which runs date what they do, stays where it is.
                185 if self.late.is_empty() && self.runners.is_empty() => self.held.now += 31 * 86_400_000,
                _ => self.answer(),
            }
        }

        /// Runs one to its end; nothing fails any more.
        fn whole(&mut self, what: usize) {
            self.held.now += 61_000;
            self.start(what);
            let mut steps = 0;
            while !self.runners.is_empty() {
                self.answer();
                steps += 1;
                assert!(steps < 2000, "seed {}: it does not come to its end", self.seed);
            }
        }

        /// What a person finds in the end: recovery ends, everything that left comes back, byte for byte.
        fn finish(&mut self) {
            let seed = self.seed;
            while let Some(runner) = self.runners.pop() {
                self.requests.lock().unwrap().retain(|request| request.runner != runner.number);
            }
            while !self.late.is_empty() {
                self.late();
            }
            self.faults = false;
            self.whole(1);
            let runs = self.held.collections.get(RUNS).into_iter().flatten();
            let open = runs.filter(|run| matches(run, &rawdoc! { "kind": "run", "sealed": false }, 0)).count();
            assert_eq!(open, 0, "seed {seed}: runs stay open after recovery");
            let removing = self.items().iter().filter(|item| document::state(item) == Some(State::Removing)).count();
            assert_eq!(removing, 0, "seed {seed}: items stay open after recovery");
            self.whole(2);
            let copied: Vec<i32> = (0..BAD).filter(|n| self.copies(*n).next().is_some()).collect();
            for n in 0..BAD {
                let other = self.source().iter().any(|row| number(row) == n) && !self.is_there(n);
                let back = self.is_there(n) || (other && self.by_hand.contains(&n));
                let over = self.erased.contains(&n) || (!copied.contains(&n) && self.by_hand.contains(&n));
                assert!(back || over, "seed {seed}: row {n} is lost");
            }
            for n in BAD..BAD + GOOD {
                let there = self.source().iter().any(|row| row.as_bytes() == self::row(n, "2024-05-06").as_bytes());
                assert!(there || self.by_hand.contains(&n), "seed {seed}: the good row {n} is lost");
            }
        }
    }

    fn schedule(seed: u64) -> Counts {
        let mut world = World::new(seed);
        world.start(0);
        for _ in 0..STEPS {
            world.step();
        }
        world.finish();
        crate::quarantine::crash::testing::reached();
        world.counts
    }

    #[test]
    fn no_schedule_breaks_a_promise() {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let schedules = match number("BARKEEP_SCHEDULE") {
            Some(seed) => seed..seed + 1,
            None => 1..number("BARKEEP_SCHEDULES").unwrap_or(800) + 1,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut all = Counts::default();
        let count = schedules.end - schedules.start;
        for seed in schedules {
            let counts = runtime.block_on(async {
                let counts = schedule(seed);
                // The renewals of leases that were given back are taken away.
                tokio::task::yield_now().await;
                counts
            });
            all.removed += counts.removed;
            all.unknown += counts.unknown;
            all.open += counts.open;
            all.crashed += counts.crashed;
            all.changed += counts.changed;
            all.restored += counts.restored;
            all.purged += counts.purged;
            all.recovered += counts.recovered;
            all.rebuilt += counts.rebuilt;
            all.second += counts.second;
        }
        eprintln!("{count} schedules: {all:?}");
        let Counts { removed, unknown, open, crashed, changed, restored, purged, recovered, rebuilt, second } = all;
        let tried = [removed, unknown, open, crashed, changed, restored, purged, recovered, rebuilt, second];
        assert!(count < 800 || tried.iter().all(|times| *times > 0), "something was never tried: {all:?}");
    }
}
