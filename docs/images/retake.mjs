// Takes the README's screenshots again: demo.png (the page) and phone.png (three cards on a phone).
//
//   cargo run -- demo --listen 127.0.0.1:8931           in another terminal, freshly started
//   mkdir -p /tmp/shots && cd /tmp/shots && npm install playwright-core
//   cp <this file> . && node retake.mjs http://127.0.0.1:8931
//   pngquant --force --ext .png --quality 70-95 demo.png phone.png && mv demo.png phone.png <this folder>
//
// Needs Debian's packages chromium, fonts-noto-cjk, fonts-noto-color-emoji, pngquant. Look at the pictures before
// committing them; each stays below 400 KB.

import { chromium } from "playwright-core";

const address = process.argv[2] ?? "http://127.0.0.1:8787";
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});

async function open(options) {
  const context = await browser.newContext({ locale: "zh-CN", timezoneId: "Asia/Shanghai", deviceScaleFactor: 2, ...options });
  const page = await context.newPage();
  page.on("pageerror", (error) => { console.error(error.stack); process.exitCode = 1; });
  return page;
}

async function visit(page, chat) {
  await page.goto("about:blank");
  await page.goto(`${address}/#as=ou_demo_admin&chat=${chat}`);
  await page.locator(".chat-row").first().waitFor({ state: "attached" });
  await page.waitForTimeout(500);
}

/** Says a command in the direct chat and waits for the card that answers it. */
async function ask(page, text) {
  const before = await page.locator("article.card").count();
  await page.locator("#composer textarea").fill(text);
  await page.keyboard.press("Enter");
  await page.locator("article.card").nth(before).waitFor();
  await page.waitForTimeout(500);
  return page.locator("article.card").nth(before);
}

/** Scrolls the conversation so that the card's head is at its top. */
async function toTop(card) {
  await card.evaluate((node) => {
    const thread = document.querySelector("#thread");
    const row = node.closest(".message") ?? node;
    thread.scrollTop += row.getBoundingClientRect().top - thread.getBoundingClientRect().top - 8;
  });
  await card.page().mouse.move(0, 0);
  await card.page().evaluate(() => document.activeElement?.blur());
  await card.page().waitForTimeout(300);
}

async function directChat(page) {
  await visit(page, "");
  await page.locator(".chat-row:has(.avatar-bot)").click();
  // Whoever comes for the first time is greeted.
  await page.locator("article.card").first().waitFor();
}

const wide = await open({ viewport: { width: 1280, height: 800 } });
await directChat(wide);
await toTop(await ask(wide, "/users"));
await wide.screenshot({ path: "demo.png" });

const phone = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
const shots = [];
await visit(phone, "oc_demo_alerts");
await toTop(phone.locator("article.card", { hasText: "90%" }).first());
shots.push(await phone.screenshot());
await directChat(phone);
const bill = await ask(phone, "/billing");
await bill.locator("[aria-expanded=false]:not([aria-haspopup])", { hasText: "ops-robot" }).click();
await phone.waitForTimeout(400);
await toTop(bill);
shots.push(await phone.screenshot());
await toTop(await ask(phone, "/user lin.xia"));
shots.push(await phone.screenshot());

const strip = await open({ viewport: { width: 3 * 390 + 4 * 24, height: 844 + 48 } });
const pictures = shots.map((shot) => `<img width="390" height="844" src="data:image/png;base64,${shot.toString("base64")}">`);
await strip.setContent(`<style>body{margin:0;padding:24px;display:flex;gap:24px;background:#eceef1}
  img{border-radius:18px;box-shadow:0 2px 10px rgb(0 0 0/.18)}</style>${pictures.join("")}`);
await strip.waitForTimeout(300);
await strip.screenshot({ path: "phone.png" });
await browser.close();
