use super::synth::{FAR, NEAR, five, five_ways, report, round, rounds, ways};
use crate::recorder::{Class, Round};
use crate::report::contenders::{ONE_BY_ONE, Role, Work};
use crate::report::judge::{Verdict, verdicts};
use crate::report::rows::rows as rows_of;
use crate::side::{Mode, Scenario, Side};

fn single(scenario: Scenario, contender: &'static str, participants: u32) -> Side {
    Side::new(scenario, contender, Mode::Single, participants)
}

fn batch(scenario: Scenario, contender: &'static str, participants: u32) -> Side {
    Side::new(scenario, contender, Mode::Batch, participants)
}

fn ours(scenario: Scenario, variant: &str) -> Side {
    single(scenario, "smd", 1).variant(variant)
}

/// The one verdict of some rounds whose target has all of these words, in a class.
fn verdict(rounds: &[Round], class: Option<Class>, words: &[&str]) -> Verdict {
    let rows = rows_of(rounds);
    let mut found: Vec<Verdict> = verdicts(&rows)
        .into_iter()
        .filter(|verdict| {
            let text = format!("{} {} {}", verdict.scenario.name(), verdict.target, verdict.wanted);
            verdict.class == class && words.iter().all(|word| text.contains(word))
        })
        .collect();
    assert_eq!(found.len(), 1, "{words:?}: {found:?}");
    found.remove(0)
}

#[test]
fn a_ratio_is_taken_inside_one_class_and_none_without_a_class() {
    let mut all = five(&single(Scenario::T1, "smd", 1), NEAR, 40.0);
    all.extend(five(&single(Scenario::T1, "disruptor-mp", 1), FAR, 400.0));
    let words = ["T1", "single", "disruptor-mp"];
    assert_eq!(verdict(&all, Some(NEAR), &words).met, None);
    assert_eq!(verdict(&all, Some(FAR), &words).met, None);
    // Rounds whose probes disagreed are in no class.
    all.extend((0..9).map(|turn| round(&single(Scenario::T1, "disruptor-mp", 1), None, turn, 1.0)));
    assert_eq!(verdict(&all, Some(NEAR), &words).met, None);
    all.extend(five(&single(Scenario::T1, "disruptor-mp", 1), NEAR, 50.0));
    let near = verdict(&all, Some(NEAR), &words);
    assert_eq!((near.value, near.rounds, near.met), (Some(0.8), 5, Some(false)));
    assert_eq!(verdict(&all, Some(FAR), &words).met, None);
}

#[test]
fn a_target_is_open_with_fewer_than_five_rounds_on_either_side() {
    let mut all = five(&single(Scenario::T1, "smd", 1), NEAR, 10.0);
    let rival = five(&single(Scenario::T1, "bus", 1), NEAR, 100.0);
    all.extend_from_slice(&rival[1..]);
    let words = ["T1", "bus"];
    let open = verdict(&all, Some(NEAR), &words);
    assert_eq!((open.rounds, open.met, open.name()), (4, None, "open"));
    assert!(open.measured.contains("100") || open.measured.contains("102"), "{open:?}");
    all.push(rival[0].clone());
    assert_eq!(verdict(&all, Some(NEAR), &words).met, Some(true));
    // The other side, and an absolute target.
    assert_eq!(verdict(&all[1..], Some(NEAR), &words).met, None);
    let few = five(&ours(Scenario::T6, "filter miss"), Class::Any, 1.0);
    assert_eq!(verdict(&few[1..], Some(Class::Any), &["filter miss"]).met, None);
    assert_eq!(verdict(&few, Some(Class::Any), &["filter miss"]).met, Some(true));
}

