import { ask } from "./api.js";
import { byId, facts, onSubmit } from "./page.js";

const result = byId("timestamp-result");

onSubmit("timestamp", result, async ({ text }, button) => {
  const id = button.name === "append" ? await append(text) : text;
  const { body } = await ask(`/api/v1/timestamp/${encodeURIComponent(id)}?wait=2`);
  const { command_id, ...shown } = body; // the id once more
  result.replaceChildren(facts(shown));
});

async function append(text) {
  const path = text ? `/api/v1/timestamp/${encodeURIComponent(text)}` : "/api/v1/timestamp";
  return (await ask(path, { method: "POST" })).body.id;
}
