//! Cards alone: from a snapshot of the store to the bytes of the answer, without HTTP. Instructions do not depend on what
//! else the machine does:
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect=callback::cards::card_of target/release/deps/callback-… 1000 --cards users.list 100
//! ```

use airgate::app::{billing, listing, users as people};
use airgate::cards::{CardContext, Cards, ListPlace, Locale, OpIds};
use airgate::config::Config;
use airgate::domain::{Role, Settings};
use airgate::feishu::CallbackAnswer;
use airgate::store::Store;

/// Renders `count` cards of a kind, and prints how long one took.
pub fn render(kind: &str, count: usize) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("airgate.redb");
    let clock = super::bench_clock();
    let store = Store::open(&path, &[0x11; 32]).unwrap();
    super::fill(&store, &clock);
    let config: Config = super::config("http://127.0.0.1:9", &path);
    let cards = Cards::new(Locale::ZhCn, OpIds::Random);
    let ctx = CardContext::new(Role::Admin, clock.now());
    let settings = config.initial_settings();
    let mut bytes = 0;
    let started = std::time::Instant::now();
    for n in 0..count {
        bytes = card_of(kind, n, &store, &cards, &ctx, &settings).len();
    }
    let each = started.elapsed() / u32::try_from(count).unwrap();
    println!("{kind}: {} us a card, the last one {bytes} bytes", each.as_micros());
}

/// One card, as the body of an answer.
#[inline(never)]
fn card_of(
    kind: &str,
    n: usize,
    store: &Store,
    cards: &Cards,
    ctx: &CardContext,
    settings: &Settings,
) -> String {
    let card = store.read(|tx| {
        let page = |each| super::page(n, super::users(), each);
        Ok::<_, airgate::app::Error>(match kind {
            "users.list" => {
                let place = ListPlace { page: page(10), ..ListPlace::default() };
                cards.users(&listing::list(tx, settings, &place, ctx.now)?, ctx)
            }
            "user.open" => {
                let user = people::get(tx, &super::user_at(n).parse().unwrap())?;
                cards.user(&people::card(tx, settings, user, ctx.now)?, ctx)
            }
            "billing.open" => cards.billing(&billing::view(tx, None, None, page(8), ctx.now)?, ctx),
            other => panic!("no kind {other}"),
        })
    });
    CallbackAnswer::card(card.unwrap().into_string()).into_json()
}
