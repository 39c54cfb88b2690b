// What the sections of the page share.

const TONES = { published: "good", pass: "good", warn: "warn", quarantined: "bad", failed: "bad", fail: "bad" };

export const byId = (id) => document.getElementById(id);
export const toneOf = (status) => TONES[status];

export function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

export function facts(named) {
  const result = element("dl", "", "result");
  for (const [name, value] of Object.entries(named)) {
    if (value != null) result.append(element("dt", name.replaceAll("_", " ")), element("dd", String(value)));
  }
  return result;
}

export function showProblem(place, problem) {
  const notice = element("div", "", "notice error");
  if (!problem.errors?.length) notice.append(element("p", problem.message));
  else {
    const list = document.createElement("ul");
    list.append(...problem.errors.map((error) => element("li", `${error.field}: ${error.detail}`)));
    notice.append(list);
  }
  place.replaceChildren(notice);
}

export function setBadge(badge, status) {
  badge.textContent = status;
  badge.classList.remove("good", "warn", "bad");
  if (toneOf(status)) badge.classList.add(toneOf(status));
}

/** Have `work` done when the form is sent: it gets what was typed, without spaces around, and the button. */
export function onSubmit(id, messages, work) {
  const form = byId(id);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const buttons = [...form.querySelectorAll("button")];
    buttons.forEach((button) => (button.disabled = true));
    messages.replaceChildren();
    try {
      await work(typedInto(form), event.submitter, form);
    } catch (problem) {
      showProblem(messages, problem);
    } finally {
      buttons.forEach((button) => (button.disabled = false));
    }
  });
}

function typedInto(form) {
  const typed = Object.fromEntries(new FormData(form));
  for (const name in typed) if (typeof typed[name] === "string") typed[name] = typed[name].trim();
  return typed;
}

/** Do `work` now and again after the milliseconds that it returns, while somebody looks. Returns what does it at once. */
export function keepFresh(work) {
  let timer;
  const run = async () => {
    clearTimeout(timer);
    const wait = await work();
    clearTimeout(timer); // that of a run which began and ended meanwhile
    if (!document.hidden) timer = setTimeout(run, wait);
  };
  document.addEventListener("visibilitychange", () => document.hidden || run());
  document.addEventListener("key-given", run);
  run();
  return run;
}
