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
  "stranger": "陌生人",
  "none": "无角色",
  "Today": "今天",
  "Yesterday": "昨天",
  "new": "条新消息",
  "No data": "暂无数据",
};

/** The page's text for an English key. */
export function t(text) {
  return CHINESE ? (ZH[text] ?? text) : text;
}

/** The language tag for dates and numbers. */
export const LANG = CHINESE ? "zh-CN" : "en-GB";
