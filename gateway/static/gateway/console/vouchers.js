import { askAsWritten, post } from "./api.js";
import { byId, element, facts, onSubmit, showProblem } from "./page.js";

const SHOWN_TRANSFERS = 10;
const result = byId("voucher-result");

function showDone(done, found) {
  result.replaceChildren(element("p", done, "notice good"), facts(found));
}

onSubmit("voucher-create", result, async ({ code, amount, limit }) => {
  const { body } = await post("/api/vouchers", { code }, { amount, limit });
  showDone("Created.", body);
});

onSubmit("voucher-lookup", result, async ({ code }) => {
  const { body } = await askAsWritten(`/api/vouchers?code=${encodeURIComponent(code)}`);
  result.replaceChildren(facts(body));
});

onSubmit("voucher-redeem", result, async ({ phone_number, code }) => {
  try {
    const { body } = await post("/api/vouchers/redeem", { phone_number, code });
    showDone("Redeemed.", body);
  } catch (problem) {
    showProblem(result, problem);
    if (problem.body?.redemption) result.append(facts(problem.body.redemption));
  }
});

function statement(transfers) {
  const table = element("table", "", "statement");
  const head = table.createTHead().insertRow();
  head.append(...["When (UTC)", "What", "Amount"].map((name) => element("th", name)));
  const body = table.createTBody();
  for (const transfer of transfers) {
    const when = transfer.created_at.slice(0, 19).replace("T", " ");
    body.insertRow().append(...[when, transfer.kind, transfer.amount].map((text) => element("td", text)));
  }
  return table;
}

onSubmit("wallet", result, async ({ phone_number }) => {
  const path = `/api/profiles/${encodeURIComponent(phone_number)}`;
  const { body: profile } = await askAsWritten(path);
  const { body } = await askAsWritten(`${path}/transactions?limit=${SHOWN_TRANSFERS}`);
  result.replaceChildren(facts(profile), statement(body.transactions));
});
