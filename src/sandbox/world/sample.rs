//! The sample cloud of `airgate demo`: two accounts, twelve users, ten projects, four months of bills.
//!
//! A table fixes what each project costs per month, so that the users are where the demo wants them (one short of
//! each threshold, one over quota); the seed determines how an amount is spread over rows, days and resources.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{
    BillRow, BillingMode, Category, FakeAccount, KeyStatus, Login, MissingLogin, Model, PolicyKind,
    PolicyScope, Product, SuggestedLink, SuggestedQuota, World, WorldError,
};
use crate::domain::BillPeriod;
use crate::domain::period::beijing;

/// A user of the sample: account, name, display name, keys, policies in projects, links, quota entries.
struct Person {
    account: &'static str,
    name: &'static str,
    display_name: &'static str,
    keys: &'static [KeyStatus],
    /// (policy, project); an empty project means the whole account.
    policies: &'static [(&'static str, &'static str)],
    /// (project, how many months ago it started to count).
    links: &'static [(&'static str, usize)],
    /// (whole 元, note).
    quota: &'static [(i64, &'static str)],
}

use KeyStatus::{Active, Inactive};

const PEOPLE: &[Person] = &[
    // 48.0 %: the next purchase crosses 50 %.
    Person {
        account: "main",
        name: "chen.yutong",
        display_name: "陈雨桐",
        keys: &[Active],
        policies: &[("ECSFullAccess", "shop-web"), ("TOSFullAccess", "shop-web")],
        links: &[("shop-web", 3)],
        quota: &[(40_000, "三季度预算"), (20_000, "大促追加")],
    },
    // 79.6 %: just below 80 %. One of the projects was refunded more than it spent last month.
    Person {
        account: "main",
        name: "li.bowen",
        display_name: "李博文",
        keys: &[Active, Inactive],
        policies: &[("ECSFullAccess", "shop-pay"), ("RDSFullAccess", "")],
        links: &[("shop-pay", 3)],
        quota: &[(30_000, "支付中台年度额度"), (-5_000, "调减闲置额度")],
    },
    // 88.0 %: between 80 % and 90 %, over two projects.
    Person {
        account: "main",
        name: "wang.fang",
        display_name: "王芳",
        keys: &[Active, Active],
        policies: &[("ArkFullAccess", "ark-service"), ("TOSFullAccess", "data-lake")],
        links: &[("ark-service", 2), ("data-lake", 1)],
        quota: &[(40_000, "智能客服与数据湖")],
    },
    Person {
        account: "main",
        name: "zhang.wei",
        display_name: "张伟",
        keys: &[Active],
        policies: &[("ReadOnlyAccess", "")],
        links: &[("default", 1)],
        quota: &[(5_000, "日常测试")],
    },
    Person {
        account: "main",
        name: "liu.yang",
        display_name: "刘洋",
        keys: &[Active],
        policies: &[("ECSFullAccess", "shop-web")],
        links: &[("shop-web", 0)],
        quota: &[(30_000, "商城前台 11 月起")],
    },
    Person {
        account: "main",
        name: "sun.xiao",
        display_name: "孙晓",
        keys: &[Active],
        policies: &[("TOSFullAccess", "data-lake"), ("EMRFullAccess", "data-lake")],
        links: &[("data-lake", 3)],
        quota: &[(80_000, "数据湖年度额度")],
    },
    // A service user: keys, but no console login.
    Person {
        account: "main",
        name: "ops-robot",
        display_name: "运维机器人",
        keys: &[Active],
        policies: &[("ECSFullAccess", "")],
        links: &[("default", 0), ("shop-pay", 0)],
        quota: &[(10_000, "自动化巡检")],
    },
    // No quota and no key.
    Person {
        account: "main",
        name: "zhao.yiming",
        display_name: "赵一鸣（实习）",
        keys: &[],
        policies: &[],
        links: &[("ark-service", 0)],
        quota: &[],
    },
    // 94.97 %: the next purchase goes over quota.
    Person {
        account: "labs",
        name: "lin.xia",
        display_name: "林夏",
        keys: &[Active],
        policies: &[("ArkFullAccess", "llm-train"), ("MLPlatformFullAccess", "llm-train")],
        links: &[("llm-train", 3)],
        quota: &[(100_000, "大模型训练一期"), (20_000, "一期追加")],
    },
    // Over quota: the first cycle of the monitor disables it. Never had a console login.
    Person {
        account: "labs",
        name: "train-runner",
        display_name: "视觉训练任务",
        keys: &[Active],
        policies: &[("ArkFullAccess", "vision-lab"), ("TOSFullAccess", "")],
        links: &[("vision-lab", 2)],
        quota: &[(80_000, "视觉实验室")],
    },
    // The same name as in the other account.
    Person {
        account: "labs",
        name: "zhang.wei",
        display_name: "张薇",
        keys: &[Active],
        policies: &[("ArkFullAccess", "llm-eval")],
        links: &[("llm-eval", 3)],
        quota: &[(50_000, "模型评测")],
    },
    Person {
        account: "labs",
        name: "gao.ming",
        display_name: "高铭",
        keys: &[Active],
        policies: &[],
        links: &[("default", 0)],
        quota: &[(3_000, "公共资源")],
    },
];

