// What this script does, it only adds: without it, every page says the same after a reload.
"use strict";
(() => {
  const main = document.querySelector("main[data-live], main[data-news]");
  const state = document.getElementById("state");
  if (!main || !window.EventSource) return;

  const isLive = main.hasAttribute("data-live");
  const ROWS = 20; // as many as the server renders
  const REFRESH_MS = 5000; // at most this often the other tables are fetched anew
  const UUID = /^[0-9a-f-]{36}$/;
  let source = null;
  let last = "";
  let refreshing = null;
  let newer = 0;

  const notice = isLive ? "" : state.textContent; // what the server has said of figures that stay
  const say = (text) => {
    state.textContent = text || notice;
    state.hidden = state.textContent === "";
  };

  // Figures stay as they were counted; that there are newer attempts is said beside them.
  const announce = (text) => {
    const news = document.getElementById("news");
    if (!news) return;
    news.querySelector("span").textContent = text;
    news.hidden = false;
  };
  const count = () => {
    newer += 1;
    announce(newer === 1 ? "1 attempt has been recorded" : newer + " attempts have been recorded");
  };

  // A new attempt becomes a row; whatever it holds is text.
  const show = (attempt) => {
    const body = document.querySelector("#attempts tbody");
    const template = document.getElementById("attempt");
    if (!body || !template || !UUID.test(attempt.id) || document.getElementById("a-" + attempt.id)) return;
    const row = template.content.firstElementChild.cloneNode(true);
    row.id = "a-" + attempt.id;
    for (const cell of row.querySelectorAll("[data-of]")) {
      const value = attempt[cell.dataset.of];
      cell.textContent = value === null || value === undefined || value === "" ? "–" : String(value);
    }
    const link = row.querySelector("a");
    if (link) link.href = "/operations/" + attempt.id;
    const outcome = row.querySelector("[data-of=outcome]");
    if (outcome) outcome.className = attempt.outcome === "ok" ? "ok" : "bad";
    body.prepend(row);
    while (body.rows.length > ROWS) body.lastElementChild.remove();
  };

  // The tables that changed, as the server renders them. What has the focus stays as it is.
  const refresh = () => {
    if (refreshing) return;
    refreshing = setTimeout(async () => {
      try {
        const answer = await fetch(location.href, { credentials: "same-origin" });
        if (answer.ok) {
          const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
          for (const part of main.querySelectorAll("section[id]")) {
            const other = fresh.getElementById(part.id);
            if (other && !part.contains(document.activeElement)) part.replaceWith(document.importNode(other, true));
          }
        }
      } catch {
        // The stream says when the server is away.
      }
      refreshing = null;
    }, REFRESH_MS);
  };

  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource("/api/v1/events" + (last ? "?after=" + encodeURIComponent(last) : ""));
    const on = (name, act) =>
      source.addEventListener(name, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        act(JSON.parse(event.data));
      });
    on("attempt", isLive ? show : count);
    if (isLive) on("overview", refresh);
    on("reset", isLive ? refresh : () => announce("Attempts have been recorded"));
    on("state", (news) => {
      say(news.database === "up" ? "" : news.sentence);
      if (isLive && news.database === "up") refresh();
    });
    source.onerror = () => say("The page has lost its server and keeps trying.");
  };

  // A page in the background costs nobody anything.
  const close = () => {
    if (source) source.close();
    source = null;
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
    } else {
      if (isLive) refresh();
      open();
    }
  });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  open();
})();
