//! The word of announcements, with a heavy barrier as a system has it, and without.

use crate::hooks::Part;
use crate::sync::Arc;
use crate::sync::asymmetric;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::wait::alert::Alert;

/// What lookers publish, what sleepers announce, and who missed whom.
struct Scene {
    alert: Alert,
    published: AtomicU64,
    /// What the looker found announced.
    found: AtomicU64,
    /// Sleepers that saw nothing published.
    asleep: AtomicU64,
}

impl Scene {
    fn new() -> Arc<Scene> {
        #[cfg(smd_loom)]
        asymmetric::enable();
        assert!(asymmetric::is_available(), "the model is about the heavy barrier");
        Arc::new(Scene {
            alert: Alert::new(),
            published: AtomicU64::new(0),
            found: AtomicU64::new(0),
            asleep: AtomicU64::new(0),
        })
    }

    fn publish(&self) {
        // RELAXED: the barrier alone orders it, as it does a head in the log.
        self.published.store(1, Ordering::Relaxed);
        self.found.fetch_or(u64::from(self.alert.look()), Ordering::Relaxed);
    }

    fn sleep(&self, bit: u32) {
        self.alert.announce(|content| content | bit);
        if self.published.load(Ordering::Relaxed) == 0 {
            self.asleep.fetch_or(u64::from(bit), Ordering::Relaxed);
        }
    }

    fn check(&self) {
        let (found, asleep) =
            (self.found.load(Ordering::Relaxed), self.asleep.load(Ordering::Relaxed));
        assert_eq!(asleep & !found, 0, "asleep, and the looker did not see it");
    }
}

/// Sleepers with a bit each, a looker, and the check.
fn parts(
    scene: Arc<Scene>,
    sleepers: u32,
    begin: impl FnOnce(&Scene) + Send + 'static,
) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for sleeper in 0..sleepers {
        let scene = scene.clone();
        parts.push(Box::new(move || scene.sleep(1 << sleeper)));
    }
    let looking = scene.clone();
    parts.push(Box::new(move || {
        begin(&looking);
        looking.publish();
    }));
    parts.push(Box::new(move || scene.check()));
    parts
}

/// `alert.calm`: a looker that takes no fence, and a sleeper.
pub fn calm() -> Vec<Part> {
    let scene = Scene::new();
    scene.alert.calm();
    parts(scene, 1, |_| ())
}

/// Rule A2: two sleepers, one of which may find the word settled by the other, or not
/// yet.
pub fn settling() -> Vec<Part> {
    let scene = Scene::new();
    scene.alert.calm();
    parts(scene, 2, |_| ())
}

/// Rule A3: the looker makes the word calm while a sleeper announces itself.
pub fn calming() -> Vec<Part> {
    parts(Scene::new(), 1, |scene| scene.alert.calm())
}

/// Rule A4: a sleeper has come through its barrier and not settled the word yet; meanwhile another was
/// woken, the word was settled and became calm. Then that one sleeps again, beside a third.
pub fn settled_late() -> Vec<Part> {
    let scene = Scene::new();
    scene.alert.calm();
    let mine = scene.alert.enter(|content| content | 2);
    asymmetric::heavy();
    scene.alert.announce(|content| content | 1);
    let seen = scene.alert.load();
    scene.alert.clear(seen, 0);
    scene.alert.calm();
    let (late, third, looking, again) =
        (scene.clone(), scene.clone(), scene.clone(), scene.clone());
    vec![
        Box::new(move || third.sleep(4)),
        Box::new(move || late.alert.settle(mine)),
        Box::new(move || again.sleep(1)),
        Box::new(move || looking.publish()),
        Box::new(move || scene.check()),
    ]
}
