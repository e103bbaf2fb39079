/* The widget's proof of work: loaded by embed.js only where a site asks for one. See docs/integrate.md.
 *
 * A number is sought with which SHA-256 of `challenge.number` begins with so many zero bits. The browser's own digest()
 * answers by a promise, which takes longer than the hash itself; and a worker from another origin is not allowed. So it
 * is computed here, in slices that leave the page alive: short ones while the reader writes, longer ones once they wait.
 */
const LASTS_MS = 25 * 60000; // the service takes it for thirty minutes
const GIVES_UP_MS = 60000; // then the comment goes without, and waits for a moderator
const PATIENT_MS = 1000; // what takes longer is said in words
const SLICES = { writing: [6, 30], waiting: [40, 0] }; // milliseconds of work, and of rest

const SAID = {
  ar: "يجري متصفحك عملية حسابية قصيرة للحماية من الرسائل المزعجة. سيُرسل تعليقك بعدها مباشرة.",
  de: "Ihr Browser rechnet kurz etwas aus, zum Schutz vor Spam. Danach wird der Kommentar gesendet.",
  en: "Your browser is doing a short sum that keeps spam away. Your comment is sent right after it.",
  es: "Tu navegador hace un breve cálculo que frena el spam. Después se enviará tu comentario.",
  fr: "Votre navigateur fait un court calcul qui freine le spam. Votre commentaire part juste après.",
  pl: "Przeglądarka wykonuje krótkie obliczenie, które chroni przed spamem. Zaraz potem wyśle komentarz.",
  pt: "O seu navegador faz um breve cálculo que trava o spam. Depois o comentário é enviado.",
  uk: "Ваш браузер виконує коротке обчислення для захисту від спаму. Одразу після цього коментар буде надіслано.",
};

/* ---------- SHA-256 (FIPS 180-4), as far as the first word of the result ---------- */

// The first 32 bits of the fractional parts of the roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3).
const primes = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
const fraction = (root) => ((root - Math.floor(root)) * 2 ** 32) | 0;
const START = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const ROUNDS = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const W = new Int32Array(64);

/** Mixes the 64 bytes at `at` into a state of eight words, and puts the new state into `out`. */
function mix(state, bytes, at, out) {
  for (let i = 0; i < 16; i++, at += 4) W[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15];
    const y = W[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    W[i] = W[i - 16] + s0 + W[i - 7] + s1;
  }
  let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + (g ^ (e & (f ^ g))) + ROUNDS[i] + W[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  out[0] = state[0] + a;
  out[1] = state[1] + b;
  out[2] = state[2] + c;
  out[3] = state[3] + d;
  out[4] = state[4] + e;
  out[5] = state[5] + f;
  out[6] = state[6] + g;
  out[7] = state[7] + h;
}

/** For a text, a function of a number: the first 32 bits of SHA-256 of the text and the number in digits. */
export function hasher(text) {
  const bytes = new TextEncoder().encode(text);
  const whole = bytes.length - (bytes.length % 64);
  const middle = START.slice(); // after the blocks that are the same for every number
  for (let at = 0; at < whole; at += 64) mix(middle, bytes, at, middle);
  const rest = bytes.length - whole;
  const tail = new Uint8Array(128);
  tail.set(bytes.subarray(whole));
  const state = new Int32Array(8);
  return (number) => {
    const digits = String(number);
    let end = rest;
    for (let i = 0; i < digits.length; i++) tail[end++] = digits.charCodeAt(i);
    const bits = (whole + end) * 8;
    tail[end++] = 128;
    const size = end <= 56 ? 64 : 128;
    tail.fill(0, end, size);
    tail[size - 2] = bits >> 8;
    tail[size - 1] = bits;
    mix(middle, tail, 0, state);
    if (size > 64) mix(state, tail, 64, state);
    return state[0];
  };
}

/* ---------- one comment's proof ---------- */

const rest = (ms) => new Promise((go) => setTimeout(go, ms));

/** Begins a proof for one comment: `home` is the site's path in the API, `language` one of the widget's. */
export function start(home, language) {
  const address = new URL(`../${home}challenge`, import.meta.url);
  let hurry = false;
  let tries = 0;
  let bits = 0;
  let begun = 0;
  let found = null;

  async function search() {
    begun = Date.now();
    tries = 0;
    const answer = await fetch(address, { credentials: "omit", cache: "no-store" });
    const asked = answer.ok ? await answer.json() : {};
    if (!asked.challenge) return null;
    ({ bits } = asked);
    const first = hasher(`${asked.challenge}.`);
    for (;;) {
      const [work, pause] = SLICES[hurry ? "waiting" : "writing"];
      const end = performance.now() + work;
      while (performance.now() < end) {
        for (let i = 0; i < 500; i++, tries++) if (Math.clz32(first(tries)) >= bits) return `${asked.challenge}.${tries}`;
      }
      await rest(pause);
    }
  }

  const begin = () => {
    if (!found || Date.now() - begun > LASTS_MS) found = search().catch(() => null);
  };
  begin();

  return {
    /** The proof, or null where none is asked for or can be had. Says below the button what takes longer, and on it how far it is. */
    async done(button) {
      begin();
      hurry = true;
      const label = button.textContent;
      const percent = new Intl.NumberFormat(language, { style: "percent" });
      const said = document.createElement("p");
      said.className = "hint said";
      said.setAttribute("role", "status");
      button.parentNode.after(said);
      const show = () => (button.textContent = `${label} ${percent.format(1 - Math.exp(-tries / 2 ** bits))}`);
      const timer = setInterval(() => bits && show(), 200);
      const patience = setTimeout(() => (said.textContent = SAID[language] || SAID.en), PATIENT_MS);
      const proof = await Promise.race([found, rest(GIVES_UP_MS)]);
      clearInterval(timer);
      clearTimeout(patience);
      said.remove();
      hurry = false;
      return proof || null;
    },
  };
}
