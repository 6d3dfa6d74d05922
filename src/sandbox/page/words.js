// The page's own words, in the browser's language (Chinese or English). What cards and messages say
// comes from the bot and is shown as it is.

const CHINESE = (navigator.language || "").toLowerCase().startsWith("zh");

/** The locale a card's translations are read in. */
export const LOCALE = CHINESE ? "zh_cn" : "en_us";

const ZH = {
  "You are": "当前身份",
  "Conversations": "会话",
  "Direct chat": "单聊",
  "Group": "群组",
  "Back to conversations": "返回会话列表",
  "Messages": "消息",
  "Choose a conversation": "选择一个会话",
  "Nothing said yet. Try a command below.": "还没有消息，试试下面的命令。",
  "Message": "发送给",
  "Enter to send, Shift+Enter for a new line": "Enter 发送，Shift+Enter 换行",
  "Send": "发送",
  "Commands": "常用命令",
  "Mention": "提及",
  "In a group the bot only hears messages that mention it": "群里的机器人只收到提及它的消息",
  "Controls": "演示控制台",
  "Close": "关闭",
  "Apply": "应用",
  "What happened": "动态",
  "Theme": "主题",
  "auto": "跟随系统",
  "light": "浅色",
  "dark": "深色",
  "Connection lost, trying again…": "连接已断开，正在重试…",
  "updated": "已更新于",
  "Card updated": "卡片已更新",
  "[Card]": "[卡片]",
  "[File]": "[文件]",
  "Working…": "处理中…",
  "Cancel": "取消",
  "Confirm": "确认",
  "Search": "搜索",
  "Nothing found": "无匹配结果",
  "Choose": "请选择",
  "Remove": "移除",
  "This field is required": "此项必填",
  "Fill in the required fields": "请填写必填项",
  "Submit the value": "提交",
  "Show": "显示",
  "Hide": "隐藏",
  "More": "更多",
  "Previous page": "上一页",
  "Next page": "下一页",
  "Not known to Feishu cards": "飞书卡片不支持",
  "This picture stands for": "图片",
  "Voice message": "语音",
  "Could not reach the demo server": "无法连接演示服务",
  "Not sent": "未发送",
  "Bot": "机器人",
  "Webhook": "自定义机器人",
  "admin": "管理员",
  "viewer": "只读",
  "owner": "本人",
  "stranger": "陌生人",
  "none": "无角色",
  "Today": "今天",
  "Yesterday": "昨天",
  "new": "条新消息",
  "No data": "暂无数据",

  // Controls: what the server of the demo names in English.
  "Let spending grow": "让花费增长",
  "Run the monitor": "立即运行监控",
  "To the next month": "跳到下个月",
  "Feishu": "飞书",
  "Volcengine": "火山引擎",
  "User": "用户",
  "By": "增加",
  "Go": "执行",
  "+10% of the quota": "额度的 10%",
  "+25% of the quota": "额度的 25%",
  "+50% of the quota": "额度的 50%",
  "+100% of the quota": "额度的 100%",
  "Spending by itself": "花费自动增长",
  "stands still": "停止",
  "1% of the quota every 5 s": "每 5 秒花额度的 1%",
  "5% of the quota every 5 s": "每 5 秒花额度的 5%",
  "Spending stands still": "花费已停止增长",
  "Everybody spends; the monitor looks every 5 s": "所有人都在花费，监控每 5 秒查看一次",
  "Choose a speed": "请选择速度",
  "works": "正常",
  "answers 502": "返回 502",
  "answers 503": "返回 503",
  "does not answer": "不响应（超时）",
  "answers after 5 s": "5 秒后才响应",
  "refuses: too many requests": "限流（请求过多）",
  "acts, but its answers are lost": "已执行但响应丢失",
  "refuses airgate's key": "拒绝 airgate 的密钥",
  "makes no access keys": "拒绝创建访问密钥",
  "{user} spent another {amount}; the monitor's next cycle sees it": "{user} 又花费了 {amount}，下一轮监控可见",
  "The monitor runs; its report is in the administrator's direct chat": "监控已开始，结果见管理员的单聊",
  "It is {period} now": "现在是 {period}",
  "{platform} is broken now": "{platform}已出故障",
  "{platform} works again": "{platform}已恢复",
  "Choose a user": "请选择用户",
  "This user has no project yet": "该用户还没有项目",
  "The bot did not answer": "机器人没有回应，是不是有平台出了故障？",
  "The card shows no such form": "卡片上没有这个表单",

  // The panel.
  "Monitor": "监控",
  "Running…": "运行中…",
  "Last cycle": "上一轮",
  "Next cycle": "下一轮",
  "not yet": "尚无",
  "all read": "读取完整",
  "incomplete": "读取不完整",
  "{users} users, {warnings} warnings, {disables} disabled": "{users} 个用户，告警 {warnings}，停用 {disables}",
  "Access being changed": "正在变更的权限",
  "cut": "停用",
  "restored": "启用",
  "tries": "次尝试",
  "Outbox": "待发消息",
  "Nothing waits": "没有待发消息",
  "Nothing is being changed": "没有进行中的变更",
  "{count} owed": "{count} 条待发",
  "given up": "已放弃",
  "Alert": "告警",
  "Reply": "回复",
  "Card update": "卡片更新",
  "Calls to the platforms": "对平台的调用",
  "No calls yet": "还没有调用",
  "failed": "失败",
  "broken on purpose": "演示故障",
  "ok": "成功",

  // The first minute.
  "First steps": "快速上手",
  "Hide the first steps": "隐藏快速上手",
  "Show the first steps": "显示快速上手",
  "Start over": "再看一遍",
  "Done": "完成",
  "airgate keeps cloud sub-accounts within the money they were given. You are its administrator: ask for all users.":
    "airgate 让云上子账号的花费不超过划拨的额度。你是管理员：先列出所有用户。",
  "Next": "下一步",
  "List users": "列出用户",
  "An Qi (安琪) is new here: no project, no quota. Open her card.": "安琪是新来的：没有项目，也没有额度。打开她的卡片。",
  "Open the user": "打开用户",
  "Link the project whose bills are hers.": "关联她的项目，账单按项目归属到人。",
  "Add the project": "添加项目",
  "Allocate ¥1,000 to her.": "给她划拨 ¥1,000 额度。",
  "Allocate quota": "划拨额度",
  "Now she calls models all day: 85% of it is spent.": "让她用一天模型：花掉额度的 85%。",
  "Let her spend": "让花费增长",
  "The bills are there; let the monitor read them.": "账单已产生，让监控去读取。",
  "She passed 80%: the alert group was warned.": "已超过 80%：告警群收到了预警。",
  "See the warning": "查看预警",
  "She goes on spending, until the quota is used up.": "她继续花费，直到额度用完。",
  "Spend the rest": "花完额度",
  "airgate switched off her key and her login.": "airgate 已停用她的密钥和登录。",
  "See the disable": "查看停用",
  "Allocate another ¥1,000.": "再追加 ¥1,000。",
  "Top up": "追加额度",
  "Give her back exactly what was active before.": "一键恢复她原来可用的密钥和登录。",
  "Enable": "启用",
  "That was the first minute. Now try it yourself: press anything, break a platform, jump to the next month.":
    "第一分钟到此结束。接下来随便试：点任何按钮、弄坏一个平台、跳到下个月。",
};

/** The page's text for an English key. */
export function t(text) {
  return CHINESE ? (ZH[text] ?? text) : text;
}

/** The same, with `{name}` filled from `args`. */
export function tf(text, args) {
  return t(text).replace(/\{(\w+)\}/g, (whole, name) => String(args?.[name] ?? whole));
}

let shift = 0;
/** How far the demo's clock is ahead of this browser's, in milliseconds. */
export function setShift(ms) {
  shift = ms;
}
/** The demo's present, in milliseconds. */
export function now() {
  return Date.now() + shift;
}

/** The language tag for dates and numbers. */
export const LANG = CHINESE ? "zh-CN" : "en-GB";
