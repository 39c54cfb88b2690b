import { ask } from "./api.js";
import { byId, facts, onSubmit } from "./page.js";

const MOST_DAYS = 31; // that are shown; the admin's chart has more
const result = byId("rates-result");

onSubmit("rates", result, async (typed) => {
  const { body: days } = await ask(`/rates?${new URLSearchParams(typed)}`);
  const shown = days.slice(0, MOST_DAYS).map(({ day, average_price: price }) => [day, price === null ? "fewer than 3 prices" : `${price} USD`]);
  const rest = days.length > MOST_DAYS ? [["and", `${days.length - MOST_DAYS} more days`]] : [];
  result.replaceChildren(facts(Object.fromEntries([...shown, ...rest])));
});
