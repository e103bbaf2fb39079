/* The queue without page loads. What is decided goes away at once, is sent behind the moderator's back and comes back where it was
 * if the service refuses; what comes in, and what others do, appears. The forms of the page are what is sent, and without this
 * script they work by themselves. Text from others only ever becomes text. */
(() => {
  "use strict";

  const list = document.getElementById("cards");
  if (!list) return;

  const LOW = 8; // cards ahead, below which the next page is fetched
  const AHEAD = 5; // cards that are claimed: the one looked at and those behind it
  const KNOWN = 40; // ids that one question may name
  const EVERY_MS = 5_000;
  const SELDOM_MS = 60_000; // between questions, in a tab that nobody looks at or when they fail
  const RENEW_MS = 60_000; // a claim lasts three minutes
  const IDLE_MS = 300_000; // without a key or a click, nobody looks at anything
  const ANSWER_MS = 20_000;

  const by = (id) => document.getElementById(id);
  const cards = () => [...list.querySelectorAll(".card")];
  const free = () => cards().filter((card) => !("gone" in card.dataset || "held" in card.dataset));
  const cardOf = (id) => by(`c-${id}`);
  const here = () => list.querySelector(".card.here");
  const selection = by("selection");
  const following = () => document.querySelector(".pages a[rel=next]");
  const doing = { approve: "Approved", reject: "Rejected", spam: "Marked as spam", trash: "Put in the trash" };
  Object.assign(doing, { restore: "Put back in the queue", escalate: "Escalated" });

  const seen = new Set(cards().map((card) => card.dataset.id));
  const turns = new Map(); // by id: what was last sent about a comment
  const decided = []; // what can be undone, the last one last
  let touched = Date.now();

  function element(name, options, ...inside) {
    const made = Object.assign(document.createElement(name), options);
    made.append(...inside);
    return made;
  }

  const named = (card) => element("bdi", { dir: "auto" }, card.querySelector("h2").textContent.trim());
  const several = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  /* --- asking the service --- */

  class Refusal extends Error {
    constructor(status, detail) {
      super(detail);
      this.status = status;
    }
  }

  async function ask(url, options = {}) {
    let answer;
    try {
      const headers = { Accept: "application/json", ...options.headers };
      answer = await fetch(url, { ...options, headers, signal: AbortSignal.timeout(ANSWER_MS) });
    } catch {
      throw new Refusal(0, navigator.onLine ? "The service does not answer." : "You are offline.");
    }
    if (answer.status === 304) return null;
    const facts = await answer.json().catch(() => ({}));
    if (answer.ok) return Object.assign(facts, { etag: answer.headers.get("ETag") });
    throw new Refusal(answer.status, facts.detail || "The service could not do it.");
  }

  /* A form's token belongs to a session: after a log-in elsewhere, the forms of this page get the new one. */
  async function send(url, body) {
    try {
      return await ask(url, { method: "POST", body });
    } catch (refusal) {
      if (refusal.status !== 403 || !(await renewed(body))) throw refusal;
      return ask(url, { method: "POST", body });
    }
  }

  async function renewed(body) {
    const known = seen.values().next().value;
    const facts = await ask(`${list.dataset.cards}?id=${known}`).catch(() => ({ html: "" }));
    const field = parsed(facts.html).querySelector("[name=csrf_token]");
    if (!field || field.value === body.get("csrf_token")) return false;
    for (const old of document.querySelectorAll("[name=csrf_token]")) old.value = field.value;
    body.set("csrf_token", field.value);
    return true;
  }

  const parsed = (html) => new DOMParser().parseFromString(html, "text/html");
  const token = () => document.querySelector("[name=csrf_token]").value;

  /* What is sent about one comment goes in the order in which it was done, whatever the others do meanwhile. */
  function inTurn(ids, task) {
    const sent = Promise.allSettled(ids.map((id) => turns.get(id))).then(task);
    for (const id of ids) turns.set(id, sent);
    return sent;
  }

  /* --- what is said --- */

  let told = null;

  function tell(words, undoable) {
    told = words;
    const notice = element("div", { className: "notice flash told good" }, element("span", {}, ...words));
    if (undoable) {
      const more = decided.length > 1 ? ` (${decided.length})` : "";
      const button = element("button", { type: "button" }, "Undo" + more + " ", element("kbd", { ariaHidden: "true" }, "u"));
      button.dataset.key = "u";
      button.addEventListener("click", undo);
      notice.append(button);
    }
    by("notices").replaceChildren(notice);
  }

  /* Refusals stay until they are closed; the same one about several comments is said once. */
  function complain(detail, chosen, status) {
    const box = by("refusals");
    const known = [...box.children].find((one) => one.dataset.detail === detail);
    const count = (known ? Number(known.dataset.count) : 0) + chosen.length;
    const notice = element("div", { className: "notice flash bad" });
    Object.assign(notice.dataset, { detail, count });
    const back = chosen.length ? `Not done, ${several(count, "comment")} ${count === 1 ? "is" : "are"} back in the list: ` : "";
    notice.append(element("span", {}, `${back || "Not done. "}${detail} `));
    if (status === 401) {
      const link = element("a", { href: `${location.origin}/console/login`, target: "_blank", rel: "noopener" });
      link.append("Log in in another tab, and go on here");
      notice.firstChild.append(link);
    }
    const close = element("button", { type: "button" }, "Close");
    close.addEventListener("click", () => notice.remove());
    if (chosen.length) {
      const show = element("button", { type: "button" }, "Go there");
      show.addEventListener("click", () => go(chosen[0]));
      notice.append(element("span", { className: "row" }, show, close));
    } else notice.append(close);
    if (known) known.replaceWith(notice);
    else box.append(notice);
  }

  function note(card, words) {
    const line = card.querySelector("[data-news]");
    line.replaceChildren(...words);
    line.hidden = words.length === 0;
  }

  function count(change, total) {
    const shown = by("total");
    const now = Math.max(0, total ?? Number(shown.dataset.total) + change);
    shown.dataset.total = now;
    shown.textContent = now >= Number(shown.dataset.most) ? `${several(now, "comment")} or more` : several(now, "comment");
    const tab = document.querySelector(".tabs [aria-current] .count");
    if (tab && !tab.textContent.endsWith("+")) tab.textContent = now;
    document.title = (now ? `(${now}) ` : "") + document.title.replace(/^\(\d+\) /, "");
  }

  function go(card) {
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
  }

  /* --- deciding, and undoing --- */

  function takeAway(card) {
    const place = document.createComment("");
    card.replaceWith(place);
    return { card, place };
  }

  function putBack(away) {
    away.place.replaceWith(away.card);
    return away.card;
  }

  function leave(chosen) {
    const from = chosen.includes(here()) ? here() : chosen[0];
    const rest = free().filter((card) => !chosen.includes(card));
    const ahead = rest.find((card) => from.compareDocumentPosition(card) & Node.DOCUMENT_POSITION_FOLLOWING);
    return ahead || rest[rest.length - 1] || null;
  }

  function decide(chosen, url, body, words) {
    const next = leave(chosen);
    const done = { ids: chosen.map((card) => card.dataset.id), words };
    for (const card of chosen) tick(card, false);
    done.away = chosen.map(takeAway);
    decided.push(done);
    count(-chosen.length);
    if (next) go(next);
    else by("list-title").focus();
    tell(words, true);
    showRest();
    done.isOpen = true;
    done.sent = inTurn(done.ids, () => send(url, body)).finally(() => (done.isOpen = false));
    done.sent.then((facts) => settled(done, facts), (refusal) => refused(done, refusal));
  }

  function refused(done, refusal) {
    if (done.isUndone) return; // it is back already, and was never done
    decided.splice(decided.indexOf(done), 1);
    const back = done.away.map(putBack);
    count(back.length);
    for (const card of back) note(card, [`Not done. ${refusal.message}`]);
    if (done.words === told) by("notices").replaceChildren();
    complain(refusal.message, back, refusal.status);
    if (refusal.status === 409 || refusal.status === 404) refresh(done.ids).then(look);
    showRest();
  }

  /* Of several, those that had moved on come back alone. */
  function settled(done, facts) {
    done.facts = facts;
    if (done.isUndone) return;
    const failed = facts.failed || {};
    const [back, rest] = [[], []];
    for (const away of done.away) (away.card.dataset.id in failed ? back : rest).push(away);
    if (!back.length) return;
    done.away = rest;
    if (!rest.length) decided.splice(decided.indexOf(done), 1);
    for (const away of back) complain(failed[putBack(away).dataset.id], [away.card], 409);
    count(back.length);
    refresh(back.map((away) => away.card.dataset.id)).then(look);
    showRest();
  }

  async function undo() {
    const done = decided.pop();
    if (!done) return;
    done.isUndone = true;
    const back = done.away.map(putBack);
    for (const card of back) note(card, []);
    count(done.ids.length);
    if (back.length) go(back[0]);
    tell(["Undone. ", ...done.words.map((word) => (word.cloneNode ? word.cloneNode(true) : word))], decided.length > 0);
    showRest();
    try {
      // Its turn is taken now, before anything else is decided about the same comment.
      const answer = await inTurn(done.ids, () => takenBack(done));
      for (const [id, detail] of Object.entries(answer.failed || {})) stays(id, detail, 409);
      if (!back.length) await bringBack(done.ids);
    } catch (refusal) {
      for (const id of done.ids) stays(id, refusal.message, refusal.status);
    }
  }

  /* What was decided before this page was loaded has no card here; it stands first now. */
  async function bringBack(ids) {
    for (const id of ids) seen.delete(id);
    const first = list.firstElementChild;
    const found = await showNew(ids.slice(0, KNOWN), (card) => (first ? first.before(card) : list.append(card)));
    if (found.length) go(found[0]);
  }

  /* In this tab and session one can go on undoing after a look at something else. No name and no text is kept. */
  const UNDO_KEY = `undo ${document.querySelector("[name=csrf_token]").value}`;
  const UNDO_KEPT = 20;

  function keepUndos() {
    const kept = decided.filter((done) => done.facts).slice(-UNDO_KEPT);
    sessionStorage.setItem(UNDO_KEY, JSON.stringify(kept.map(({ ids, facts }) => ({ ids, facts }))));
  }

  function restoreUndos() {
    for (const { ids, facts } of JSON.parse(sessionStorage.getItem(UNDO_KEY) || "[]")) {
      decided.push({ ids, facts, away: [], words: ["an earlier decision"], sent: Promise.resolve(facts) });
    }
    if (decided.length && !document.querySelector(".told")) tell(["Decided before"], true);
  }

  async function takenBack(done) {
    const facts = await done.sent.catch(() => null);
    if (!facts) return {}; // it was refused, so there is nothing to take back
    return send(facts.undo, new URLSearchParams({ csrf_token: token(), decided_at: facts.decided_at || "" }));
  }

  /* What could not be undone is told, and shown as it stands. */
  function stays(id, detail, status) {
    complain(`It could not be undone. ${detail}`, [], status);
    refresh([id]).then(look);
  }

  list.addEventListener("submit", (event) => {
    const form = event.target;
    event.preventDefault();
    const card = form.closest(".card");
    const action = event.submitter.value;
    const body = new URLSearchParams(new FormData(form));
    body.set("action", action);
    if (action !== "reject") body.delete("reason");
    const reason = body.get("reason") ? `, ${body.get("reason")}` : "";
    decide([card], form.getAttribute("action"), body, [`${doing[action]}${reason}: `, named(card)]);
  });

  /* --- several at once --- */

  const boxes = () => [...list.querySelectorAll("[name=id]")];
  const ticked = () => boxes().filter((box) => box.checked);

  function tick(card, on) {
    const box = card.querySelector("[name=id]");
    if (box) box.checked = on;
    showChosen();
  }

  function showChosen() {
    if (!selection) return;
    const chosen = ticked().length;
    selection.hidden = chosen === 0;
    document.body.classList.toggle("selecting", chosen > 0);
    selection.querySelector(".chosen").textContent = `${chosen} selected:`;
  }

  if (selection) {
    list.addEventListener("change", showChosen);
    selection.addEventListener("submit", (event) => {
      event.preventDefault();
      const action = event.submitter.value;
      const chosen = ticked().map((box) => box.closest(".card"));
      const body = new URLSearchParams(new FormData(selection));
      body.set("action", action);
      if (action !== "reject") body.delete("reason");
      selection.elements.reason.value = "";
      if (chosen.length) decide(chosen, selection.getAttribute("action"), body, [`${doing[action]}: ${several(chosen.length, "comment")}`]);
    });
    document.addEventListener("keydown", (event) => {
      const box = event.target.closest("input, select, textarea, dialog, .choice");
      if (box || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "X") tickAll();
      else if (event.key === "Escape") for (const card of cards()) tick(card, false);
      else return;
      event.preventDefault();
    });
    selection.querySelector("a").addEventListener("click", (event) => {
      event.preventDefault();
      tickAll();
    });
  }

  function tickAll() {
    const all = free();
    const on = !all.every((card) => card.querySelector("[name=id]")?.checked);
    for (const card of all) tick(card, on);
  }

  /* --- the cards of the next page, of what came in, and of what changed --- */

  const pageSearch = () => {
    const query = new URLSearchParams(location.search);
    for (const name of ["cursor", "select", "did", "decision", "failed", "all", "left", "missed", "batch", "told"]) query.delete(name);
    return query;
  };

  async function fetched(query) {
    const facts = await ask(`${list.dataset.cards}?${query}`);
    return { found: [...parsed(facts.html).querySelectorAll(".card")].map((card) => document.adoptNode(card)), next: facts.next };
  }

  let isLoading = false;

  async function showRest() {
    const ahead = free().filter((card) => !here() || here().compareDocumentPosition(card) & Node.DOCUMENT_POSITION_FOLLOWING);
    const link = following();
    if (link && ahead.length < LOW && !isLoading) {
      isLoading = true;
      try {
        const { found, next } = await fetched(new URL(link.href).search.slice(1));
        add(found.filter((card) => !seen.has(card.dataset.id)), (card) => list.append(card));
        if (next) link.href = next;
        else link.closest("nav").remove();
      } catch {
        // The link is still there.
      }
      isLoading = false;
    }
    by("empty").hidden = cards().length > 0 || following() !== null;
  }

  function add(found, put) {
    for (const card of found) {
      seen.add(card.dataset.id);
      put(card);
    }
    by("empty").hidden = cards().length > 0;
  }

  /* The comments as they stand now, in the place of what is shown of them. */
  async function refresh(ids) {
    const { found } = await fetched(new URLSearchParams([...pageSearch(), ...ids.slice(0, KNOWN).map((id) => ["id", id])])).catch(() => ({ found: [] }));
    for (const card of found) {
      const old = cardOf(card.dataset.id);
      if (!old) continue;
      const [hadFocus, wasHere] = [old.contains(document.activeElement), old === here()];
      const words = [...old.querySelector("[data-news]").childNodes];
      old.replaceWith(card);
      if (hadFocus || wasHere) go(card);
      if (card.dataset.state !== list.dataset.state) gone(card, [`This is ${card.dataset.state} by now.`]);
      else if (words.length && !("held" in card.dataset)) note(card, words);
    }
  }

  /* --- live --- */

  let etag = "";
  let since = list.dataset.since;
  let waitMs = EVERY_MS;
  let timer = 0;
  let asking = null;

  function gone(card, words) {
    card.dataset.gone = "";
    delete card.dataset.held;
    const box = card.querySelector("[name=id]");
    if (box) Object.assign(box, { checked: false, disabled: true });
    note(card, words);
    showChosen();
  }

  function stand(card, facts) {
    const who = facts && (facts.by || facts.held_by);
    const words = who ? [element("bdi", { dir: "auto" }, who), " "] : [];
    if (!facts) gone(card, ["This is not there any more."]);
    else if (facts.state !== list.dataset.state) gone(card, [...(facts.by ? words : ["This "]), `${facts.what}.`]);
    else {
      const was = card.dataset;
      if (("gone" in was && facts.state === list.dataset.state) || (Number(was.version) !== facts.version && card !== here())) refresh([was.id]);
      else if (Number(was.version) !== facts.version) offer(card);
      else if (facts.held_by) note(card, [...words, "is looking at this."]);
      else if ("held" in was) note(card, []);
      if (facts.held_by) was.held = "";
      else delete was.held;
    }
  }

  /* What one is reading does not change under one's eyes. */
  function offer(card) {
    if (card.querySelector(".as-now")) return;
    const button = element("button", { type: "button", className: "as-now" }, "Show it as it is now");
    button.addEventListener("click", () => refresh([card.dataset.id]));
    note(card, ["Its author has changed it. ", button]);
  }

  function near() {
    const all = cards();
    const from = Math.max(0, all.indexOf(here()) - 5);
    return all.slice(from, from + KNOWN);
  }

  async function look() {
    clearTimeout(timer);
    asking ??= lookNow().finally(() => {
      asking = null;
      clearTimeout(timer);
      timer = setTimeout(look, document.hidden ? SELDOM_MS : Date.now() - touched > IDLE_MS ? SELDOM_MS / 2 : waitMs);
    });
    return asking;
  }

  async function lookNow() {
    const asked = near();
    const query = pageSearch();
    query.set("known", asked.map((card) => card.dataset.id.replaceAll("-", "")).join("."));
    query.set("since", since);
    let facts;
    try {
      facts = await ask(`${list.dataset.live}?${query}`, { headers: { "If-None-Match": etag } });
      waitMs = EVERY_MS;
    } catch (refusal) {
      waitMs = Math.min(waitMs * 2, SELDOM_MS);
      if (refusal.status === 401) complain(refusal.message, [], 401);
      return;
    }
    if (!facts) return;
    etag = facts.etag;
    for (const card of asked) if (card.isConnected) stand(card, facts.comments[card.dataset.id]);
    const sending = decided.filter((done) => done.isOpen).length;
    if (!sending) count(0, facts.total);
    await welcome(facts.arrived.filter((id) => !seen.has(id)), facts.now);
  }

  /* What came in stands at the end of a list by age, and behind a button where it would push down what one reads. */
  async function welcome(fresh, now) {
    const button = by("new");
    const atEnd = list.dataset.sort === "oldest" || cards().length === 0;
    button.hidden = fresh.length === 0 || atEnd;
    button.textContent = fresh.length >= 100 ? "100 or more new" : `${fresh.length} new`;
    button.value = fresh.slice(0, KNOWN).join(" ");
    if (fresh.length === 0) since = now;
    else if (atEnd && !following()) await showNew(fresh.reverse().slice(0, KNOWN), (card) => list.append(card));
  }

  async function showNew(ids, put) {
    const { found } = await fetched(new URLSearchParams([...pageSearch(), ...ids.map((id) => ["id", id])])).catch(() => ({ found: [] }));
    add(found.filter((card) => !seen.has(card.dataset.id)), put);
    return found;
  }

  by("new").addEventListener("click", async (event) => {
    event.currentTarget.hidden = true;
    const first = list.firstElementChild;
    const found = await showNew(event.target.value.split(" "), (card) => (first ? first.before(card) : list.append(card)));
    if (found.length) go(found[0]);
    look();
  });

  /* --- claims: others are told what one looks at --- */

  const held = new Map(); // by id: until when there is no need to claim it again
  const mayDecide = (card) => card.querySelector("form.one") !== null;
  let claiming = 0;

  function claimSoon() {
    clearTimeout(claiming);
    claiming = setTimeout(claim, 300);
  }

  async function claim() {
    const at = here();
    if (!at || !/^(pending|escalated)$/.test(list.dataset.state) || document.hidden || Date.now() - touched > IDLE_MS) return;
    const ahead = free().filter((card) => card === at || at.compareDocumentPosition(card) & Node.DOCUMENT_POSITION_FOLLOWING);
    const wanted = ahead.filter(mayDecide).slice(0, AHEAD).map((card) => card.dataset.id);
    const left = [...held.keys()].filter((id) => !wanted.includes(id));
    const isFresh = (id) => held.get(id) > Date.now();
    if (wanted.slice(0, 2).every(isFresh)) return;
    const body = new URLSearchParams({ csrf_token: token(), take: wanted.join(" "), leave: left.slice(0, KNOWN).join(" ") });
    try {
      const facts = await ask(list.dataset.claims, { method: "POST", body });
      for (const id of left) held.delete(id);
      for (const id of facts.taken) held.set(id, Date.now() + RENEW_MS);
      for (const [id, name] of Object.entries(facts.others)) {
        const card = cardOf(id);
        if (!card) continue;
        card.dataset.held = "";
        note(card, [element("bdi", { dir: "auto" }, name), " is looking at this."]);
      }
    } catch {
      // A claim is a courtesy; what protects is the decision.
    }
  }

  document.addEventListener("settle", () => {
    claimSoon();
    showRest();
  });
  document.addEventListener("end-of-cards", () => {
    const others = cards().filter((card) => "held" in card.dataset).length;
    if (others && free().length <= 1) tell([`Others are looking at ${several(others, "comment")} here.`], decided.length > 0);
  });
  for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, () => (touched = Date.now()), { passive: true });
  // What one opens is still what one looks at; its claim ends by itself.
  let opened = "";
  list.addEventListener("click", (event) => (opened = event.target.closest("a")?.closest(".card").dataset.id ?? ""));
  window.addEventListener("pagehide", () => {
    keepUndos();
    const left = [...held.keys()].filter((id) => id !== opened);
    held.clear();
    if (!left.length) return;
    const body = new URLSearchParams({ csrf_token: token(), take: "", leave: left.slice(0, KNOWN).join(" ") });
    navigator.sendBeacon(list.dataset.claims, body);
  });
  setInterval(claim, RENEW_MS);

  /* --- begin --- */

  by("list-title").tabIndex = -1;
  document.addEventListener("visibilitychange", () => document.hidden || look());
  window.addEventListener("focus", look);
  window.addEventListener("online", look);
  showChosen();
  restoreUndos();
  timer = setTimeout(look, EVERY_MS);
})();
