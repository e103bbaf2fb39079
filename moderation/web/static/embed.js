/* The readers' widget: the replies of one thread, and the form to leave another.
 *
 *   <div data-moderation-site="demo" data-thread="KEY" data-thread-url="..." data-thread-title="..."></div>
 *   <script src="https://comments.example/embed.js" defer></script>
 *
 * More attributes: data-sort="newest", data-limit="25", data-votes (the site allows votes), data-reports="off", data-require-email,
 * data-theme="dark" or "auto". Counts: <span data-moderation-site="demo" data-moderation-count="KEY"></span>.
 * Colours and shapes: --moderation-accent, -on-accent, -text, -muted, -border, -surface, -field, -danger, -radius; ::part().
 *
 * Everything lives in a shadow root with a constructed style sheet, so a host page's CSP needs only script-src,
 * connect-src and img-src for the service. No cookies, no third party. Text is set as text; the one thing set as HTML
 * is `body_html`, which the server has sanitised. Kept in this browser: the author and edit tokens (localStorage), the
 * name and address if the reader ticks the box, and the draft of this tab (sessionStorage).
 */
(() => {
  "use strict";

  const source = document.currentScript || document.querySelector('script[src$="/embed.js"]');
  const BASE = new URL(".", source ? source.src : location.href);
  const PAGE_SIZE = 25;
  const TIMEOUT_MS = 20000;
  const KEEP_WAITING_MS = 7 * 86400000;

  const TEXT = {
    replies: (n) => (n === 1 ? "1 reply" : `${n.toLocaleString()} replies`),
    none: "No replies yet. Be the first.",
    closed: "Replies are closed.",
    sort: "Sort",
    oldest: "Oldest first",
    newest: "Newest first",
    top: "Top rated",
    more: "Show more replies",
    loading: "Loading…",
    loadFailed: "The replies could not be loaded.",
    again: "Try again",
    edited: "edited",
    gone: "Deleted by its author.",
    reply: "Reply",
    replyTo: (name) => `Reply to ${name}`,
    cancel: "Cancel",
    edit: "Edit",
    remove: "Delete",
    removeSure: "Delete for good",
    removed: "Your comment was deleted.",
    save: "Save",
    editLabel: "Edit your comment",
    title: "Leave a Reply",
    privacy: "Your email address will not be published.",
    required: "Required fields are marked",
    body: "Comment",
    hint: "You can use *emphasis*, **strong**, `code`, > quotes, lists and links.",
    name: "Name",
    email: "Email",
    website: "Website",
    remember: "Remember my name, email and website in this browser for the next time I reply.",
    send: "Post comment",
    sending: "Sending…",
    needed: "Please fill in this field.",
    fixFields: "Please check the marked fields.",
    waiting: "Waiting for a moderator. Until then, only you can see this.",
    sent: "Thank you. Your comment is waiting for a moderator.",
    published: "Thank you. Your comment is published.",
    unreachable: "The comments service did not answer. Your text is kept here; please try again.",
    wait: (s) => `That was quick. Please wait ${s < 90 ? `${s} seconds` : `${Math.ceil(s / 60)} minutes`}, then try again.`,
    failed: "That did not work. Please try again.",
    vote: (n) => (n ? `Helpful · ${n.toLocaleString()}` : "Helpful"),
    report: "Report",
    reportTitle: (name) => `What is wrong with the comment by ${name}?`,
    reasons: { spam: "Spam", abuse: "Abuse", off_topic: "Off topic", illegal: "Illegal", other: "Something else" },
    reportSend: "Send report",
    reported: "Thank you. A moderator will look at it.",
  };

  // Inherits the host page's font and colours; every measure that a site may want to set is a custom property.
  const CSS = `
:host{display:block;font:inherit;color:var(--moderation-text,inherit);--_line:var(--moderation-border,color-mix(in srgb,currentColor 22%,transparent));
--_soft:var(--moderation-muted,color-mix(in srgb,currentColor 72%,transparent));--_tint:var(--moderation-surface,color-mix(in srgb,currentColor 5%,transparent));
--_key:var(--moderation-accent,#0b57a4);--_on-key:var(--moderation-on-accent,#fff);--_round:var(--moderation-radius,6px);--_bad:var(--moderation-danger,#b3261e)}
@media (prefers-color-scheme:dark){:host([data-theme=auto]){--_key:var(--moderation-accent,#8ab8ff);--_on-key:var(--moderation-on-accent,#0b1726);--_bad:var(--moderation-danger,#ff9d94)}}
:host([data-theme=dark]){--_key:var(--moderation-accent,#8ab8ff);--_on-key:var(--moderation-on-accent,#0b1726);--_bad:var(--moderation-danger,#ff9d94)}
:host(:not([data-ready])){min-block-size:24em}
time{display:inline-block}
*,*::before{box-sizing:border-box}
[hidden]{display:none!important}
h2,h3,p{margin:0}.body p,.body ul,.body ol,.body pre,.body blockquote{margin-block:.6em}.body ul,.body ol{padding-inline-start:1.4em}.body ul{list-style:disc}.body ol{list-style:decimal}.body li{margin:0}h2{font-size:1.4em;line-height:1.25}h3{font-size:1.2em;line-height:1.3}
.top{display:flex;flex-wrap:wrap;gap:.5em 1em;align-items:baseline;justify-content:space-between;margin-block-end:.5em}
ol{list-style:none;margin:0;padding:0}
li{margin-block-start:1.25em}
.replies{padding-inline-start:clamp(.75em,4vw,2.5em);border-inline-start:2px solid var(--_line);margin-inline-start:clamp(0px,2vw,1.2em)}
.item{scroll-margin-top:1em}
.head{display:flex;gap:.6em;align-items:center}.head>div{display:flex;flex-wrap:wrap;gap:0 .6em;align-items:baseline;min-inline-size:0}
.avatar{inline-size:2.25em;block-size:2.25em;border-radius:50%;background:var(--_tint);flex:none}
.name{font-weight:600;overflow-wrap:anywhere}
.meta,.hint,.acts button,.acts select{font-size:.875em}
.meta,.hint,.meta a{color:var(--_soft)}
.meta a{text-decoration:none}.meta a:hover{text-decoration:underline}
.body{margin-block:.4em;line-height:1.55;overflow-wrap:anywhere}
.body :is(p,li){unicode-bidi:plaintext;text-align:start}.body>:first-child{margin-block-start:0}.body>:last-child{margin-block-end:0}
.body pre{overflow-x:auto;padding:.6em;background:var(--_tint)}
.body blockquote{margin-inline:0;padding-inline-start:.8em;border-inline-start:3px solid var(--_line);color:var(--_soft)}
.body a{color:var(--_key)}
.acts{display:flex;flex-wrap:wrap;gap:.25em 1em;align-items:center}
button{font:inherit;cursor:pointer;border-radius:var(--_round)}
.quiet{border:0;background:none;padding:.3em .1em;min-block-size:1.75em;color:var(--_key);text-underline-offset:.2em}
.quiet:hover{text-decoration:underline}.quiet.soft{color:var(--_soft)}[aria-pressed=true]{font-weight:700}[aria-pressed]::before{content:"\\25B3\\20"/""}[aria-pressed=true]::before{content:"\\25B2\\20"/""}.danger{color:var(--_bad)}
.main,.more{padding:.6em 1.2em;border:1px solid var(--_key);font-weight:600}
.main{background:var(--_key);color:var(--_on-key)}
.more{background:none;color:var(--_key);margin-block-start:1.25em}
button[aria-disabled=true]{opacity:.6;cursor:default}
:focus-visible{outline:3px solid var(--_key);outline-offset:2px}
.own>article{padding:.75em;border:1px dashed var(--_line);border-radius:var(--_round);background:var(--_tint)}
.note{font-size:.875em;font-weight:600}
form{display:grid;gap:.9em;margin-block-start:2em;max-inline-size:44em}
li form{margin-block-start:1em}
label{display:block;font-weight:600;margin-block-end:.25em}
.check{display:flex;gap:.6em;align-items:start}.check label{font-weight:400;margin:0}.check input{margin-block-start:.3em;flex:none}
input:not([type=checkbox]),textarea,select{font:inherit;color:inherit;inline-size:100%;padding:.55em .7em;border:1px solid color-mix(in srgb,currentColor 55%,transparent);border-radius:var(--_round);background:var(--moderation-field,transparent)}
select{inline-size:auto;padding:.25em .5em}select option{color:#111;background:#fff}
textarea{min-block-size:8em;resize:vertical}
.pair{display:grid;gap:.9em;grid-template-columns:repeat(auto-fit,minmax(min(100%,16em),1fr))}
[aria-invalid=true]{border-color:var(--_bad)!important;border-width:2px!important}
.error{color:var(--_bad);font-size:.875em;margin-block-start:.25em}
.error:empty,.status:empty{display:none}
.status{padding:.6em .8em;border-inline-start:4px solid var(--_key);background:var(--_tint);margin-block:.75em}
.status.bad{border-color:var(--_bad)}
.trap{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
`;

  const sheet = (() => {
    try {
      const made = new CSSStyleSheet();
      made.replaceSync(CSS);
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

  const newKey = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  const link = (url) => (/^https?:\/\//i.test(url || "") ? url : null);

  const languageOf = (host) => (host.closest("[lang]") || document.documentElement).lang || undefined;

  const when = (iso, language) => {
    const date = new Date(iso);
    try {
      return date.toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
    } catch {
      return date.toLocaleString();
    }
  };

  /** One request. Resolves to {status, data, retryAfter}; rejects only where no answer came. */
  async function call(path, options = {}) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
    try {
      const answer = await fetch(new URL(path, BASE), { credentials: "omit", signal: abort.signal, ...options });
      const text = await answer.text();
      let data = {};
      try {
        data = text ? JSON.parse(text) : {};
      } catch {
        // A proxy's own error page: the status says enough.
      }
      return { ok: answer.ok, status: answer.status, data, retryAfter: Number(answer.headers.get("Retry-After")) || 0 };
    } finally {
      clearTimeout(timer);
    }
  }

  const json = (method, body, headers) => ({
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

  const waitOf = (answer) => {
    const told = /(\d+) s\b/.exec(answer.data.detail || ""); // where CORS hides the header
    return Math.max(1, answer.retryAfter || Number(told && told[1]) || 30);
  };

  const problemText = (answer) =>
    answer.status === 429 ? TEXT.wait(waitOf(answer)) : answer.status < 500 ? answer.data.detail || TEXT.failed : TEXT.unreachable;

  /* ---------- one widget ---------- */

  function mount(host) {
    if (host.shadowRoot) return;
    const canonical = document.querySelector("link[rel=canonical]");
    const set = host.dataset;
    const thread = {
      key: set.thread || location.pathname,
      url: set.threadUrl || (canonical && canonical.href) || location.origin + location.pathname,
      title: set.threadTitle || document.title,
    };
    const site = set.moderationSite;
    const path = `api/v1/sites/${encodeURIComponent(site)}/comments`;
    const language = languageOf(host);
    const draft = store("sessionStorage", `moderation:draft:${site}:${thread.key}`);
    const me = store("localStorage", `moderation:me:${site}`);
    const own = store("localStorage", `moderation:own:${site}`);
    const votes = store("localStorage", `moderation:votes:${site}`);
    const root = host.attachShadow({ mode: "open", delegatesFocus: false });
    if (sheet) root.adoptedStyleSheets = [sheet];

    const state = { sort: set.sort || "oldest", open: true, total: 0, next: null, shown: new Set(), busy: false };
    const heading = make("h2", { part: "heading", id: "heading", dir: "auto" }, "\u00a0");
    const sorting = make(
      "select",
      { "aria-label": TEXT.sort, part: "sort", onchange: () => ((state.sort = sorting.value), load(true)) },
      ...["oldest", "newest", ..."votes" in set ? ["top"] : []].map((name) => make("option", { value: name }, TEXT[name])),
    );
    sorting.value = state.sort;
    const status = make("p", { class: "status", role: "status", part: "status", tabindex: "-1" });
    const list = make("ol", { part: "list" });
    const more = make("button", { class: "more", part: "more", type: "button", hidden: true, onclick: () => load(false) }, TEXT.more);
    const ownList = make("ol", { part: "own" });
    const form = buildForm();
    root.append(
      make(
        "section",
        { "aria-labelledby": "heading", part: "section", lang: "en" },
        make("div", { class: "top" }, heading, sorting),
        status,
        list,
        more,
        ownList,
        form.node,
      ),
    );

    function say(text, bad = false) {
      status.classList.toggle("bad", bad);
      status.replaceChildren(text);
    }

    function showHeading() {
      heading.textContent = state.total ? TEXT.replies(state.total) : TEXT.none;
      sorting.hidden = state.total < 2;
    }

    /* -- the list -- */

    async function load(fresh) {
      if (state.busy) return;
      state.busy = true;
      more.setAttribute("aria-disabled", "true");
      more.textContent = TEXT.loading;
      const query = new URLSearchParams({ thread: thread.key, sort: state.sort, limit: set.limit || PAGE_SIZE });
      if (!fresh && state.next) query.set("cursor", state.next);
      try {
        const answer = await call(`${path}?${query}`);
        if (!answer.ok) throw answer;
        show(answer.data, fresh);
      } catch (problem) {
        say(problem.status < 500 ? problemText(problem) : TEXT.loadFailed, true);
        status.append(" ", make("button", { class: "quiet", type: "button", onclick: () => load(fresh) }, TEXT.again));
      } finally {
        state.busy = false;
        more.removeAttribute("aria-disabled");
        more.textContent = TEXT.more;
        host.setAttribute("data-ready", "");
      }
    }

    function show(page, fresh) {
      if (status.classList.contains("bad")) say("");
      form.park();
      if (fresh) {
        list.replaceChildren();
        state.shown.clear();
      }
      state.total = page.total;
      state.next = page.next;
      state.open = !page.thread || page.thread.open !== false;
      const before = list.lastElementChild;
      list.append(...page.comments.map(item));
      more.hidden = !page.next;
      showHeading();
      showOwn();
      form.restore();
      if (!fresh) focusOn(before && before.nextElementSibling);
      else goToHash();
    }

    const focusOn = (node) => {
      const target = node && node.querySelector("article");
      if (target) target.focus();
    };

    function goToHash() {
      const id = location.hash.startsWith("#comment-") && location.hash.slice(1);
      const node = id && root.getElementById(id);
      if (node) {
        node.scrollIntoView();
        focusOn(node);
      }
    }

    function item(comment) {
      state.shown.add(comment.id);
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
      const button = make("button", { class: "quiet", type: "button" }, TEXT.more);
      const row = make("li", {}, button);
      button.addEventListener("click", async () => {
        if (button.getAttribute("aria-disabled")) return;
        button.setAttribute("aria-disabled", "true");
        try {
          const answer = await call(`${path}?${new URLSearchParams({ thread: thread.key, sort: state.sort, cursor })}`);
          if (!answer.ok) throw answer;
          row.remove();
          const added = answer.data.comments.map((comment) => {
            const parent = root.getElementById(`comment-${comment.parent_id}`);
            const node = item(comment);
            addTo((parent && parent.querySelector(":scope > .replies")) || place, node);
            return node;
          });
          addReplies(place, [], answer.data.next);
          focusOn(added[0]);
          showOwn();
        } catch (problem) {
          button.removeAttribute("aria-disabled");
          say(problem.status ? problemText(problem) : TEXT.loadFailed, true);
        }
      });
      return row;
    }

    function article(comment, node, note) {
      if (comment.deleted) return make("article", { tabindex: "-1", class: "meta" }, TEXT.gone);
      const author = comment.author;
      const mark = `name-${comment.id}`;
      const url = link(author.url);
      const name = make("bdi", { dir: "auto" }, author.name);
      const time = make("time", { datetime: comment.created_at, dir: "auto" }, when(comment.created_at, language));
      const body = make("div", { class: "body", part: "body", dir: "auto", lang: "" });
      body.innerHTML = trusted.createHTML(comment.body_html);
      return make(
        "article",
        { "aria-labelledby": mark, tabindex: "-1" },
        note ? make("p", { class: "note", part: "waiting" }, note) : null,
        make(
          "div",
          { class: "head" },
          author.avatar
            ? make("img", { class: "avatar", part: "avatar", src: new URL(author.avatar.replace(/^\//, ""), BASE), alt: "", width: 36, height: 36, loading: "lazy" })
            : null,
          make(
            "div",
            {},
            make("span", { class: "name", part: "name", id: mark }, url ? make("a", { href: url, rel: "nofollow ugc noopener noreferrer" }, name) : name),
            make("span", { class: "meta", part: "meta" }, note ? time : make("a", { href: `#comment-${comment.id}` }, time), comment.edited_at ? ` · ${TEXT.edited}` : ""),
          ),
        ),
        body,
        actions(comment, node, !note),
      );
    }

    function actions(comment, node, canReply) {
      const row = make("div", { class: "acts", part: "actions" });
      if (canReply && state.open) {
        const label = TEXT.replyTo(comment.author.name);
        row.append(make("button", { class: "quiet", type: "button", "aria-label": label, onclick: () => form.moveTo(node, comment) }, TEXT.reply));
      }
      const mine = own.get()[comment.id];
      const left = mine ? Date.parse(mine.until) - Date.now() : 0;
      if (left > 0) {
        const mineOnly = [editButton(comment, node, mine), removeButton(comment, mine)];
        row.append(...mineOnly);
        setTimeout(() => mineOnly.forEach((button) => button.remove()), Math.min(left, 2 ** 31 - 1));
      }
      if (canReply && !mine) {
        if ("votes" in set) row.prepend(voteButton(comment));
        if (set.reports !== "off") row.append(make("button", { class: "quiet soft", type: "button", onclick: () => startReport(comment, node, row) }, TEXT.report));
      }
      return row;
    }

    /* -- voting and reporting -- */

    function voteButton(comment) {
      const button = make("button", { class: "quiet", type: "button", part: "vote", "aria-pressed": String(Boolean(votes.get()[comment.id])) }, TEXT.vote(comment.votes));
      button.addEventListener("click", async () => {
        const given = votes.get();
        const author_token = me.get().token || null;
        const options = given[comment.id] ? json("DELETE", { author_token }) : json("PUT", { value: 1, author_token });
        try {
          const answer = await call(`${path}/${comment.id}/vote`, options);
          if (!answer.ok) return say(problemText(answer), true);
          if (given[comment.id]) delete given[comment.id];
          else given[comment.id] = 1;
          votes.set(given);
          button.setAttribute("aria-pressed", String(Boolean(given[comment.id])));
          button.textContent = TEXT.vote(answer.data.votes);
        } catch {
          say(TEXT.unreachable, true);
        }
      });
      return button;
    }

    function startReport(comment, node, row) {
      if (node.querySelector(":scope > .report")) return;
      const key = newKey();
      const title = `report-${comment.id}`;
      const reason = make("select", { "aria-labelledby": title }, ...Object.entries(TEXT.reasons).map(([value, label]) => make("option", { value }, label)));
      const error = make("p", { class: "error", role: "alert" });
      const close = () => {
        form.remove();
        row.lastElementChild.focus();
      };
      const form = make(
        "form",
        { class: "report", "aria-labelledby": title, onsubmit: sendReport, onkeydown: (event) => event.key === "Escape" && close() },
        make("p", { class: "note", id: title }, TEXT.reportTitle(comment.author.name)),
        make(
          "div",
          { class: "acts" },
          reason,
          make("button", { class: "quiet", type: "submit" }, TEXT.reportSend),
          make("button", { class: "quiet", type: "button", onclick: close }, TEXT.cancel),
        ),
        error,
      );
      node.querySelector("article").after(form);
      reason.focus();

      async function sendReport(event) {
        event.preventDefault();
        try {
          const answer = await call(`${path}/${comment.id}/reports`, json("POST", { reason: reason.value, detail: "" }, { "Idempotency-Key": key + reason.value }));
          if (!answer.ok) return (error.textContent = problemText(answer));
          form.remove();
          row.lastElementChild.replaceWith(make("span", { class: "meta", role: "status" }, TEXT.reported));
        } catch {
          error.textContent = TEXT.unreachable;
        }
      }
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
          const old = root.getElementById(`own-${id}`);
          if (old) old.remove();
          if (state.shown.has(id)) all[id].state = "approved";
          else placeOwn(id, mine);
        }
      }
      own.set(all);
    }

    function placeOwn(id, mine) {
      const node = make("li", { class: "item own", id: `own-${id}` });
      node.append(article({ ...mine, id, author: { name: mine.name } }, node, TEXT.waiting));
      const parent = mine.parent && root.getElementById(`comment-${mine.parent}`);
      const place = parent ? parent.querySelector(":scope > .replies") : ownList;
      addTo(place, node);
    }

    function editButton(comment, node, mine) {
      return make("button", { class: "quiet", type: "button", onclick: () => startEdit(comment, node, mine) }, TEXT.edit);
    }

    function startEdit(comment, node, mine) {
      if (node.querySelector(":scope > .edit")) return;
      const shown = node.querySelector("article");
      const error = make("p", { class: "error", id: `edit-error-${comment.id}`, role: "alert" });
      const text = make("textarea", { "aria-label": TEXT.editLabel, "aria-describedby": error.id, dir: "auto", required: true });
      text.value = mine.body;
      const close = (focus) => {
        edit.remove();
        shown.hidden = false;
        if (focus) shown.focus();
      };
      const edit = make(
        "form",
        { class: "edit", novalidate: true, onsubmit: save, onkeydown: (event) => event.key === "Escape" && close(true) },
        text,
        error,
        make(
          "div",
          { class: "acts" },
          make("button", { class: "main", type: "submit" }, TEXT.save),
          make("button", { class: "quiet", type: "button", onclick: () => close(true) }, TEXT.cancel),
        ),
      );
      shown.hidden = true;
      shown.after(edit);
      text.focus();

      async function save(event) {
        event.preventDefault();
        error.textContent = "";
        try {
          const answer = await call(`${path}/${comment.id}`, json("PATCH", { body: text.value }, tokenHeader(mine)));
          if (!answer.ok) {
            error.textContent = ((answer.data.errors || {}).body || [problemText(answer)])[0];
            return;
          }
          keepOwn(comment.id, { body: text.value, body_html: answer.data.body_html, state: answer.data.state });
          close(false);
          say(answer.data.state === "approved" ? TEXT.published : TEXT.sent);
          await load(true);
          status.focus();
        } catch {
          error.textContent = TEXT.unreachable;
        }
      }
    }

    function removeButton(comment, mine) {
      const button = make("button", { class: "quiet", type: "button" }, TEXT.remove);
      const calm = () => ((button.textContent = TEXT.remove), button.classList.remove("danger"));
      button.addEventListener("blur", calm);
      button.addEventListener("click", async () => {
        if (!button.classList.contains("danger")) {
          button.classList.add("danger");
          button.textContent = TEXT.removeSure;
          return;
        }
        try {
          const answer = await call(`${path}/${comment.id}`, { method: "DELETE", headers: tokenHeader(mine) });
          if (!answer.ok) return say(problemText(answer), true);
          keepOwn(comment.id, null);
          await load(true);
          say(TEXT.removed);
          status.focus();
        } catch {
          say(TEXT.unreachable, true);
        }
      });
      return button;
    }

    /* -- the form -- */

    function buildForm() {
      const known = me.get();
      const started = performance.now();
      let parent = null;
      let attempt = null; // {fields, key, body}: the same bytes and key again, so that a retry never makes a second comment
      let resume = draft.get();

      const star = () => make("span", { "aria-hidden": "true" }, " *");
      function field(name, label, tag, attributes) {
        const input = make(tag, { id: `field-${name}`, name, part: "field", dir: "auto", "aria-describedby": `error-${name}`, ...attributes });
        const error = make("p", { class: "error", part: "error", id: `error-${name}` });
        const node = make("div", {}, make("label", { for: input.id }, label, attributes.required ? star() : null), input, error);
        return { input, error, node };
      }
      const fields = {
        body: field("body", TEXT.body, "textarea", { required: true, rows: 6, "aria-describedby": "hint error-body" }),
        name: field("name", TEXT.name, "input", { required: true, autocomplete: "name", maxlength: 100 }),
        email: field("email", TEXT.email, "input", { required: "requireEmail" in set, type: "email", autocomplete: "email", dir: "ltr", maxlength: 254 }),
        url: field("url", TEXT.website, "input", { type: "url", autocomplete: "url", dir: "ltr", placeholder: "https://" }),
      };
      fields.body.input.after(make("p", { class: "hint", id: "hint" }, TEXT.hint));
      const trap = make("input", { name: "website_confirm", id: "website_confirm", tabindex: "-1", autocomplete: "off" });
      const remember = make("input", { type: "checkbox", id: "remember" });
      const send = make("button", { class: "main", part: "submit", type: "submit" }, TEXT.send);
      const title = make("h3", { part: "form-heading", id: "form-title" }, TEXT.title);
      const cancel = make("button", { class: "quiet", type: "button", hidden: true, onclick: () => goHome(true) }, TEXT.cancel);
      const alertBox = make("p", { class: "status bad", role: "alert", part: "alert" });
      const node = make(
        "form",
        { part: "form", novalidate: true, "aria-labelledby": "form-title", onsubmit: submit, oninput: save },
        make("div", { class: "top" }, title, cancel),
        make("p", { class: "hint" }, `${TEXT.privacy} ${TEXT.required} `, make("span", { "aria-hidden": "true" }, "*")),
        fields.body.node,
        make("div", { class: "pair" }, fields.name.node, fields.email.node),
        fields.url.node,
        make("div", { class: "trap", "aria-hidden": "true" }, make("label", { for: trap.id }, TEXT.website), trap),
        make("div", { class: "check" }, remember, make("label", { for: remember.id }, TEXT.remember)),
        alertBox,
        make("div", {}, send),
      );
      node.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) node.requestSubmit();
      });
      for (const name of ["name", "email", "url"]) fields[name].input.value = resume[name] || known[name] || "";
      fields.body.input.value = resume.body || "";
      remember.checked = Boolean(known.email);
      attempt = resume.attempt || null;

      const values = () => Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.input.value.trim()]));
      const print = (now) => JSON.stringify([now, parent]);

      function save() {
        draft.set({ ...values(), body: fields.body.input.value, parent, attempt });
      }

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

      function payload(now) {
        const token = me.get().token;
        const author = { name: now.name, email: now.email, url: now.url || null };
        if (token) author.token = token;
        const filled = Math.round(performance.now() - started);
        const context = { filled_in_ms: filled, website_confirm: trap.value };
        return JSON.stringify({ thread, parent_id: parent, author, body: fields.body.input.value, context });
      }

      async function submit(event) {
        event.preventDefault();
        if (send.getAttribute("aria-disabled")) return;
        alertBox.textContent = "";
        const now = values();
        for (const name of Object.keys(fields)) complain(name, fields[name].input.required && !now[name] ? TEXT.needed : "");
        if (focusFirstBad()) return;
        if (!attempt || attempt.print !== print(now)) attempt = { print: print(now), key: newKey(), body: payload(now) };
        save();
        send.setAttribute("aria-disabled", "true");
        send.textContent = TEXT.sending;
        let wait = 0;
        try {
          const answer = await call(path, json("POST", attempt.body, { "Idempotency-Key": attempt.key }));
          if (answer.ok) accepted(answer.data, now);
          else wait = refused(answer);
        } catch {
          alertBox.textContent = TEXT.unreachable;
        } finally {
          send.textContent = TEXT.send;
          setTimeout(() => send.removeAttribute("aria-disabled"), Math.min(wait, 60) * 1000);
        }
      }

      function accepted(answer, now) {
        keepOwn(answer.id, {
          token: answer.edit_token,
          until: answer.editable_until,
          state: answer.state,
          created_at: answer.created_at,
          body_html: answer.body_html,
          body: fields.body.input.value,
          name: now.name,
          thread: thread.key,
          parent,
        });
        const token = answer.author_token || me.get().token;
        me.set(remember.checked ? { token, name: now.name, email: now.email, url: now.url } : { token });
        fields.body.input.value = "";
        attempt = null;
        goHome(false);
        draft.set(null);
        if (answer.state === "approved") {
          say(TEXT.published);
          load(true);
        } else {
          say(TEXT.sent);
          showOwn();
          const waiting = root.getElementById(`own-${answer.id}`);
          if (waiting) waiting.scrollIntoView({ block: "nearest" });
          focusOn(waiting);
        }
      }

      /** Shows what is wrong; returns the seconds to wait before another try. */
      function refused(answer) {
        const wrong = answer.data.errors || {};
        const rest = [];
        if (wrong["author.token"]) me.set({ ...me.get(), token: undefined });
        for (const [where, messages] of Object.entries(wrong)) {
          const name = where.replace(/^author\./, "");
          if (fields[name]) complain(name, messages.join(" "));
          else rest.push(...messages);
        }
        if (answer.status < 500) attempt = null; // it was answered: another try is another request
        save();
        alertBox.textContent = rest.join(" ") || (answer.status === 422 && Object.keys(wrong).length ? TEXT.fixFields : problemText(answer));
        focusFirstBad();
        return answer.status === 429 ? waitOf(answer) : 0;
      }

      function goHome(focus) {
        const from = parent && root.getElementById(`comment-${parent}`);
        parent = null;
        resume = {};
        title.textContent = TEXT.title;
        cancel.hidden = true;
        ownList.after(node);
        save();
        if (focus) focusOn(from);
      }

      function moveTo(place, comment) {
        parent = comment.id;
        title.textContent = TEXT.replyTo(comment.author.name);
        cancel.hidden = false;
        place.querySelector("article").after(node);
        save();
        fields.body.input.focus();
      }

      return {
        node,
        moveTo,
        /** Takes the form out of the list before the list is drawn anew. */
        park() {
          if (parent) resume = { parent };
          ownList.after(node);
        },
        /** Puts it back under the comment that it answers. */
        restore() {
          node.hidden = !state.open;
          if (!state.open) say(TEXT.closed);
          const wanted = resume.parent && root.getElementById(`comment-${resume.parent}`);
          if (wanted) {
            parent = resume.parent;
            title.textContent = TEXT.replyTo(wanted.querySelector(".name").textContent);
            cancel.hidden = false;
            wanted.querySelector("article").after(node);
          } else if (parent && !wanted) goHome(false);
        },
      };
    }

    load(true);
  }

  /* ---------- counts ---------- */

  function fillCounts() {
    const bySite = new Map();
    for (const node of document.querySelectorAll("[data-moderation-count]")) {
      const site = node.dataset.moderationSite;
      bySite.set(site, [...(bySite.get(site) || []), node]);
    }
    for (const [site, nodes] of bySite) {
      for (let at = 0; at < nodes.length; at += 100) fillSome(site, nodes.slice(at, at + 100));
    }
  }

  async function fillSome(site, nodes) {
    const query = new URLSearchParams(nodes.map((node) => ["thread", node.dataset.moderationCount]));
    try {
      const answer = await call(`api/v1/sites/${encodeURIComponent(site)}/comments/counts?${query}`);
      if (answer.ok) for (const node of nodes) node.textContent = TEXT.replies(answer.data.counts[node.dataset.moderationCount] || 0);
    } catch {
      // A count is a nicety: leave what the page had.
    }
  }

  function start() {
    document.querySelectorAll("[data-moderation-site]:not([data-moderation-count])").forEach(mount);
    fillCounts();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
