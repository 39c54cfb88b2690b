// The page around the sections: health, and the API key. Each section has a script of its own in console/.

import { ask, keepKey } from "./console/api.js";
import { byId, keepFresh, setBadge } from "./console/page.js";

const HEALTH_MS = 5000;

async function refreshHealth() {
  try {
    const { body } = await ask("/health");
    setBadge(byId("health"), body.status);
    const troubled = Object.entries(body.checks || {}).filter(([, found]) => found[0].status !== "pass");
    byId("health").title = troubled.map(([name, found]) => `${name}: ${found[0].output || found[0].status}`).join("\n");
  } catch {
    setBadge(byId("health"), "fail");
  }
  return HEALTH_MS;
}

document.addEventListener("key-wanted", () => (byId("key").hidden = false));

byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  keepKey(new FormData(event.target).get("key").trim());
  event.target.reset();
  byId("key").hidden = true;
});

keepFresh(refreshHealth);
