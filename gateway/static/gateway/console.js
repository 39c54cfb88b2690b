// The console asks the same addresses that any client uses; nothing here knows more than the API says.

const ENDED = new Set(["published", "superseded", "quarantined", "failed", "cancelled"]);
const TONES = { published: "good", pass: "good", warn: "warn", quarantined: "bad", failed: "bad", fail: "bad" };
const SHOWN_IMPORTS = 10;
const BUSY_MS = 1000;
const IDLE_MS = 5000;
const KEY = "api-key"; // in sessionStorage: this tab only, gone when it is closed
const number = new Intl.NumberFormat("en");
const byId = (id) => document.getElementById(id);

class Problem extends Error {
  constructor(body, status) {
    super(body.detail || `The server answered ${status}.`);
    this.errors = body.errors || [];
  }
}

function authorization() {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

// A session of the admin is no key: browsers send cookies with what pages of other sites ask, too.
function askForKey() {
  byId("key").hidden = false;
}

async function get(url, options, patience = 10_000) {
  let response;
  try {
    response = await fetch(url, { ...options, headers: authorization(), signal: AbortSignal.timeout(patience) });
  } catch {
    throw new Problem({ detail: "The server cannot be reached." });
  }
  if (response.status === 401) askForKey();
  return response;
}

async function ask(url, options) {
  const response = await get(url, options);
  const body = await response.json().catch(() => ({}));
  if (!response.ok && !url.startsWith("/health")) throw new Problem(body, response.status);
  return { body, headers: response.headers };
}

// fetch reports no progress of an upload, and a large one takes minutes.
function upload(url, form, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.responseType = "json";
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 401) askForKey();
      if (request.status < 300) resolve(request.response);
      else reject(new Problem(request.response || {}, request.status));
    };
    request.onerror = () => reject(new Problem({ detail: "The connection broke before the upload was complete." }));
    request.send(form);
  });
}

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

function showProblem(place, problem) {
  const notice = element("div", "", "notice error");
  if (!problem.errors?.length) notice.append(element("p", problem.message));
  else {
    const list = document.createElement("ul");
    list.append(...problem.errors.map((error) => element("li", `${error.field}: ${error.detail}`)));
    notice.append(list);
  }
  place.replaceChildren(notice);
}

// A plain link cannot carry a key.
async function downloadWithKey(event) {
  if (!sessionStorage.getItem(KEY)) return;
  event.preventDefault();
  const link = document.createElement("a");
  try {
    const response = await get(event.currentTarget.href, {}, 600_000);
    if (!response.ok) throw new Problem({}, response.status);
    link.href = URL.createObjectURL(await response.blob());
    link.download = response.headers.get("Content-Disposition")?.split('"')[1] ?? "rejects.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  } catch (problem) {
    showProblem(byId("import-message"), problem);
  }
}

function setBadge(badge, status) {
  badge.textContent = status;
  badge.classList.remove("good", "warn", "bad");
  if (TONES[status]) badge.classList.add(TONES[status]);
}

async function refreshHealth() {
  try {
    const { body } = await ask("/health");
    setBadge(byId("health"), body.status);
    const troubled = Object.entries(body.checks || {}).filter(([, found]) => found[0].status !== "pass");
    byId("health").title = troubled.map(([name, found]) => `${name}: ${found[0].output || found[0].status}`).join("\n");
  } catch {
    setBadge(byId("health"), "fail");
  }
}

async function refreshVersion() {
  const { body } = await ask("/promotions/versions?limit=20");
  const live = (body.results || body).find((version) => version.is_live);
  byId("version").textContent = live ? `${live.version} (${number.format(live.rows)} rows)` : "none yet";
}

function countsOf(found) {
  const counts = [`${number.format(found.rows_loaded)} loaded`];
  for (const kind of ["rejected", "duplicate", "blank"]) {
    if (found[`rows_${kind}`]) counts.push(`${number.format(found[`rows_${kind}`])} ${kind}`);
  }
  if (!ENDED.has(found.status)) {
    if (found.rows_per_second) counts.push(`${number.format(found.rows_per_second)} rows/s`);
    if (found.eta_seconds != null) counts.push(`about ${number.format(found.eta_seconds)} s left`);
  }
  if (found.version) counts.push(`version ${found.version}`);
  return counts.join(" · ");
}

function fillImport(item, found) {
  const part = (selector) => item.querySelector(selector);
  const name = `${found.filename ?? "Import"} (#${found.id})`;
  const running = !ENDED.has(found.status);
  part(".source").textContent = name;
  setBadge(part(".status"), found.status);
  part("progress").hidden = !running;
  part("progress").value = found.bytes_total ? found.bytes_done / found.bytes_total : 0;
  part("progress").setAttribute("aria-label", `Progress of ${name}`);
  part(".counts").textContent = countsOf(found);
  part(".reason").textContent = found.error || "";
  part(".reason").classList.toggle("error", TONES[found.status] === "bad");
  part(".rejects").hidden = running || !(found.rows_rejected || found.rows_duplicate);
  part(".rejects").setAttribute("aria-label", `Download rejects of ${name}`);
  part(".rejects").href = `/imports/${found.id}/rejects`;
  part(".cancel").hidden = !running;
  part(".cancel").setAttribute("aria-label", `Cancel ${name}`);
}

