//! The sample's names in English: people, projects, accounts, notes of the ledger. Usernames are the same in both languages.

/// What each Chinese name of the sample is in English.
pub(super) const ENGLISH: &[(&str, &str)] = &[
    ("云上主体", "Main Company"),
    ("研究院", "Research Labs"),
    ("陈雨桐", "Yutong Chen"),
    ("李博文", "Bowen Li"),
    ("王芳", "Fang Wang"),
    ("张伟", "Wei Zhang"),
    ("刘洋", "Yang Liu"),
    ("孙晓", "Xiao Sun"),
    ("运维机器人", "Ops robot"),
    ("赵一鸣（实习）", "Yiming Zhao (intern)"),
    ("林夏", "Xia Lin"),
    ("视觉训练任务", "Vision training job"),
    ("张薇", "Wei Zhang (Labs)"),
    ("高铭", "Ming Gao"),
    ("默认项目", "Default project"),
    ("商城前台", "Shop front"),
    ("支付中台", "Payments"),
    ("数据湖", "Data lake"),
    ("智能客服", "Support assistant"),
    ("大模型训练", "LLM training"),
    ("模型评测", "Model evaluation"),
    ("视觉实验室", "Vision lab"),
    ("视频生成试验", "Video trial"),
    ("三季度预算", "Q3 budget"),
    ("大促追加", "Sale season"),
    ("支付中台年度额度", "Payments, whole year"),
    ("调减闲置额度", "Unused quota taken back"),
    ("智能客服与数据湖", "Support assistant and data lake"),
    ("日常测试", "Everyday tests"),
    ("商城前台 11 月起", "Shop front from November"),
    ("数据湖年度额度", "Data lake, whole year"),
    ("自动化巡检", "Automated checks"),
    ("大模型训练一期", "LLM training, phase 1"),
    ("一期追加", "Phase 1 extended"),
    ("公共资源", "Shared resources"),
];

/// The English of a name; the name itself where there is none ("-").
pub(super) fn english(name: &str) -> &str {
    ENGLISH.iter().find(|(chinese, _)| *chinese == name).map_or(name, |(_, english)| english)
}
