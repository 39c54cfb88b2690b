import { ask, Problem } from "./api.js";
import { byId, facts, onSubmit } from "./page.js";

const result = byId("timestamp-result");

onSubmit("timestamp", result, async ({ text }, button) => {
  if (button.name === "read" && !text) throw new Problem({ detail: "To read, give an id." });
  const { command_id, ...shown } = await (button.name === "append" ? appended(text) : read(text)); // the id once more
  result.replaceChildren(facts(shown));
});

const read = async (id) => (await ask(`/api/v1/timestamp/${encodeURIComponent(id)}?wait=2`)).body;

async function appended(text) {
  const id = await append(text);
  return read(id).catch((problem) => {
    throw new Problem({ detail: `Appended as ${id}. ${problem.message}` });
  });
}

async function append(text) {
  const path = text ? `/api/v1/timestamp/${encodeURIComponent(text)}` : "/api/v1/timestamp";
  return (await ask(path, { method: "POST" })).body.id;
}
