//! Every kind of attack over both ways: none has an effect, and a good click beside each has.

use agent::notify::card::ReasonFor;
use tests::slack::attacks::{ATTACKS, Attack, Before, Loot, Shot, Way};
use tests::slack::forge::submit;

use super::bench::{ANA, Bench, EVE, Mode, Told};

/// How often each attack is made; the drill makes 20.
fn rounds() -> usize {
    let set = std::env::var("NIGHTDESK_ATTACKS").ok();
    set.and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// Somebody who may by a user group alone, which Slack knows nothing of.
const BEN: &str = "U00000BEN";

async fn attack(bench: &Bench, attack: &Attack) {
    let reason = match attack.before {
        Before::Dialog => ReasonFor::Both,
        _ => ReasonFor::Denial,
    };
    let (subject, place, message) = bench.asked(reason).await;
    let (other, ..) = bench.asked(ReasonFor::Denial).await;
    let by = match attack.before {
        Before::GroupDown => BEN,
        _ => ANA,
    };
    let mut payload = bench.click(&message, "nightdesk_approve", by);
    match attack.before {
        Before::Open | Before::GroupDown => {}
        Before::Denied => {
            let key = format!("{subject:?}");
            let mut desk = bench.desk.look();
            desk.questions.get_mut(&key).unwrap().decided = Some("slack:U00000DAN".to_owned());
        }
        Before::Expired => bench.desk.expire(subject),
        Before::Rewritten => drop(bench.rewritten(subject, &place).await),
        Before::Dialog => {
            let opened = bench.fake.look().views.len();
            bench.send(&payload).await;
            bench
                .fake
                .until("a dialog", |inner| inner.views.len() > opened)
                .await
                .unwrap();
            let view = bench.fake.look().views.last().unwrap().1.clone();
            payload = submit(&view, ANA, "she is on leave", None);
        }
    }
    let mut shot = Shot::good(payload);
    let loot = Loot {
        other: other.id(),
        stranger: EVE.to_owned(),
    };
    (attack.forge)(&mut shot, &loot);
    bench.shoot(&shot, Told::Perhaps).await;
    control(bench, attack).await;
}

/// A good click after the attack; it has been worked on when this one has.
async fn control(bench: &Bench, attack: &Attack) {
    let (subject, _, message) = bench.asked(ReasonFor::Denial).await;
    let before = bench.desk.look().decided.len();
    let good = Shot::good(bench.click(&message, "nightdesk_approve", ANA));
    // A connection that broke over the attack takes the click with it; Slack sends what was not acknowledged again.
    for _ in 0..50 {
        bench.shoot(&good, Told::Perhaps).await;
        let decided = tokio::time::timeout(std::time::Duration::from_millis(200), async {
            while bench.desk.look().decided.len() == before {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        });
        if decided.await.is_ok() {
            break;
        }
    }
    let last = bench.desk.look().decided.last().map(|g| g.subject);
    assert_eq!(last, Some(subject), "after `{}`", attack.name);
}

async fn all(mode: Mode) {
    let fits = |way: Way| match mode {
        Mode::Http => way != Way::Socket,
        Mode::Socket => way != Way::Http,
    };
    for one in ATTACKS.iter().filter(|a| fits(a.way)) {
        // What breaks the connection is waited out longer each time.
        let apart = match one.name {
            "huge body" => rounds(),
            _ => 1,
        };
        for _ in 0..apart {
            in_a_row(mode, one, rounds() / apart).await;
        }
    }
}

async fn in_a_row(mode: Mode, one: &Attack, times: usize) {
    let bench = Bench::new(mode).await;
    bench.desk.look().group = Some("S00GROUP01".to_owned());
    for _ in 0..times {
        attack(&bench, one).await;
    }
    let decided = bench.decided();
    let name = one.name;
    assert_eq!(
        decided.len(),
        times,
        "`{name}`: only the good clicks have decided something"
    );
    assert!(
        decided.values().all(|n| *n == 1),
        "`{name}`: each once: {decided:?}"
    );
    let (_, desk) = bench.done().await;
    assert_eq!(desk.look().decided.len(), times, "`{name}`: nor later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attack_over_http_has_an_effect() {
    all(Mode::Http).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attack_over_the_socket_has_an_effect() {
    all(Mode::Socket).await;
}

#[test]
fn there_are_enough_kinds_and_each_has_a_name() {
    let mut names: Vec<&str> = ATTACKS.iter().map(|a| a.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ATTACKS.len());
    assert!(names.len() >= 32, "{}", names.len());
}
