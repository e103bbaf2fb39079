/* The readers' widget: the replies of one thread, and the form to leave another.
 *
 *   <div data-moderation-site="demo" data-thread="KEY" data-thread-url="..." data-thread-title="..."></div>
 *   <script src="https://comments.example/embed.js" defer></script>
 *
 * Attributes, parts, properties and languages are described in docs/integrate.md. What goes out as /embed.js is this
 * file without comments and needless space (web/widget.py), with the version of the texts in place of {version}.
 *
 * Everything lives in a shadow root with a constructed style sheet, so a host page's CSP needs only script-src,
 * connect-src and img-src for the service. No cookies, no third party. Text is set as text; the one thing set as HTML
 * is `body_html`, which the server has sanitised. Kept in this browser: the author and edit tokens (localStorage), the
 * name and address if the reader ticks the box, and the draft of this tab (sessionStorage).
 */
(() => {
  "use strict";

  if (window.moderationEmbed) return; // the script stands in the page twice

  const source = document.currentScript || document.querySelector('script[src*="/embed.js"]');
  const BASE = new URL(".", source ? source.src : location.href);
  const PAGE_SIZE = 25;
  const TIMEOUT_MS = 20000;
  const KEEP_WAITING_MS = 7 * 86400000;
  const MOST_PAGES_TO_LINK = 8; // that are loaded to find the comment which the address names
  const MOST_COUNTS = 100;
  const MOST_QUERY_CHARS = 4000;

  // Takes font and colours from the page, and nothing else that a page's sheet may hand down. Logical sides alone.
  const STYLE = `
:host{display:block;--_line:var(--moderation-border,color-mix(in srgb,currentColor 22%,transparent));
--_soft:var(--moderation-muted,color-mix(in srgb,currentColor 72%,transparent));--_tint:var(--moderation-surface,color-mix(in srgb,currentColor 5%,transparent));
--_key:var(--moderation-accent,light-dark(#0b57a4,#8ab8ff));--_on-key:var(--moderation-on-accent,light-dark(#fff,#0b1726));--_round:var(--moderation-radius,6px);--_bad:var(--moderation-danger,light-dark(#b3261e,#ff9d94))}
:host(:not([data-ready])){min-block-size:34em}
section{all:initial;display:block;font:inherit;color:var(--moderation-text,inherit);color-scheme:inherit}
:host([data-theme=light]) section{color-scheme:light}:host([data-theme=dark]) section{color-scheme:dark}:host([data-theme=auto]) section{color-scheme:light dark}
*,*::before{box-sizing:border-box}
[hidden]{display:none!important}
h2,h3,p{margin:0}h2,h3{line-height:1.25}h2{font-size:1.4em}h3{font-size:1.2em}
.body :is(p,ul,ol,pre,blockquote){margin-block:.6em}.body :is(ul,ol){padding-inline-start:1.4em}.body ul{list-style:disc}.body ol{list-style:decimal}.body li{margin:0}
.top{display:flex;flex-wrap:wrap;gap:.5em 1em;align-items:baseline;justify-content:space-between;margin-block-end:.5em}
ol{list-style:none;margin:0;padding:0}
li,.more{margin-block-start:1.25em}
.replies{padding-inline-start:clamp(.75em,4vw,2.5em);border-inline-start:2px solid var(--_line);margin-inline-start:clamp(0px,2vw,1.2em)}
.item{scroll-margin-top:1em}
.head{display:flex;gap:.6em;align-items:center}.head>div{display:flex;flex-wrap:wrap;gap:0 .6em;align-items:baseline;min-inline-size:0}
.avatar{inline-size:2.25em;block-size:2.25em;border-radius:50%;background:var(--_tint);flex:none}
.name{font-weight:600;overflow-wrap:anywhere}
.meta,.hint,.quiet,.acts select,.acts a{font-size:.875em}
.meta,.hint{color:var(--_soft)}
time{display:inline-block}
.body{margin-block:.4em;line-height:1.55;overflow-wrap:anywhere}
.body :is(p,li){unicode-bidi:plaintext;text-align:start}.body>:first-child{margin-block-start:0}.body>:last-child{margin-block-end:0}
.body pre{overflow-x:auto;padding:.6em;background:var(--_tint)}
.body blockquote{margin-inline:0;padding-inline-start:.8em;border-inline-start:3px solid var(--_line);color:var(--_soft)}
a,.quiet{color:var(--_key);text-underline-offset:.2em}
:is(.meta,.name) a{display:inline-block;min-block-size:24px;color:inherit;text-decoration:none}:is(.meta a,.name a,.quiet):hover{text-decoration:underline}
.acts{display:flex;flex-wrap:wrap;gap:.25em 1em;align-items:center}
button{font:inherit;cursor:pointer;border-radius:var(--_round);min-inline-size:24px}
.quiet{border:0;background:none;padding:.3em .1em;min-block-size:max(24px,1.75em)}
.quiet.soft{color:var(--_soft)}[aria-pressed=true]{font-weight:700}[aria-pressed]::before{content:"\\25B3\\20"/""}[aria-pressed=true]::before{content:"\\25B2\\20"/""}.quiet.danger{color:var(--_bad);font-weight:700}
.main,.more{padding:.6em 1.2em;border:1px solid var(--_key);font-weight:600}
.main{background:var(--_key);color:var(--_on-key)}
.more{background:none;color:var(--_key)}
button[aria-disabled=true]{opacity:.6;cursor:default}
:focus-visible{outline:3px solid var(--_key);outline-offset:2px}
.own>article{padding:.75em;border:1px dashed var(--_line);border-radius:var(--_round);background:var(--_tint)}
.note{font-size:.875em;font-weight:600;margin-block-end:.4em}.acts a{padding-block:.3em}
form{display:grid;gap:.9em;margin-block-start:2em;max-inline-size:44em}
li form{margin-block-start:1em}
label{display:block;font-weight:600;margin-block-end:.25em}
.check{display:flex;gap:.6em;align-items:start}.check label{font-weight:400;margin:0}.check input{flex:none;inline-size:24px;block-size:24px;margin:0;accent-color:var(--_key)}
input:not([type=checkbox]),textarea,select{font:inherit;color:inherit;inline-size:100%;padding:.55em .7em;border:1px solid color-mix(in srgb,currentColor 55%,transparent);border-radius:var(--_round);background:var(--moderation-field,transparent)}
select{inline-size:auto;max-inline-size:100%;min-block-size:24px;padding:.25em .5em}option{color:FieldText;background:Field}
textarea{min-block-size:8em;resize:vertical}::placeholder{color:var(--_soft)}
.pair{display:grid;gap:.9em;grid-template-columns:repeat(auto-fit,minmax(min(100%,16em),1fr))}
[aria-invalid=true]{border-color:var(--_bad)!important;border-width:2px!important}
.error{color:var(--_bad);font-size:.875em;margin-block-start:.25em}
.status,.preview{padding:.6em .8em;border-inline-start:4px solid var(--_key);background:var(--_tint)}.top+.status{margin-block:.75em}
.status.bad{border-color:var(--_bad)}
:is(.error,.status,.said):empty{position:absolute;padding:0;border:0}
.trap{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (forced-colors:active){.quiet{border:1px solid;padding-inline:.5em}}
`;

  const sheet = (() => {
    try {
      const made = new CSSStyleSheet();
      made.replaceSync(STYLE);
      return made;
    } catch {
      return null; // an old browser shows the widget in its own plain style
    }
  })();

  // A host page with `require-trusted-types-for 'script'` allows this policy by the name 'moderation-embed'.
  const trusted = window.trustedTypes
    ? window.trustedTypes.createPolicy("moderation-embed", { createHTML: (html) => html })
    : { createHTML: (html) => html };

  /* ---------- small parts ---------- */

  const make = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child != null));
    return node;
  };

  const isBusy = (button) => button.getAttribute("aria-disabled") === "true";

  const setBusy = (button, busy) => button.setAttribute("aria-disabled", String(busy));

  /** A button in the form of a link. A second press does nothing until what the first one began has ended. */
  const quiet = (label, act, attributes) => {
    const press = async () => {
      if (isBusy(button)) return;
      setBusy(button, true);
      await act(button);
      setBusy(button, false);
    };
    const button = make("button", { class: "quiet", part: "action", type: "button", onclick: press, ...attributes }, label);
    return button;
  };

  const store = (area, name) => ({
    get() {
      try {
        return JSON.parse(window[area].getItem(name)) || {};
      } catch {
        return {};
      }
    },
    set(value) {
      try {
        if (value && Object.keys(value).length) window[area].setItem(name, JSON.stringify(value));
        else window[area].removeItem(name);
      } catch {
        // Storage is full or forbidden: the widget works, it only remembers nothing.
      }
    },
  });

  const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

  const link = (url) => (/^https?:\/\//i.test(url || "") ? url : null);

  /** One request: {ok, status, data, wait}; the status is 0 where no answer of the service came, or not in time. */
  async function call(path, options) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
    let status = 0;
    try {
      const answer = await fetch(new URL(path, BASE), { credentials: "omit", signal: abort.signal, ...options });
      const text = await answer.text();
      if (!answer.ok) status = answer.status; // then a body that is not JSON is a proxy's own page, and the status says enough
      const data = text ? JSON.parse(text) : {};
      return { ok: answer.ok, status: answer.status, data, wait: Number(answer.headers.get("Retry-After")) || 30 };
    } catch {
      return { ok: false, status, data: {}, wait: 30 };
    } finally {
      clearTimeout(timer);
    }
  }

  const json = (method, body, headers) => ({
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

  /* ---------- languages ---------- */

  const asked = {};

  /** The texts in the language of this place, as a function; null where they cannot be had. */
  function speech(node) {
    const around = node.closest("[lang]") || document.documentElement;
    const tag = node.dataset.lang || around.lang || "en";
    const language = (/^[a-z]{2,3}(?![a-z])/i.exec(tag) || ["en"])[0].toLowerCase();
    asked[tag] ||= call(`embed/${language}.json?v={version}`).then((answer) => {
      if (answer.ok) return voice(tag, answer.data);
      delete asked[tag];
      return null;
    });
    return asked[tag];
  }

  /** T(key, values): a text with its values. Numbers and dates are written as the page's own tag says (`de-AT`). */
  function voice(tag, words) {
    let locale = words.lang;
    try {
      if (new Intl.Locale(tag).language === locale) locale = tag;
    } catch {
      // It is no language tag.
    }
    const plural = new Intl.PluralRules(locale);
    const number = new Intl.NumberFormat(locale);
    const date = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
    const written = (value) => (typeof value === "number" ? number.format(value) : `\u2068${value}\u2069`);
    const T = (key, values = {}) => {
      const text = words[key];
      const chosen = text.other ? text[plural.select(values.n)] || text.other : text;
      return chosen.replace(/\{(\w+)\}/g, (_, name) => written(values[name]));
    };
    T.words = words;
    T.number = written;
    T.when = (iso) => (Date.parse(iso) ? date.format(new Date(iso)) : "");
    const span = (unit, count) => new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(count);
    T.problem = ({ status, wait }) => {
      if (status === 429) return T("wait", { time: wait < 90 ? span("second", wait) : span("minute", Math.ceil(wait / 60)) });
      if (!status && navigator.onLine === false) return T("offline");
      if (!status || status >= 500) return T("unreachable");
      if (status === 413) return T("tooBig");
      return T([401, 403, 404].includes(status) ? "notAllowed" : "failed");
    };
    return T;
  }

  /* ---------- one widget ---------- */

  /** Builds the widget of a <div>; anew where its thread, site or language has changed. */
  async function mount(host) {
    const set = host.dataset;
    const sign = signOf(host);
    seen.set(host, sign);
    const canonical = document.querySelector("link[rel=canonical]");
    const thread = {
      key: set.thread || location.pathname,
      url: set.threadUrl || (canonical && canonical.href) || location.origin + location.pathname,
      title: set.threadTitle || document.title,
    };
    const site = set.moderationSite;
    const home = `api/v1/sites/${encodeURIComponent(site)}/`;
    const path = `${home}comments`;
    const draft = store("sessionStorage", `moderation:draft:${site}:${thread.key}`);
    const me = store("localStorage", `moderation:me:${site}`);
    const own = store("localStorage", `moderation:own:${site}`);
    const votes = store("localStorage", `moderation:votes:${site}`);
    const root = host.shadowRoot || host.attachShadow({ mode: "open" });
    if (sheet) root.adoptedStyleSheets = [sheet];
    host.removeAttribute("data-ready");

    let order = set.sort || "oldest";
    let next = null;
    let open = true;
    let asksProof = false;
    let hasFailed = false;
    let turn = 0; // of loading: a later one wins
    let pagesToLink = MOST_PAGES_TO_LINK;
    const shown = new Set();
    const find = (id) => section.querySelector(`#${CSS.escape(id)}`);
    const ask = (cursor) => {
      const query = new URLSearchParams({ thread: thread.key, sort: order, limit: set.limit || PAGE_SIZE });
      if (cursor) query.set("cursor", cursor);
      return call(`${path}?${query}`);
    };

    const first = ask(); // while the texts are on their way
    const T = await speech(host);
    if (seen.get(host) !== sign) return;
    if (!T) {
      const again = make("button", { type: "button", onclick: () => mount(host) }, "Try again");
      root.replaceChildren(make("p", { role: "alert" }, "The replies could not be loaded. ", again));
      host.setAttribute("data-ready", "");
      return;
    }

    const { problem } = T;
    const heading = make("h2", { part: "heading", id: "heading", tabindex: "-1" }, T("loading"));
    const sorts = ["oldest", "newest", "top"].slice(0, "votes" in set || order === "top" ? 3 : 2);
    const sorting = make(
      "select",
      { "aria-label": T("sort"), part: "sort", hidden: true, onchange: () => ((order = sorting.value), load(true)) },
      ...sorts.map((name) => make("option", { value: name }, T(name))),
    );
    sorting.value = order;
    const status = make("p", { class: "status", role: "status", part: "status", tabindex: "-1" });
    const list = make("ol", { part: "list" });
    const more = make("button", { class: "more", part: "more", type: "button", hidden: true, onclick: () => isBusy(more) || load(false) }, T("more"));
    const moreError = make("p", { class: "error", role: "alert" });
    const ownList = make("ol", { part: "own" });
    const form = buildForm();
    const section = make(
      "section",
      { "aria-labelledby": "heading", part: "section", lang: T.words.lang, dir: T.words.dir },
      make("div", { class: "top" }, heading, sorting),
      status,
      list,
      more,
      moreError,
      ownList,
      form.node,
    );
    root.replaceChildren(section);
    addEventListener("hashchange", () => goToHash());
    addEventListener("online", () => hasFailed && section.isConnected && load(true));
    load(true, first);

    function say(text, bad = false) {
      status.classList.toggle("bad", bad);
      status.replaceChildren(text);
    }

    /* -- the list -- */

    async function load(fresh, asking) {
      const mine = ++turn;
      setBusy(more, true);
      more.textContent = T("loading");
      const answer = await (asking || ask(fresh ? null : next));
      if (mine !== turn) return;
      setBusy(more, false);
      more.textContent = T("more");
      moreError.textContent = answer.ok || fresh ? "" : problem(answer);
      hasFailed = fresh && !answer.ok;
      if (answer.ok) show(answer.data, fresh);
      else if (fresh) refuse(answer);
      host.setAttribute("data-ready", "");
    }

    /** Says why there is no list. Where the site has no comments there is no form either. */
    function refuse(answer) {
      const isOff = answer.status === 404;
      if (isOff || !shown.size) {
        heading.textContent = T(isOff ? "off" : "loadFailed");
        form.restore();
      }
      form.node.hidden = isOff || !open;
      if (isOff) return;
      const again = async () => {
        await load(true);
        (hasFailed ? status : heading).focus();
      };
      say(problem(answer), true);
      status.append(" ", quiet(T("again"), again));
    }

    function show(page, fresh) {
      if (status.classList.contains("bad")) say("");
      if (fresh) {
        form.park();
        list.replaceChildren();
        shown.clear();
      }
      next = page.next;
      asksProof = page.proof;
      open = !page.thread || page.thread.open !== false;
      const before = list.lastElementChild;
      list.append(...page.comments.filter((comment) => !shown.has(comment.id)).map(item));
      more.hidden = !next;
      heading.textContent = T(page.total ? "replies" : open ? "none" : "closed", { n: page.total });
      sorting.hidden = page.total < 2;
      showOwn();
      if (fresh) form.restore();
      if (pagesToLink) goToHash();
      else if (!fresh) focusOn(before && before.nextElementSibling);
    }

    const focusOn = (node) => {
      const target = node && node.querySelector("article");
      if (target) target.focus();
      return Boolean(target);
    };

    /** Goes to the comment that the page's address names; at the start it may be some pages away. */
    function goToHash() {
      const wanted = location.hash.startsWith("#comment-") && section.isConnected && location.hash.slice(1);
      const node = wanted && find(wanted);
      if (node) {
        node.scrollIntoView({ behavior: "instant" });
        focusOn(node);
      } else if (wanted && next && pagesToLink-- > 1) return load(false);
      pagesToLink = 0;
    }

    function item(comment) {
      shown.add(comment.id);
      const replies = make("ol", { class: "replies", part: "replies", hidden: true });
      const node = make("li", { class: "item", id: `comment-${comment.id}`, part: "comment" });
      node.append(article(comment, node), replies);
      addReplies(replies, comment.replies || [], comment.more_replies);
      return node;
    }

    function addTo(place, node) {
      place.hidden = false;
      place.append(node);
    }

    function addReplies(place, replies, cursor) {
      place.append(...replies.map(item));
      if (cursor) place.append(moreReplies(place, cursor));
      place.hidden = !place.children.length;
    }

    function moreReplies(place, cursor) {
      const error = make("p", { class: "error", role: "alert" });
      const load = async () => {
        error.textContent = "";
        const answer = await ask(cursor);
        if (!answer.ok) return (error.textContent = problem(answer));
        row.remove();
        const added = answer.data.comments.filter((comment) => !shown.has(comment.id)).map((comment) => {
          const parent = find(`comment-${comment.parent_id}`);
          const node = item(comment);
          addTo((parent && parent.querySelector(":scope > .replies")) || place, node);
          return node;
        });
        if (answer.data.next) addTo(place, moreReplies(place, answer.data.next));
        focusOn(added[0]);
        showOwn();
      };
      const row = make("li", {}, quiet(T("more"), load), error);
      return row;
    }

    function prose(html, attributes) {
      const body = make("div", { class: "body", part: "body", dir: "auto", lang: "", ...attributes });
      body.innerHTML = trusted.createHTML(html);
      return body;
    }

    function article(comment, node, note) {
      if (comment.deleted) return make("article", { tabindex: "-1", class: "meta" }, T("gone"));
      const author = comment.author;
      const mark = `name-${comment.id}`;
      const url = link(author.url);
      const name = make("bdi", { dir: "auto" }, author.name);
      const time = make("time", { datetime: comment.created_at }, T.when(comment.created_at));
      return make(
        "article",
        { "aria-labelledby": mark, tabindex: "-1" },
        note ? make("p", { class: "note", part: "waiting" }, note) : null,
        make(
          "div",
          { class: "head" },
          author.avatar
            ? make("img", { class: "avatar", part: "avatar", src: new URL(author.avatar.replace(/^\//, ""), BASE), alt: "", loading: "lazy" })
            : null,
          make(
            "div",
            {},
            make("span", { class: "name", part: "name", id: mark }, url ? make("a", { href: url, rel: "nofollow ugc noopener noreferrer" }, name) : name),
            make("span", { class: "meta", part: "meta" }, note ? time : make("a", { href: `#comment-${comment.id}` }, time), comment.edited_at ? ` · ${T("edited")}` : ""),
          ),
        ),
        prose(comment.body_html),
        ...actions(comment, node, !note),
      );
    }

    /** The row of buttons below a comment, and the place that says what became of them. */
    function actions(comment, node, isPublic) {
      const row = make("div", { class: "acts", part: "actions" });
      const said = make("p", { class: "said note", role: "status", part: "note", tabindex: "-1" });
      const tell = (text) => {
        said.textContent = text;
        return said;
      };
      if (isPublic && open) {
        const label = T("replyTo", { name: comment.author.name });
        row.append(quiet(T("reply"), () => form.moveTo(node, comment.id, comment.author.name), { "aria-label": label }));
      }
      const mine = own.get()[comment.id];
      const left = mine ? Date.parse(mine.until) - Date.now() : 0;
      if (left > 0) {
        const inTime = [quiet(T("edit"), () => startEdit(comment, node, mine)), removeButton(comment, mine, tell)];
        row.append(...inTime);
        const close = () => {
          if (inTime.includes(root.activeElement)) focusOn(node);
          inTime.forEach((button) => button.remove());
        };
        setTimeout(close, Math.min(left, 2 ** 31 - 1));
      }
      if (mine && mine.receipt) row.append(make("a", { href: mine.receipt, part: "receipt", rel: "noopener noreferrer" }, T("receipt")));
      if (isPublic && !mine) {
        if ("votes" in set) row.prepend(voteButton(comment, tell));
        if (set.reports !== "off") row.append(quiet(T("report"), (button) => startReport(comment, node, button, tell), { class: "quiet soft" }));
      }
      return [row, said];
    }

    /* -- voting and reporting -- */

    function voteButton(comment, tell) {
      const label = (count) => (count ? `${T("vote")} · ${T.number(count)}` : T("vote"));
      const show = (button, count) => {
        button.setAttribute("aria-pressed", String(Boolean(votes.get()[comment.id])));
        button.textContent = label(count);
      };
      const vote = async (button) => {
        const author_token = me.get().token || null;
        const isGiven = votes.get()[comment.id];
        const answer = await call(`${path}/${comment.id}/vote`, isGiven ? json("DELETE", { author_token }) : json("PUT", { value: 1, author_token }));
        if (!answer.ok) return tell(problem(answer));
        votes.set({ ...votes.get(), [comment.id]: isGiven ? undefined : 1 });
        show(button, answer.data.votes);
      };
      const button = quiet("", vote, { part: "action vote" });
      show(button, comment.votes);
      return button;
    }

    function startReport(comment, node, button, tell) {
      if (node.querySelector(":scope > .report")) return;
      const key = newKey();
      const title = `report-${comment.id}`;
      const reasons = ["spam", "abuse", "off_topic", "illegal", "other"];
      const reason = make("select", { "aria-labelledby": title }, ...reasons.map((value) => make("option", { value }, T(value))));
      const error = make("p", { class: "error", role: "alert" });
      const close = () => {
        box.remove();
        button.focus();
      };
      const send = async () => {
        const answer = await call(`${path}/${comment.id}/reports`, json("POST", { reason: reason.value, detail: "" }, { "Idempotency-Key": key + reason.value }));
        if (!answer.ok) return (error.textContent = problem(answer));
        box.remove();
        button.remove();
        tell(T("reported")).focus();
      };
      const box = make(
        "form",
        { class: "report", "aria-labelledby": title, onsubmit: (event) => event.preventDefault(), onkeydown: (event) => event.key === "Escape" && close() },
        make("p", { class: "note", id: title }, T("reportTitle", { name: comment.author.name })),
        make("div", { class: "acts" }, reason, quiet(T("reportSend"), send), quiet(T("cancel"), close)),
        error,
      );
      node.querySelector("article").after(box);
      reason.focus();
    }

    /* -- the author's own comments -- */

    const keepOwn = (id, changes) => {
      const all = own.get();
      if (changes) all[id] = { ...all[id], ...changes };
      else delete all[id];
      own.set(all);
    };

    const tokenHeader = (mine) => ({ "X-Edit-Token": mine.token });

    function showOwn() {
      const all = own.get();
      ownList.replaceChildren();
      for (const [id, mine] of Object.entries(all)) {
        if (Date.now() - Date.parse(mine.created_at) > KEEP_WAITING_MS && !(Date.parse(mine.until) > Date.now())) delete all[id];
        else if (mine.thread === thread.key && mine.state === "pending") {
          const old = find(`own-${id}`);
          if (old) old.remove();
          if (shown.has(id)) all[id].state = "approved";
          else placeOwn(id, mine);
        }
      }
      own.set(all);
    }

    function placeOwn(id, mine) {
      const node = make("li", { class: "item own", id: `own-${id}` });
      node.append(article({ ...mine, id, author: { name: mine.name } }, node, T("waiting")));
      const parent = mine.parent && find(`comment-${mine.parent}`);
      addTo((parent && parent.querySelector(":scope > .replies")) || ownList, node);
    }

    function startEdit(comment, node, mine) {
      if (node.querySelector(":scope > .edit")) return;
      const before = node.querySelector("article");
      const error = make("p", { class: "error", id: `edit-error-${comment.id}`, role: "alert" });
      const text = make("textarea", { "aria-label": T("editLabel"), "aria-describedby": error.id, part: "field", dir: "auto", required: true });
      text.value = mine.body;
      const close = () => {
        edit.remove();
        before.hidden = false;
        before.focus();
      };
      const save = async () => {
        error.textContent = "";
        const answer = await call(`${path}/${comment.id}`, json("PATCH", { body: text.value }, tokenHeader(mine)));
        if (!answer.ok) {
          const wrong = (answer.data.errors || {}).body;
          error.textContent = wrong ? fieldText("body", wrong.join(" "), text.value.trim()) : problem(answer);
          return text.focus();
        }
        keepOwn(comment.id, { body: text.value, body_html: answer.data.body_html, state: answer.data.state });
        close();
        await load(true);
        say(T(answer.data.state === "approved" ? "published" : "sent"));
        status.focus();
      };
      const edit = make(
        "form",
        { class: "edit", onsubmit: (event) => event.preventDefault(), onkeydown: (event) => event.key === "Escape" && close() },
        text,
        error,
        make("div", { class: "acts" }, quiet(T("save"), save, { class: "main", part: "submit" }), quiet(T("cancel"), close)),
      );
      before.hidden = true;
      before.after(edit);
      text.focus();
    }

    function removeButton(comment, mine, tell) {
      const remove = async () => {
        if (button.classList.toggle("danger")) return (button.textContent = T("removeSure"));
        calm();
        const answer = await call(`${path}/${comment.id}`, { method: "DELETE", headers: tokenHeader(mine) });
        if (!answer.ok) return tell(problem(answer));
        keepOwn(comment.id, null);
        await load(true);
        say(T("removed"));
        status.focus();
      };
      const button = quiet(T("remove"), remove);
      const calm = () => {
        button.classList.remove("danger");
        button.textContent = T("remove");
      };
      button.addEventListener("blur", calm);
      return button;
    }

    /** What is wrong with a field, in the reader's language as far as the server's words are known. */
    function fieldText(name, told, value) {
      const most = /(?:onger|;)\D*(\d+)/.exec(told);
      if (!value && name !== "url") return T("needed");
      if (most) return T("tooLong", { n: Number(most[1]) });
      return name === "email" ? T("badEmail") : name === "url" ? T("badUrl") : told;
    }

    /* -- the form -- */

    function buildForm() {
      const reader = Boolean(set.sso);
      const known = reader ? {} : me.get();
      const started = performance.now();
      let resume = draft.get();
      let parent = null; // {id, name} of the comment that is answered
      let prover = null; // of the work for the next comment
      let attempt = resume.attempt || null; // {print, key, body}: the same bytes and key again, so that a retry never makes a second comment

      const star = () => make("span", { "aria-hidden": "true" }, " *");
      function field(name, label, tag, attributes) {
        const input = make(tag, { id: `field-${name}`, name, part: "field", dir: "auto", "aria-describedby": `error-${name}`, ...attributes });
        const error = make("p", { class: "error", part: "error", id: `error-${name}` });
        const node = make("div", {}, make("label", { for: input.id }, label, attributes.required ? star() : null), input, error);
        return { input, error, node };
      }
      const fields = {
        body: field("body", T("body"), "textarea", { required: true, rows: 6, "aria-describedby": "hint error-body" }),
        name: field("name", T("name"), "input", { required: true, autocomplete: "name", maxlength: 100 }),
        email: field("email", T("email"), "input", { required: "requireEmail" in set, type: "email", autocomplete: "email", dir: "ltr", maxlength: 254 }),
        url: field("url", T("website"), "input", { type: "url", autocomplete: "url", dir: "ltr", placeholder: "https://" }),
      };
      fields.body.input.after(make("p", { class: "hint", id: "hint" }, T("hint")));
      const check = (name) => {
        const input = make("input", { type: "checkbox", id: name });
        return [input, make("div", { class: "check", part: name }, input, make("label", { for: name }, T(name)))];
      };
      const trap = make("input", { name: "website_confirm", id: "website_confirm", tabindex: "-1", autocomplete: "off" });
      const [remember, rememberRow] = check("remember");
      const [notify, notifyRow] = check("notify");
      const shownPreview = make("div", { class: "preview", part: "preview", role: "region", "aria-label": T("preview"), tabindex: "-1", hidden: true });
      const send = make("button", { class: "main", part: "submit", type: "submit" }, T("send"));
      const title = make("h3", { part: "form-heading", id: "form-title" }, T("title"));
      const cancel = quiet(T("cancel"), () => goHome(true), { hidden: true });
      const alertBox = make("p", { class: "status bad", role: "alert", part: "alert" });
      const node = make(
        "form",
        { part: "form", novalidate: true, hidden: true, "aria-labelledby": "form-title", onsubmit: submit, oninput: typed },
        make("div", { class: "top" }, title, cancel),
        make("p", { class: "hint" }, `${T("privacy")} ${T("required")}`, star()),
        fields.body.node,
        shownPreview,
        reader ? make("bdi", { class: "name", part: "reader" }, set.ssoName) : null,
        make("div", { class: "pair", hidden: reader }, fields.name.node, fields.email.node),
        notifyRow,
        reader ? null : fields.url.node,
        make("div", { class: "trap", "aria-hidden": "true" }, make("label", { for: trap.id }, T("website")), trap),
        reader ? null : rememberRow,
        alertBox,
        make("div", { class: "acts" }, send, quiet(T("preview"), preview)),
      );
      node.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) node.requestSubmit();
      });
      for (const name of ["name", "email", "url"]) fields[name].input.value = (!reader && resume[name]) || known[name] || "";
      if (reader) {
        fields.name.input.value = set.ssoName || "…";
        fields.email.input.required = false;
      } else if (set.ssoLogin) node.replaceChildren(make("a", { part: "login", href: new URL(set.ssoLogin, location).href }, T("title")));
      fields.body.input.value = resume.body || "";
      remember.checked = Boolean(known.email);
      notify.checked = Boolean(resume.notify);
      offerNotices();

      const values = () => Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.input.value.trim()]));
      const wantsNotices = () => notify.checked && !notifyRow.hidden;
      const print = (now) => JSON.stringify([now, parent && parent.id, wantsNotices()]);

      function save() {
        draft.set({ ...values(), body: fields.body.input.value, notify: notify.checked, parent, attempt });
      }

      function offerNotices() {
        notifyRow.hidden = !("notify" in set && (reader || fields.email.input.value.trim()));
      }

      function typed(event) {
        if (event.target === fields.body.input) shownPreview.hidden = true;
        if (!isBusy(send)) send.textContent = T("send");
        offerNotices();
        save();
        prove();
      }

      /** Begins a proof of work where the site asks for one; the script for it is loaded then, and null without it. */
      const prove = () =>
        asksProof && (prover ||= import(new URL("embed/proof.js", BASE)).then((work) => work.start(home, T.words.lang)).catch(() => (prover = null)));

      function complain(name, text) {
        const one = fields[name];
        one.error.textContent = text;
        if (text) one.input.setAttribute("aria-invalid", "true");
        else one.input.removeAttribute("aria-invalid");
      }

      function focusFirstBad() {
        const bad = Object.values(fields).find((one) => one.error.textContent);
        if (bad) bad.input.focus();
        return Boolean(bad);
      }

      function payload(now, proof) {
        const token = me.get().token;
        const author = reader ? { sso: set.sso } : { name: now.name, email: now.email, url: now.url || null };
        if (token && !reader) author.token = token;
        const filled = Math.round(performance.now() - started);
        const context = { filled_in_ms: filled, website_confirm: trap.value, proof };
        const consent = wantsNotices() ? { notify: true } : {};
        return JSON.stringify({ thread, parent_id: parent && parent.id, author, body: fields.body.input.value, context, ...consent });
      }

      async function preview() {
        alertBox.textContent = "";
        const body = fields.body.input.value;
        complain("body", body.trim() ? "" : T("needed"));
        if (focusFirstBad()) return;
        const answer = await call(`${home}preview`, json("POST", { body }));
        if (answer.ok) {
          shownPreview.replaceChildren(make("p", { class: "note", "aria-hidden": "true" }, T("preview")), prose(answer.data.body_html));
          shownPreview.hidden = false;
          shownPreview.focus();
        } else refused(answer);
      }

      async function submit(event) {
        event.preventDefault();
        if (isBusy(send)) return;
        alertBox.textContent = "";
        const now = values();
        const body = fields.body.input.value;
        for (const name of Object.keys(fields)) complain(name, fields[name].input.required && !now[name] ? T("needed") : "");
        if (focusFirstBad()) return;
        setBusy(send, true);
        send.textContent = T("sending");
        if (!attempt || attempt.print !== print(now)) attempt = { print: print(now), key: newKey(), body: payload(now, await (await prove())?.done(send)) };
        save();
        const answer = await call(path, json("POST", attempt.body, { "Idempotency-Key": attempt.key }));
        send.textContent = T(answer.status && answer.status < 500 ? "send" : "again");
        setTimeout(() => setBusy(send, false), answer.status === 429 ? Math.min(answer.wait, 60) * 1000 : 0);
        if (answer.ok) return accepted(answer.data, now, body);
        if (answer.status && answer.status < 500) attempt = null; // it was answered: another try is another request
        refused(answer);
      }

      async function accepted(answer, now, body) {
        keepOwn(answer.id, {
          token: answer.edit_token,
          until: answer.editable_until,
          state: answer.state,
          created_at: answer.created_at,
          body_html: answer.body_html,
          body,
          name: now.name,
          thread: thread.key,
          parent: parent && parent.id,
          receipt: answer.receipt_url ? link(new URL(answer.receipt_url, BASE).href) : undefined,
        });
        const token = answer.author_token || me.get().token;
        me.set(remember.checked ? { token, name: now.name, email: now.email, url: now.url } : { token });
        attempt = prover = null;
        const writesOn = fields.body.input.value !== body;
        if (!writesOn) fields.body.input.value = "";
        shownPreview.hidden = true;
        goHome();
        if (!writesOn) draft.set(null);
        if (answer.state === "approved") await load(true);
        else showOwn();
        say(T(answer.state === "approved" ? "published" : "sent"));
        if (!focusOn(find(`own-${answer.id}`) || find(`comment-${answer.id}`))) status.focus();
      }

      /** Shows what is wrong, at the fields and above the button. */
      function refused(answer) {
        const wrong = answer.data.errors || {};
        const rest = [];
        if (wrong["author.token"]) me.set({ ...me.get(), token: undefined });
        for (const [where, messages] of Object.entries(wrong)) {
          const name = where.replace(/^author\./, "");
          if (fields[name]) complain(name, fieldText(name, messages.join(" "), fields[name].input.value.trim()));
          else if (name === "parent_id") rest.push(T("parentGone"));
          else if (name === "thread.key") rest.push(T("closed"));
          else rest.push(T("failed"));
        }
        if (wrong.parent_id) goHome();
        save();
        const told = answer.status === 403 ? T("closed") : problem(answer);
        const isField = answer.status === 422 && Object.keys(wrong).length;
        alertBox.textContent = rest.join(" ") || (isField ? T("fixFields") : `${told} ${T("kept")}`);
        focusFirstBad();
      }

      function answering(place) {
        title.textContent = parent ? T("replyTo", { name: parent.name }) : T("title");
        cancel.hidden = !parent;
        if (place) place.querySelector("article").after(node);
        else ownList.after(node);
      }

      function goHome(focus) {
        const from = parent && find(`comment-${parent.id}`);
        parent = null;
        answering();
        save();
        if (focus && !focusOn(from)) fields.body.input.focus();
      }

      return {
        node,
        moveTo(place, id, name) {
          parent = { id, name };
          answering(place);
          save();
          fields.body.input.focus();
        },
        /** Takes the form out of the list before the list is drawn anew. */
        park() {
          resume = { parent: parent || resume.parent, focused: node.contains(root.activeElement) && root.activeElement };
          ownList.after(node);
        },
        /** Puts it back under the comment that it answers, if that is on the page. */
        restore() {
          node.hidden = !open;
          if (!open && shown.size) say(T("closed"));
          parent = resume.parent || parent;
          answering(parent && find(`comment-${parent.id}`));
          if (resume.focused) resume.focused.focus();
          resume = {};
        },
      };
    }
  }

  /* ---------- counts ---------- */

  /** Fills in the counts of one site, by as few requests as the length of an address allows. */
  async function fillCounts(site, nodes) {
    while (nodes.length) {
      const query = new URLSearchParams();
      const some = [];
      while (nodes.length && some.length < MOST_COUNTS && String(query).length < MOST_QUERY_CHARS) {
        const node = nodes.shift();
        some.push(node);
        query.append("thread", node.dataset.moderationCount);
      }
      const answer = await call(`api/v1/sites/${encodeURIComponent(site)}/comments/counts?${query}`);
      for (const node of answer.ok ? some : []) {
        const T = await speech(node);
        if (T) node.textContent = T("replies", { n: answer.data.counts[node.dataset.moderationCount] || 0 });
      } // else a count is a nicety: leave what the page had
    }
  }

  /* ---------- the page ---------- */

  const seen = new WeakMap();

  /** What a node asks for: where that changes, it is filled anew. */
  const signOf = (node) => {
    const { moderationSite, moderationCount, thread, lang, sso } = node.dataset;
    return JSON.stringify([moderationSite, moderationCount, thread || location.pathname, lang, Boolean(sso)]);
  };

  function start() {
    const counts = {};
    for (const node of document.querySelectorAll("[data-moderation-site]")) {
      if (seen.get(node) === signOf(node)) continue;
      if (node.dataset.moderationCount == null) mount(node);
      else {
        seen.set(node, signOf(node));
        (counts[node.dataset.moderationSite] ||= []).push(node);
      }
    }
    for (const [site, nodes] of Object.entries(counts)) fillCounts(site, nodes);
  }

  let due = false;
  const soon = () => {
    if (!due) setTimeout(() => ((due = false), start()), 50);
    due = true;
  };

  window.moderationEmbed = { mount };
  const names = ["data-moderation-site", "data-moderation-count", "data-thread", "data-lang", "data-sso"];
  new MutationObserver(soon).observe(document, { childList: true, subtree: true, attributeFilter: names });
  start();
})();
