// The console asks the same addresses that any client uses; nothing here knows more than the API says.

const KEY = "api-key"; // in sessionStorage: this tab only, gone when it is closed
const PATIENCE_MS = 10_000;

export class Problem extends Error {
  constructor(body, status) {
    super(body.detail || `The server answered ${status}.`);
    this.body = body;
    this.errors = body.errors || [];
  }
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;

export function keepKey(key) {
  sessionStorage.setItem(KEY, key);
  document.dispatchEvent(new Event("key-given"));
}

export function authorization() {
  return hasKey() ? { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` } : {};
}

// A session of the admin is no key: browsers send cookies with what pages of other sites ask, too.
export function askForKey() {
  document.dispatchEvent(new Event("key-wanted"));
}

async function reached(asking) {
  try {
    return await asking;
  } catch {
    throw new Problem({ detail: "The server cannot be reached." });
  }
}

export async function get(url, { headers, ...options } = {}, patience = PATIENCE_MS) {
  const signal = AbortSignal.timeout(patience);
  const response = await reached(fetch(url, { ...options, headers: { ...headers, ...authorization() }, signal }));
  if (response.status === 401) askForKey();
  return response;
}

// Numbers as the server wrote them: one may be larger than JavaScript's numbers, and money keeps its two places.
const asWritten = (name, value, context) => (typeof value === "number" ? context?.source ?? value : value);

// Some answers are empty, and an error of a proxy in between is no JSON.
function parsed(text, revive) {
  try {
    return JSON.parse(text, revive);
  } catch {
    return {};
  }
}

async function answer(url, options, revive) {
  const response = await get(url, options);
  const body = parsed(await reached(response.text()), revive);
  if (!response.ok && !url.startsWith("/health")) throw new Problem(body, response.status);
  return { body, headers: response.headers };
}

export const ask = (url, options) => answer(url, options);
export const askAsWritten = (url, options) => answer(url, options, asWritten);

// Numbers go as they were typed; the pattern of a form's field says that they are numbers.
function json(texts, numbers) {
  const members = Object.entries(texts).map(([name, text]) => [name, JSON.stringify(text)]);
  return `{${[...members, ...Object.entries(numbers)].map(([name, value]) => `"${name}": ${value}`).join(", ")}}`;
}

export function post(url, texts, numbers = {}) {
  const headers = { "Content-Type": "application/json" };
  return askAsWritten(url, { method: "POST", headers, body: json(texts, numbers) });
}