#[test]
fn each_contender_counts_in_its_best_mode_among_those_allowed() {
    let mut all = five(&single(Scenario::T2s, "smd", 8), Class::Any, 60.0);
    all.extend(five(&batch(Scenario::T2s, "smd", 8), Class::Any, 27.0));
    all.extend(five(&single(Scenario::T2s, "disruptor-mp", 8), Class::Any, 45.0));
    all.extend(five(&batch(Scenario::T2s, "disruptor-mp", 8), Class::Any, 30.0));
    let both = verdict(&all, Some(Class::Any), &["T2S", "disruptor-mp", "to 8"]);
    assert_eq!((both.value, both.met), (Some(0.9), Some(true)), "{both:?}");
    // A mode with too few rounds is not passed over: nobody is beaten by leaving it out.
    let better = Side { mode: Mode::Block, ..single(Scenario::T2s, "disruptor-mp", 8) };
    all.push(round(&better, Some(Class::Any), 0, 20.0));
    assert_eq!(verdict(&all, Some(Class::Any), &["T2S", "disruptor-mp", "to 8"]).met, None);
    // Unstamped rows are no mode.
    let rows = rows_of(&five(&single(Scenario::T1, "bus", 1).variant("unstamped"), NEAR, 9.0));
    let work = Work::new(&rows, Scenario::T1, NEAR);
    assert!(work.best("bus", |row| Some(row.ns_median)).is_none());
    // One to one in single mode: the peer's batch does not count.
    let mut all = five(&single(Scenario::T1, "smd", 1), NEAR, 40.0);
    all.extend(five(&batch(Scenario::T1, "smd", 1), NEAR, 4.0));
    all.extend(five(&single(Scenario::T1, "multiqueue2", 1), NEAR, 50.0));
    all.extend(five(&batch(Scenario::T1, "multiqueue2", 1), NEAR, 1.0));
    let one = verdict(&all, Some(NEAR), &["T1", "single", "multiqueue2"]);
    assert_eq!((one.value, one.met), (Some(0.8), Some(true)));
    assert!(!ONE_BY_ONE.contains(&Mode::Batch));
}

/// Both sides of a bar: the ratio that is just enough, and one that is not.
fn check(name: &[&str], class: Class, good: &[Round], bad: &[Round]) {
    let (good, bad) = (verdict(good, Some(class), name), verdict(bad, Some(class), name));
    assert_eq!(good.met, Some(true), "{good:?}");
    assert_eq!(bad.met, Some(false), "{bad:?}");
}

/// The bus at one figure and a rival at another.
fn pair(ours: &Side, nanos: f64, rival: &Side, theirs: f64, class: Class) -> Vec<Round> {
    [five(ours, class, nanos), five(rival, class, theirs)].concat()
}

