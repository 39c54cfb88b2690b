import { askAsWritten, post } from "./api.js";
import { byId, facts, onSubmit, showProblem } from "./page.js";

const AGAIN_MS = 1000;
const result = byId("counter-result");

// Read again until nothing is pending, so that one sees the flush; a later question ends an earlier one's watch.
let watched;
async function watchCounter(path) {
  watched = path;
  do {
    const { body: counter } = await askAsWritten(path);
    if (watched !== path) return;
    result.replaceChildren(facts(counter));
    if (counter.pending === "0") return;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  } while (watched === path && !document.hidden);
}

onSubmit("counter", result, async ({ key, value }, button) => {
  if (button.name === "add") await post("/increment", { key }, { value });
  watchCounter(`/counters/${encodeURIComponent(key)}`).catch((problem) => showProblem(result, problem));
});