/// What a project costs, from three months ago to the current month.
struct Spending {
    account: &'static str,
    project: &'static str,
    display_name: &'static str,
    /// 应付金额 of each month in millionths of a 元, refunds included.
    micros: [i64; 4],
    /// Rows of each month.
    rows: [usize; 4],
    products: &'static [Product],
    /// (month, 元 refunded in it).
    refund: Option<(usize, i64)>,
}

const SPENDING: &[Spending] = &[
    Spending {
        account: "main",
        project: "default",
        display_name: "默认项目",
        micros: [812_331_220, 790_004_118, 655_190_377, 402_118_902],
        rows: [9, 8, 8, 6],
        products: &[Product::Ecs, Product::Eip],
        refund: None,
    },
    Spending {
        account: "main",
        project: "shop-web",
        display_name: "商城前台",
        micros: [7_412_630_118, 7_988_104_527, 8_301_557_904, 5_109_114_773],
        rows: [28, 30, 31, 21],
        products: &[Product::Ecs, Product::Eip, Product::Cdn, Product::Volume],
        refund: None,
    },
    Spending {
        account: "main",
        project: "shop-pay",
        display_name: "支付中台",
        micros: [9_204_118_230, 8_911_030_412, -412_660_937, 2_200_782_710],
        rows: [18, 18, 14, 11],
        products: &[Product::Ecs, Product::Mysql, Product::Volume],
        refund: Some((2, 6_360)),
    },
    Spending {
        account: "main",
        project: "data-lake",
        display_name: "数据湖",
        micros: [6_930_118_004, 7_122_640_250, 7_300_412_377, 4_876_393_223],
        rows: [24, 24, 25, 17],
        products: &[Product::Tos, Product::Ecs, Product::Volume],
        refund: None,
    },
    // Model calls, with more rows last month than fit on a page.
    Spending {
        account: "main",
        project: "ark-service",
        display_name: "智能客服",
        micros: [4_120_555_001, 6_204_870_113, 9_811_003_645, 7_015_220_908],
        rows: [60, 90, 340, 130],
        products: &[Product::Ark],
        refund: None,
    },
    Spending {
        account: "labs",
        project: "default",
        display_name: "默认项目",
        micros: [280_113_004, 295_700_219, 305_004_881, 310_550_128],
        rows: [5, 5, 5, 5],
        products: &[Product::Tos, Product::Eip],
        refund: None,
    },
    Spending {
        account: "labs",
        project: "llm-train",
        display_name: "大模型训练",
        micros: [25_400_118_337, 31_077_420_916, 33_911_205_480, 23_575_565_819],
        rows: [40, 44, 46, 33],
        products: &[Product::MlPlatform, Product::Ark, Product::Tos],
        refund: None,
    },
    Spending {
        account: "labs",
        project: "llm-eval",
        display_name: "模型评测",
        micros: [3_008_114_201, 2_877_560_992, 3_412_007_718, 1_990_115_604],
        rows: [22, 21, 26, 15],
        products: &[Product::Ark],
        refund: Some((1, 180)),
    },
    Spending {
        account: "labs",
        project: "vision-lab",
        display_name: "视觉实验室",
        micros: [11_208_930_447, 26_104_779_330, 29_844_018_275, 26_614_321_299],
        rows: [16, 30, 33, 28],
        products: &[Product::MlPlatform, Product::Ecs, Product::Tos],
        refund: None,
    },
    // Belongs to no user's project: airgate must neither lose it nor charge it to a user.
    Spending {
        account: "main",
        project: "-",
        display_name: "-",
        micros: [1_200_000_000, 1_200_000_000, 1_200_000_000, 1_200_000_000],
        rows: [1, 1, 1, 1],
        products: &[Product::Support],
        refund: None,
    },
    // A project that nobody is linked to: it shows up as unattributed.
    Spending {
        account: "main",
        project: "video-trial",
        display_name: "视频生成试验",
        micros: [0, 0, 1_480_220_316, 2_936_404_781],
        rows: [0, 0, 12, 19],
        products: &[Product::Ark],
        refund: None,
    },
];

/// What a user has made in 方舟, in one project.
struct ArkThings {
    account: &'static str,
    project: &'static str,
    user: &'static str,
    endpoints: &'static [&'static str],
    keys: &'static [&'static str],
    /// Models that were called by Model ID.
    presets: &'static [Model],
    batch_jobs: &'static [&'static str],
}