#[test]
fn a_ratio_of_times_must_not_exceed_its_bar() {
    let cases: &[(Scenario, &'static str, &str, u32, Class, f64)] = &[
        (Scenario::T2s, "disruptor-mp", "to 8", 8, Class::Any, 1.0),
        (Scenario::T2s, "disruptor-mp", "to 16", 16, Class::Any, 1.0),
        (Scenario::T2s, "multiqueue2", "to 8", 8, Class::Any, 0.8),
        (Scenario::T2s, "tokio-broadcast", "to 16", 16, Class::Any, 0.35),
        (Scenario::T1, "multiqueue2", "single", 1, NEAR, 0.95),
        (Scenario::T1, "multiqueue2", "single", 1, FAR, 0.7),
        (Scenario::T1, "disruptor-mp", "single", 1, FAR, 0.7),
        (Scenario::T1, "tokio-broadcast", "single", 1, NEAR, 0.4),
        (Scenario::T1, "bus", "single", 1, FAR, 0.4),
        (Scenario::T1, "crossbeam-channel", "single", 1, NEAR, 0.4),
        (Scenario::T3, "multiqueue2", "to 1", 1, Class::Any, 1.0),
        (Scenario::T3, "multiqueue2", "to 4", 4, Class::Any, 1.0),
        (Scenario::T3, "disruptor-mp", "to 4", 4, NEAR, 1.0),
    ];
    for &(scenario, rival, word, to, class, bar) in cases {
        let with = |ratio: f64| {
            let (ours, rival) = (single(scenario, "smd", to), single(scenario, rival, to));
            pair(&ours, 100.0 * ratio, &rival, 100.0, class)
        };
        let rivals = format!("smd over {rival}");
        check(&[scenario.name(), &rivals, word], class, &with(bar * 0.99), &with(bar * 1.02));
    }
    for (class, bar) in [(NEAR, 1.25), (FAR, 1.1)] {
        let with = |ratio: f64| {
            let (ours, rival) =
                (batch(Scenario::T1, "smd", 1), batch(Scenario::T1, "disruptor-sp", 1));
            pair(&ours, 14.0 * ratio, &rival, 14.0, class)
        };
        check(&["T1", "batch", "disruptor-sp"], class, &with(bar - 0.01), &with(bar + 0.01));
    }
}

#[test]
fn a_fan_out_needs_twice_a_rivals_rate_or_nine_tenths_of_the_rings() {
    for (rival, times) in [("multiqueue2", 2.0), ("disruptor-mp", 2.0), ("tokio-broadcast", 4.0)] {
        for to in [8, 16] {
            let with = |times: f64| {
                let (ours, rival) =
                    (batch(Scenario::T2, "smd", to), single(Scenario::T2, rival, to));
                pair(&ours, 50.0, &rival, 50.0 * times, FAR)
            };
            let word = format!("to {to}:");
            check(&["T2", rival, &word], FAR, &with(times + 0.01), &with(times - 0.01));
        }
    }
    // Half of that over the rival, and beside the bare ring near enough, or not, or with too few rounds of the ring.
    let beside = |ring: f64| {
        let (ours, rival) = (batch(Scenario::T2, "smd", 8), single(Scenario::T2, "multiqueue2", 8));
        let mut all = pair(&ours, 50.0, &rival, 60.0, NEAR);
        all.extend(five(&batch(Scenario::T2, "own-ring", 8), NEAR, ring));
        all
    };
    check(&["T2", "multiqueue2", "to 8"], NEAR, &beside(46.0), &beside(44.0));
    let few = beside(46.0);
    let few = &few[..few.len() - 1];
    assert_eq!(verdict(few, Some(NEAR), &["T2", "multiqueue2", "to 8"]).met, Some(false));
    // The ring excuses nothing beside tokio, of which four times are wanted without an else.
    let mut all = five(&batch(Scenario::T2, "smd", 8), NEAR, 50.0);
    all.extend(five(&single(Scenario::T2, "tokio-broadcast", 8), NEAR, 100.0));
    all.extend(five(&batch(Scenario::T2, "own-ring", 8), NEAR, 50.0));
    assert_eq!(verdict(&all, Some(NEAR), &["T2", "tokio", "to 8"]).met, Some(false));
}

#[test]
fn one_way_is_judged_by_its_median_and_beside_all_peers() {
    let with = |ours: u64, bound: u64, peer: u64| {
        let mut all = five_ways(&single(Scenario::T4, "smd", 1), FAR, ours);
        all.extend(five_ways(&single(Scenario::T4, "own-slotseq", 1), FAR, bound));
        all.extend(five_ways(&single(Scenario::T4, "multiqueue2", 1), FAR, 900));
        all.extend(five_ways(&single(Scenario::T4, "disruptor-mp", 1), FAR, peer));
        all
    };
    check(&["T4", "own-slotseq"], FAR, &with(118, 100, 500), &with(122, 100, 500));
    // The hand-written bound is no peer.
    check(&["T4", "the best peer"], FAR, &with(500, 100, 504), &with(500, 100, 490));
    let best = verdict(&with(400, 100, 500), Some(FAR), &["T4", "the best peer"]);
    assert!(best.measured.contains("disruptor-mp"), "{best:?}");
}

#[test]
fn sleepers_are_judged_by_a_bare_unpark_and_by_nothing_at_all() {
    let with = |sender: f64, way: u64, idle: f64, wakes: f64| {
        let mut all = five_ways(&ours(Scenario::T5, "async"), NEAR, way);
        all.iter_mut().for_each(|round| {
            round.also = vec![
                ("sender ns", sender),
                ("idle cpu ns per s", idle),
                ("wakes per sleep", wakes),
            ];
        });
        let mut bare = five_ways(&single(Scenario::T5, "unpark", 1).variant("warm"), NEAR, 40_000);
        bare.iter_mut().for_each(|round| round.also = vec![("sender ns", 20_000.0)]);
        all.extend(bare);
        all
    };
    let good = with(21_900.0, 43_600, 0.0, 1.0);
    let bad = with(22_100.0, 44_400, 30.0, 1.1);
    for what in ["to the sender, async", "p50, async", "idle, a second, async", "one sleep, async"]
    {
        check(&["T5", what], NEAR, &good, &bad);
    }
    // The other forms were not measured, and say so.
    assert_eq!(verdict(&good, None, &["T5", "one sleep, descriptor"]).met, None);
}

#[test]
fn absolute_figures_are_the_minimum_of_the_run() {
    for (scenario, variant, most) in [
        (Scenario::T6, "unwanted Sender::send", 2.0),
        (Scenario::T6, "unwanted Bus::send", 2.0),
        (Scenario::T6, "filter miss", 1.5),
        (Scenario::T10, "bytes per queued message", 96.0),
        (Scenario::T11, "warm", 1e6),
    ] {
        // The least of five rounds is nine tenths of their median.
        let with = |least: f64| five(&ours(scenario, variant), Class::Any, least / 0.9);
        check(&[scenario.name(), variant], Class::Any, &with(most * 0.999), &with(most * 1.001));
    }
}

#[test]
fn the_bus_is_compared_with_itself_where_the_target_is_about_that() {
    let with = |scenario, first: &str, nanos, second: &str, other| {
        pair(&ours(scenario, first), nanos, &ours(scenario, second), other, Class::Any)
    };
    let many = |nanos| with(Scenario::T6, "1000 uninterested", nanos, "1 uninterested", 28.0);
    check(&["T6", "1000 uninterested"], Class::Any, &many(29.3), &many(29.5));
    let stuck = |nanos| with(Scenario::T9, "beside a stuck one", nanos, "alone", 40.0);
    check(&["T9", "beside a stuck one"], Class::Any, &stuck(42.0), &stuck(42.3));
}

#[test]
fn the_original_is_beaten_by_its_messages_a_second_and_its_way() {
    let rates = |ours: Side, times: f64| {
        pair(&ours, 1_000.0 / times, &single(Scenario::T1, "lws_smd", 1), 1_000.0, NEAR)
    };
    let batches = |times| rates(batch(Scenario::T1, "smd", 1), times);
    check(&["batch", "lws_smd"], NEAR, &batches(30.1), &batches(29.9));
    let singles = |times| rates(single(Scenario::T1, "smd", 1), times);
    check(&["single", "lws_smd"], NEAR, &singles(15.1), &singles(14.9));
    let ways = |ours: u64| {
        let mut all = five_ways(&single(Scenario::T4, "smd", 1), NEAR, ours);
        all.extend(five_ways(
            &single(Scenario::T4, "lws_smd", 1).variant("loop in poll"),
            NEAR,
            12_000,
        ));
        all
    };
    check(&["T4", "lws_smd"], NEAR, &ways(298), &ways(304));
}

#[test]
fn percentiles_are_of_all_rounds_together() {
    let side = single(Scenario::T4, "smd", 1);
    let mut fast = round(&side, Some(NEAR), 0, 10_000.0);
    fast.latency = Some(ways(100));
    let mut slow = round(&side, Some(NEAR), 1, 10_000.0);
    // Bounds of their own, as a workload may choose them.
    let mut histogram =
        hdrhistogram::Histogram::new_with_bounds(1, 1_000_000, 2).expect("valid bounds");
    histogram.record_n(5_000, 6_000).expect("inside the bounds");
    slow.latency = Some(histogram);
    let rows = rows_of(&[fast, slow, round(&side, Some(NEAR), 2, 10_000.0)]);
    let latency = rows[0].latency.as_ref().expect("two rounds have one");
    assert_eq!((rows.len(), rows[0].runs, latency.merged.len()), (1, 3, 8_000));
    // Three quarters are slow ones, so the median of both together is theirs.
    assert!(latency.p50.abs_diff(5_000) < 50, "{}", latency.p50);
    assert!(latency.p50_min.abs_diff(100) <= 1, "{}", latency.p50_min);
    assert!(latency.p50_max.abs_diff(5_000) < 50, "{}", latency.p50_max);
    assert!(latency.max >= 16_000, "{}", latency.max);
    assert_eq!(rows[0].per_second, Some(100_000.0));
}

#[test]
fn rows_have_medians_spread_rates_and_what_else_was_measured() {
    let side = batch(Scenario::T2, "smd", 8);
    let mut all = five(&side, NEAR, 20.0);
    all[0].also = vec![("sender ns", 7.0)];
    all[1].also = vec![("sender ns", 9.0)];
    all[2].stalls.see(std::time::Duration::from_micros(70));
    all[3].stalls.see(std::time::Duration::from_micros(90));
    let row = &rows_of(&all)[0];
    let close = |one: f64, other: f64| (one - other).abs() < 1e-9;
    assert!(
        close(row.ns_median, 20.0) && close(row.ns_min, 18.0) && close(row.ns_max, 30.0),
        "{row:?}"
    );
    assert!(close(row.ns_q1, 19.0) && close(row.ns_q3, 22.0), "{row:?}");
    assert_eq!((row.per_second, row.deliveries_per_second), (Some(5e7), Some(4e8)));
    assert_eq!(row.also.get("sender ns"), Some(&8.0));
    assert_eq!((row.stalls.count, row.stalls.nanos, row.stalls.longest), (2, 160_000, 90_000));
}

#[test]
fn a_full_run_leaves_no_target_open() {
    let report = report(rounds());
    assert_eq!(
        report.missed().len(),
        report.verdicts.iter().filter(|v| v.name() == "MISSED").count()
    );
    assert!(report.verdicts.iter().all(|verdict| verdict.met.is_some()), "{:?}", report.verdicts);
    assert!(report.verdicts.iter().any(|verdict| verdict.met == Some(true)));
    assert!(!report.missed().is_empty());
    // Without a round there is no verdict, and nothing is missed.
    let none = super::synth::report(Vec::new());
    assert!(none.verdicts.iter().all(|verdict| verdict.met.is_none()));
}

#[test]
fn who_is_neither_the_bus_nor_a_peer_is_a_bound() {
    assert_eq!(Role::of("smd"), Role::Ours);
    assert_eq!(Role::of("kanal"), Role::Peer);
    assert_eq!(Role::of("own-ring"), Role::Bound);
}
