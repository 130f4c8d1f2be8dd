#!/usr/bin/env bash
# The checkers that watch the bus while it runs.
#
#   scripts/verify-tools.sh STAGE [quick|deep]
#
#   miri       unit tests and tests/small.rs under Miri: aliasing, weak memory, races, leaks
#   miri-32    the same for a 32-bit target
#   miri-be    the same for a big-endian target
#   tsan       tests with real threads under the thread sanitizer, std included
#   valgrind   unit tests and tests of one guarantee each under memcheck: no error, no leak
#   stress     everything at once on real threads: stress SECONDS [SEED]
#   all        all of these
#
# Ends with 0: clean; 77: skipped, the last line says why; else: something was found, or nothing was
# tested. What a stage needs and can get it installs.
#
# SMD_MIRI_SEEDS=A..B chooses Miri's seeds.

set -uo pipefail
cd "$(dirname "$0")/.."

# crossbeam-epoch needs tree borrows, and casts integers to pointers: without the third Miri says so
# once a run, at length, and checks the same.
MIRI=(-Zmiri-tree-borrows -Zmiri-disable-isolation -Zmiri-permissive-provenance)
HOST=x86_64-unknown-linux-gnu

skip() {
    echo "skipped: $stage: $*"
    exit 77
}

nightly() {
    command -v rustup >/dev/null || skip "no rustup"
    # One at a time: stages run side by side, and two installations get into each other's way.
    mkdir -p target && exec 9>target/verify-tools.lock
    if command -v flock >/dev/null; then flock 9; fi
    rustup component add --toolchain nightly "$@" >/dev/null 2>&1 \
        || rustup toolchain install nightly --profile minimal --component "${*// /,}" >/dev/null 2>&1 \
        || skip "no nightly toolchain with $*"
    exec 9>&-
}

# Runs a command, shows its output, and counts the tests that passed; fails if there were none.
counted() {
    local log status passed
    log=$(mktemp)
    "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    # Seeds run side by side and may write into each other's lines.
    passed=$(grep -o '[0-9]* passed' "$log" | awk '{ sum += $1 } END { print sum + 0 }')
    rm -f "$log"
    if [ "$status" -ne 0 ]; then
        echo "$stage: FAILED ($status) after $passed tests"
        return 1
    fi
    if [ "$passed" -eq 0 ]; then
        echo "$stage: FAILED, no test ran"
        return 1
    fi
    echo "$stage: ok, $passed tests passed${beside:-} in $SECONDS s"
}

# Unit tests and small tests on a target, once for each seed.
miri_on() {
    nightly miri rust-src
    cargo +nightly miri setup --target "$1" >/dev/null 2>&1 || skip "no standard library for $1"
    local seeds
    case "$size" in
        quick) seeds=${SMD_MIRI_SEEDS:-0..1} ;;
        *) seeds=${SMD_MIRI_SEEDS:-0..32} ;;
    esac
    echo "$stage: target $1, seeds $seeds"
    beside=", all seeds together, $1, seeds $seeds,"
    MIRIFLAGS="${MIRI[*]} -Zmiri-many-seeds=$seeds" \
        counted cargo +nightly miri test -q -p smd-lockfree --target "$1" --lib --test small
}

stage_miri() { miri_on $HOST; }
stage_miri-32() { miri_on i686-unknown-linux-gnu; }
stage_miri-be() { miri_on s390x-unknown-linux-gnu; }

stage_tsan() {
    nightly rust-src
    [ "$(uname -m)" = x86_64 ] || skip "set up for x86-64 only"
    local tests=(--test small --test conservation)
    local rounds=(SMD_SMALL=60 SMD_CONSERVATION=2000)
    if [ "$size" = deep ]; then
        tests+=(--lib --test 'g*' --test teardown --test event_loop --test isolation)
        rounds=(SMD_SMALL=2000 SMD_CONSERVATION=20000)
    fi
    # Standard library included: without its own accesses instrumented, reports are false.
    counted env "${rounds[@]}" TSAN_OPTIONS="halt_on_error=0 ${TSAN_OPTIONS:-}" \
        RUSTFLAGS="-Zsanitizer=thread --cfg smd_tsan" \
        cargo +nightly test -q -p smd-lockfree -Zbuild-std --target $HOST \
        --target-dir target/tsan "${tests[@]}"
}

# Left out: a test whose point is a panic in the drop of a panic's payload, which the language does not free.
stage_valgrind() {
    command -v valgrind >/dev/null \
        || { apt-get update && apt-get install -y valgrind; } >/dev/null 2>&1 \
        || skip "valgrind is not there and cannot be installed"
    local tests=(--lib --test limits --test g4_refused_at_allocation --test g8_payload_lifetime
        --test g10_late_joiners --test small)
    local rounds=(SMD_SMALL=1 SMD_RETAINED=300)
    if [ "$size" = deep ]; then
        tests+=(--test g6_full_and_slow --test g7_departure --test g12_shutdown --test event_loop
            --test teardown)
        rounds=(SMD_SMALL=10 SMD_RETAINED=3000 SMD_DEPARTURES=3000 SMD_CLOSES=20 SMD_TEARDOWNS=500)
    fi
    local check="valgrind -q --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect --error-exitcode=99 --fair-sched=yes"
    counted env "${rounds[@]}" CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$check" \
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="$check" \
        cargo test -q -p smd-lockfree "${tests[@]}" -- --test-threads=1 \
        --skip g3_a_panic_whose_payload_panics_when_dropped
}

stage_stress() {
    cargo build -q --release -p smd-verify --bin stress \
        && target/release/stress --seconds "$seconds" ${seed:+--seed "$seed"}
}

usage() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit 2
}

stage=${1:-}
size=${2:-quick}
seconds=20
seed=
case "$stage" in
    stress)
        seconds=${2:-$seconds}
        seed=${3:-}
        "stage_$stage"
        ;;
    miri | miri-32 | miri-be | tsan | valgrind)
        [ "$size" = quick ] || [ "$size" = deep ] || usage
        "stage_$stage"
        ;;
    all)
        [ "$size" = quick ] || [ "$size" = deep ] || usage
        [ "$size" = deep ] && seconds=300
        worst=0
        skipped=0
        for each in miri miri-32 miri-be tsan valgrind stress; do
            argument=$size
            [ "$each" = stress ] && argument=$seconds
            "$0" "$each" "$argument"
            case $? in
                0) ;;
                77) skipped=$((skipped + 1)) ;;
                *) worst=1 ;;
            esac
        done
        echo "verify-tools: $size, $skipped skipped, $([ $worst = 0 ] && echo ok || echo FAILED)"
        exit $worst
        ;;
    *) usage ;;
esac