const ARK: &[ArkThings] = &[
    ArkThings {
        account: "main",
        project: "ark-service",
        user: "wang.fang",
        endpoints: &["kefu-chat", "kefu-summary"],
        keys: &["kefu-prod"],
        presets: &[Model::LITE],
        batch_jobs: &[],
    },
    // A colleague in the same project: a cut of either must not stop the other.
    ArkThings {
        account: "main",
        project: "ark-service",
        user: "zhao.yiming",
        endpoints: &["intern-trial"],
        keys: &[],
        presets: &[],
        batch_jobs: &[],
    },
    ArkThings {
        account: "labs",
        project: "llm-train",
        user: "lin.xia",
        endpoints: &["distill-teacher"],
        keys: &["distill"],
        presets: &[],
        batch_jobs: &["nightly-labels"],
    },
    ArkThings {
        account: "labs",
        project: "vision-lab",
        user: "train-runner",
        endpoints: &["caption"],
        keys: &["runner"],
        presets: &[Model::IMAGE],
        batch_jobs: &[],
    },
    ArkThings {
        account: "labs",
        project: "llm-eval",
        user: "zhang.wei",
        endpoints: &["judge"],
        keys: &["eval"],
        presets: &[Model::TEXT],
        batch_jobs: &[],
    },
];

mod english;

/// The language of the sample's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// As in a Chinese company.
    #[default]
    Chinese,
    /// As in an English-speaking one. Usernames stay.
    English,
}

impl Language {
    fn name(self, chinese: &str) -> String {
        match self {
            Self::Chinese => chinese,
            Self::English => english::english(chinese),
        }
        .to_owned()
    }
}

/// The sample cloud at `now`: its bills cover the current Beijing month and the three before. The
/// same `now` and `seed` give the same cloud; another seed distributes the same monthly amounts over other rows.
pub fn sample(now: Timestamp, seed: u64) -> World {
    sample_in(Language::Chinese, now, seed)
}

/// The same in a language.
pub fn sample_in(language: Language, now: Timestamp, seed: u64) -> World {
    let mut world = World {
        accounts: vec![
            FakeAccount::new(
                "main",
                &language.name("云上主体"),
                2_100_153_894,
                "AKLTc2FuZGJveC1tYWluLWFjY291bnQta2V5MDAwMQ",
                "c2FuZGJveC1tYWluLXNlY3JldC1ub3QtYS1yZWFsLW9uZQ==",
            ),
            FakeAccount::new(
                "labs",
                &language.name("研究院"),
                2_100_287_713,
                "AKLTc2FuZGJveC1sYWJzLWFjY291bnQta2V5MDAwMg",
                "c2FuZGJveC1sYWJzLXNlY3JldC1ub3QtYS1yZWFsLW9uZQ==",
            ),
        ],
        ..World::default()
    };
    let current = BillPeriod::of(now);
    let filled = fill(&mut world, language, now, current, &mut Dice(seed));
    debug_assert!(filled.is_ok(), "the tables name something that does not exist: {filled:?}");
    world
}

/// Fills the two accounts from the tables.
fn fill(
    world: &mut World,
    language: Language,
    now: Timestamp,
    current: BillPeriod,
    dice: &mut Dice,
) -> Result<(), WorldError> {
    for spending in SPENDING {
        let account = world.account_mut(spending.account)?;
        if spending.project != "-" {
            account.add_project(spending.project, &language.name(spending.display_name));
        }
        for (month, (micros, rows)) in spending.micros.iter().zip(spending.rows).enumerate() {
            let period = months_before(current, 3usize.saturating_sub(month));
            let last_day = if period == current {
                now.to_zoned(beijing()).date().day()
            } else {
                period.last_day().day()
            };
            bill_month(account, spending, period, last_day, (*micros, rows, month), dice);
        }
    }
    for person in PEOPLE {
        add_person(world, language, person, current)?;
    }
    for thing in ARK {
        add_ark(world.account_mut(thing.account)?, thing);
    }
    world.account_mut("labs")?.balance.cash = Decimal::new(865_030, 2);
    world.user_mut("main", "ops-robot")?.login = Login::none(MissingLogin::Error);
    world.user_mut("labs", "train-runner")?.login = Login::none(MissingLogin::Stub);
    Ok(())
}

/// Adds what a project has in 方舟.
fn add_ark(account: &mut FakeAccount, thing: &ArkThings) {
    let creator = Some(thing.user);
    for name in thing.endpoints {
        account.add_endpoint(thing.project, name, creator);
    }
    for name in thing.keys {
        account.add_ark_key(thing.project, name, creator);
    }
    for model in thing.presets {
        account.add_preset(thing.project, *model);
    }
    for name in thing.batch_jobs {
        account.add_batch_job(thing.project, name, creator);
    }
}

