// Renews the moving parts of live jobs every two seconds; stops when none is live.
"use strict";
(() => {
  const PERIOD = 2000;
  const REQUEST_LIMIT = 200;

  const liveParts = () => [...document.querySelectorAll('[data-live]:not([data-live=""])')];

  const renew = (id, job) => {
    for (const element of document.querySelectorAll(`[data-job="${CSS.escape(id)}"]`)) {
      const html = job.parts[element.dataset.part];
      // The server has escaped it.
      if (html !== undefined && html !== element.innerHTML) element.innerHTML = html;
      if (!job.is_live) element.dataset.live = "";
    }
  };

  const ask = async () => {
    const parts = liveParts();
    if (parts.length === 0) return;
    const ids = [...new Set(parts.map((part) => part.dataset.job))].slice(0, REQUEST_LIMIT);
    const answer = await fetch(`${parts[0].dataset.live}?ids=${ids.join(",")}`, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
    const { jobs } = await answer.json();
    for (const [id, job] of Object.entries(jobs)) renew(id, job);
    if (liveParts().length === 0 && document.querySelector("[data-reload-when-ended]")) window.location.reload();
  };

  const turn = async () => {
    try {
      if (!document.hidden) await ask();
    } catch {
      // Logged out or the server restarts: the page keeps what it has and tries again.
    }
    if (liveParts().length > 0) window.setTimeout(turn, PERIOD);
  };

  document.addEventListener("DOMContentLoaded", () => window.setTimeout(turn, PERIOD));
})();