function makeImport(id) {
  const item = byId("import-template").content.firstElementChild.cloneNode(true);
  item.dataset.id = id;
  item.querySelector(".rejects").addEventListener("click", downloadWithKey);
  item.querySelector(".cancel").addEventListener("click", async () => {
    try {
      await ask(`/imports/${id}/cancel`, { method: "POST" });
      byId("import-message").replaceChildren();
    } catch (problem) {
      showProblem(byId("import-message"), problem);
    }
    refreshSoon(0);
  });
  return item;
}

// Items are kept and filled anew, so that focus and selection survive a refresh.
function showImports(imports) {
  const list = byId("imports");
  const known = new Map([...list.children].map((item) => [item.dataset.id, item]));
  const items = imports.map((found) => {
    const item = known.get(String(found.id)) || makeImport(String(found.id));
    fillImport(item, found);
    return item;
  });
  if (items.length !== list.children.length || items.some((item, i) => item !== list.children[i])) {
    list.replaceChildren(...items);
  }
  byId("imports-note").textContent = imports.length ? "" : "No imports yet.";
  byId("imports-note").hidden = imports.length > 0;
}

let timer;
function refreshSoon(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(refresh, milliseconds);
}

async function refresh() {
  let wait = IDLE_MS;
  try {
    const { body } = await ask(`/imports?limit=${SHOWN_IMPORTS}`);
    const imports = body.results || body;
    showImports(imports);
    if (imports.some((found) => !ENDED.has(found.status))) wait = BUSY_MS;
    await refreshVersion();
  } catch (problem) {
    byId("imports-note").hidden = false;
    byId("imports-note").textContent = problem.message;
  }
  await refreshHealth();
  if (!document.hidden) refreshSoon(wait);
}

function onSubmit(id, messages, work) {
  const form = byId(id);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    messages.replaceChildren();
    try {
      await work(form, event.submitter);
    } catch (problem) {
      showProblem(messages, problem);
    } finally {
      button.disabled = false;
    }
  });
}

function accepted(submitted) {
  byId("import-message").replaceChildren(element("p", `Import #${submitted.id} is ${submitted.status}.`, "notice good"));
  refreshSoon(0);
}

byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, new FormData(event.target).get("key").trim());
  event.target.reset();
  byId("key").hidden = true;
  refreshSoon(0);
});

onSubmit("by-name", byId("import-message"), async (form) => {
  accepted((await ask("/process-csv", { method: "POST", body: new URLSearchParams(new FormData(form)) })).body);
});

onSubmit("by-upload", byId("import-message"), async (form) => {
  const bar = byId("upload-progress");
  bar.hidden = false;
  try {
    accepted(await upload("/process-csv", new FormData(form), (share) => (bar.value = share)));
    form.reset();
  } finally {
    bar.hidden = true;
  }
});

function facts(named) {
  const result = element("dl", "", "result");
  for (const [name, value] of Object.entries(named)) {
    if (value != null) result.append(element("dt", name.replaceAll("_", " ")), element("dd", String(value)));
  }
  return result;
}

// Read again until nothing is pending, so that one sees the flush; a later question ends an earlier one's watch.
let watched;
async function watchCounter(path) {
  watched = path;
  do {
    const response = await get(path);
    const text = await response.text();
    if (!response.ok) throw new Problem(JSON.parse(text), response.status);
    // As written: a counter may be larger than JavaScript's numbers.
    const counter = JSON.parse(text, (name, value, context) => (typeof value === "number" ? context.source : value));
    if (watched !== path) return;
    byId("counter-result").replaceChildren(facts(counter));
    if (counter.pending === "0") return;
    await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
  } while (watched === path && !document.hidden);
}

onSubmit("counter", byId("counter-result"), async (form, button) => {
  const given = new FormData(form);
  const key = given.get("key").trim();
  if (button.name === "add") {
    const body = `{"key": ${JSON.stringify(key)}, "value": ${given.get("value")}}`;
    const response = await get("/increment", { method: "POST", body });
    if (!response.ok) throw new Problem(await response.json(), response.status);
  }
  watchCounter(`/counters/${encodeURIComponent(key)}`).catch((problem) => showProblem(byId("counter-result"), problem));
});

onSubmit("lookup", byId("lookup-result"), async (form) => {
  const id = new FormData(form).get("id").trim();
  const { body, headers } = await ask(`/promotions/${encodeURIComponent(id)}`);
  byId("lookup-result").replaceChildren(facts({ ...body, "data version": headers.get("X-Data-Version") }));
});

onSubmit("timestamp", byId("timestamp-result"), async (form, button) => {
  let text = new FormData(form).get("text").trim();
  if (button.name === "append") {
    const path = text ? `/api/v1/timestamp/${encodeURIComponent(text)}` : "/api/v1/timestamp";
    text = (await ask(path, { method: "POST" })).body.id;
  }
  const { body } = await ask(`/api/v1/timestamp/${encodeURIComponent(text)}?wait=2`);
  const { command_id, ...shown } = body; // the id once more
  byId("timestamp-result").replaceChildren(facts(shown));
});

document.addEventListener("visibilitychange", () => document.hidden || refreshSoon(0));
refresh();