/// Adds one person with everything that belongs to them.
fn add_person(
    world: &mut World,
    language: Language,
    person: &Person,
    current: BillPeriod,
) -> Result<(), WorldError> {
    let user = world.account_mut(person.account)?.add_user(person.name);
    user.display_name = language.name(person.display_name);
    user.email = format!("{}@example.com", person.name);
    for key in person.keys {
        user.add_key(*key);
    }
    for (policy, project) in person.policies {
        let scope = match *project {
            "" => PolicyScope::Global,
            project => PolicyScope::Project(project.to_owned()),
        };
        user.attach(policy, PolicyKind::System, scope);
    }
    for (project, back) in person.links {
        world.suggested.push(SuggestedLink {
            account_slug: person.account.to_owned(),
            username: person.name.to_owned(),
            project: (*project).to_owned(),
            since: months_before(current, *back),
        });
    }
    for (yuan, note) in person.quota {
        world.suggested_quota.push(SuggestedQuota {
            account_slug: person.account.to_owned(),
            username: person.name.to_owned(),
            amount: Decimal::new(yuan.saturating_mul(100), 2),
            note: language.name(note),
        });
    }
    Ok(())
}

/// Spreads a project's month over rows whose 应付金额 adds up to exactly the amount of the table.
fn bill_month(
    account: &mut FakeAccount,
    spending: &Spending,
    period: BillPeriod,
    last_day: i8,
    (micros, rows, month): (i64, usize, usize),
    dice: &mut Dice,
) {
    let refund = spending
        .refund
        .filter(|(at, _)| *at == month)
        .map_or(0, |(_, yuan)| yuan.saturating_mul(1_000_000));
    for (n, share) in dice.shares(micros.saturating_add(refund), rows).into_iter().enumerate() {
        let product = dice.pick(spending.products).unwrap_or(Product::Ecs);
        let mut row = BillRow::new(period, spending.project, product, Decimal::new(share, 6));
        row.expense_date = day_of(period, dice, last_day);
        row.instance = format!("{}-{:012x}", product.instance_prefix(), dice.below(1 << 48));
        if product == Product::Support {
            row.billing_mode = BillingMode::Contract;
        }
        // Some rows have a coupon; a row may be rounded up or down.
        let coupon = if n % 17 == 3 { dice.below(500) } else { 0 };
        let round = i64::try_from(dice.below(10_500)).unwrap_or(0) - 500;
        row.fit(Decimal::new(i64::try_from(coupon).unwrap_or(0), 2), Decimal::new(round, 6));
        account.add_bill_row(row);
    }
    if refund > 0 {
        // A refund of last month's subscription: a separate row with negative amounts.
        let mut row = BillRow::new(
            period,
            spending.project,
            spending.products.first().copied().unwrap_or(Product::Ecs),
            Decimal::new(-refund, 6),
        );
        row.category = Category::RefundTerminate;
        row.billing_mode = BillingMode::Subscription;
        row.busi_period = period.previous();
        row.expense_date = day_of(period, dice, last_day);
        account.add_bill_row(row);
    }
}

/// A day of the period, not after `last_day`.
fn day_of(period: BillPeriod, dice: &mut Dice, last_day: i8) -> jiff::civil::Date {
    let days = u64::try_from(last_day).unwrap_or(1).max(1);
    let day = i8::try_from(dice.below(days) + 1).unwrap_or(1);
    jiff::civil::Date::new(period.year(), period.month(), day)
        .unwrap_or_else(|_| period.first_day())
}

fn months_before(period: BillPeriod, months: usize) -> BillPeriod {
    (0..months).fold(period, |period, _| period.previous())
}

/// SplitMix64: small and stable. Generators from crates do not promise stable output.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound - 1`.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let n = usize::try_from(self.below(u64::try_from(choices.len()).unwrap_or(1))).unwrap_or(0);
        choices.get(n).copied()
    }

    /// Splits `total` into `parts` uneven parts with that sum.
    fn shares(&mut self, total: i64, parts: usize) -> Vec<i64> {
        let weights: Vec<u64> = (0..parts).map(|_| 1 + self.below(1_000)).collect();
        let sum = i128::from(weights.iter().sum::<u64>().max(1));
        let mut shares: Vec<i64> = weights
            .iter()
            .map(|weight| i64::try_from(i128::from(total) * i128::from(*weight) / sum).unwrap_or(0))
            .collect();
        let rest = total.saturating_sub(shares.iter().sum());
        if let Some(last) = shares.last_mut() {
            *last = last.saturating_add(rest);
        }
        shares
    }
}

#[cfg(test)]
mod tests;
