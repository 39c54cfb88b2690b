import { Problem, ask, askAsWritten, askForKey, authorization, get, hasKey } from "./api.js";
import { byId, element, facts, keepFresh, onSubmit, setBadge, showProblem, toneOf } from "./page.js";

const ENDED = new Set(["published", "superseded", "quarantined", "failed", "cancelled"]);
const SHOWN_IMPORTS = 10;
const BUSY_MS = 1000;
const IDLE_MS = 5000;
const DOWNLOAD_PATIENCE_MS = 600_000;
const number = new Intl.NumberFormat("en");
const messages = byId("import-message");

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

// A plain link cannot carry a key.
async function downloadWithKey(event) {
  if (!hasKey()) return;
  event.preventDefault();
  const link = document.createElement("a");
  try {
    const response = await get(event.currentTarget.href, {}, DOWNLOAD_PATIENCE_MS);
    if (!response.ok) throw new Problem({}, response.status);
    link.href = URL.createObjectURL(await response.blob());
    link.download = response.headers.get("Content-Disposition")?.split('"')[1] ?? "rejects.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  } catch (problem) {
    showProblem(messages, problem);
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
  part(".reason").classList.toggle("error", toneOf(found.status) === "bad");
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
      messages.replaceChildren();
    } catch (problem) {
      showProblem(messages, problem);
    }
    refreshNow();
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

async function refresh() {
  try {
    const { body } = await ask(`/imports?limit=${SHOWN_IMPORTS}`);
    const imports = body.results || body;
    showImports(imports);
    await refreshVersion();
    return imports.every((found) => ENDED.has(found.status)) ? IDLE_MS : BUSY_MS;
  } catch (problem) {
    byId("imports-note").hidden = false;
    byId("imports-note").textContent = problem.message;
    return IDLE_MS;
  }
}

function accepted(submitted) {
  messages.replaceChildren(element("p", `Import #${submitted.id} is ${submitted.status}.`, "notice good"));
  refreshNow();
}

onSubmit("by-name", messages, async ({ filename }) => {
  accepted((await ask("/process-csv", { method: "POST", body: new URLSearchParams({ filename }) })).body);
});

onSubmit("by-upload", messages, async (typed, button, form) => {
  const bar = byId("upload-progress");
  bar.hidden = false;
  try {
    accepted(await upload("/process-csv", new FormData(form), (share) => (bar.value = share)));
    form.reset();
  } finally {
    bar.hidden = true;
  }
});

onSubmit("lookup", byId("lookup-result"), async ({ id }) => {
  const { body, headers } = await askAsWritten(`/promotions/${encodeURIComponent(id)}`);
  byId("lookup-result").replaceChildren(facts({ ...body, "data version": headers.get("X-Data-Version") }));
});

const refreshNow = keepFresh(refresh);
