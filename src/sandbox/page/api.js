// The demo server's HTTP interface and its event stream.

import { t } from "./words.js";

async function call(path, body) {
  return answered(() => fetch(path, body === undefined ? { cache: "no-store" } : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  }));
}

async function answered(request) {
  let response;
  try {
    response = await request();
  } catch (cause) {
    throw new Error(t("app.unreachable"), { cause });
  }
  const text = await response.text();
  let answer = {};
  try {
    answer = text === "" ? {} : JSON.parse(text);
  } catch {
    answer = { error: text.slice(0, 200) };
  }
  if (!response.ok) throw new Error(answer.error || `HTTP ${response.status}`);
  return answer;
}

export const api = {
  state: () => call("/api/state"),
  messages: (chat) => call(`/api/messages?chat=${encodeURIComponent(chat)}`),
  enter: (as) => call("/api/enter", { as }),
  say: (as, chat, text, mention) => call("/api/say", { as, chat, text, mention }),
  drop: (as, chat, file) => answered(() => fetch(
    `/api/drop?as=${encodeURIComponent(as)}&chat=${encodeURIComponent(chat)}&name=${encodeURIComponent(file.name)}`,
    { method: "POST", headers: { "content-type": "application/octet-stream" }, body: file },
  )),
  click: (as, message, action) => call("/api/click", { as, message, action }),
  controls: () => call("/api/controls"),
  control: (name, value) => call("/api/control", { name, value }),
};

/**
 * Listens to the server. `on.message` and `on.updated` get a message, `on.notice` a text, `on.monitor` the panel's data,
 * and `on.connected` whether the stream is up, and whether it came back after a break.
 */
export function listen(on) {
  const source = new EventSource("/api/stream");
  let broken = false;
  const parsed = (handle) => (event) => {
    let data;
    try {
      data = JSON.parse(event.data);
    } catch (error) {
      console.warn("stream event not understood", error);
      return;
    }
    handle(data);
  };
  source.addEventListener("message", parsed(on.message));
  source.addEventListener("updated", parsed(on.updated));
  source.addEventListener("notice", parsed((data) => on.notice(data.text)));
  source.addEventListener("monitor", parsed(on.monitor));
  source.addEventListener("open", () => {
    on.connected(true, broken);
    broken = false;
  });
  source.addEventListener("error", () => {
    broken = true;
    on.connected(false, false);
    // The browser gives up if the response is not a stream; the server may just be restarting.
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => listen(on), 2000);
      source.close();
    }
  });
}
