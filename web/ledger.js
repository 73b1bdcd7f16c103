// Data quality: what became of each instrument's records, by the node's own count (`/v1/ledger`).

import { headersOf } from "./door.js";

const REFRESH_MS = 5_000;
/** The most pages to read: 20,000 instruments. */
const MOST_PAGES = 20;
const COLUMNS = ["records", "chained", "checked", "upstreamGaps", "ownGaps", "refused", "conflated", "lostToSlowClients"];
/** Columns that should be 0. */
const FAULTS = new Set(["upstreamGaps", "ownGaps", "refused", "lostToSlowClients"]);

/** The accounts of all instruments, read page by page. */
export async function readLedger(get) {
  const accounts = [];
  let after = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { ledger, next } = await get(after === null ? "/v1/ledger" : `/v1/ledger?after=${encodeURIComponent(after)}`);
    accounts.push(...ledger.filter((account) => account.records !== undefined));
    if (next === null) break;
    after = next;
  }
  return accounts;
}

/** The sums of all columns, and the verdict. */
export function sumLedger(accounts) {
  const sums = Object.fromEntries(COLUMNS.map((column) => [column, 0]));
  for (const account of accounts) {
    for (const column of COLUMNS) sums[column] += account[column];
  }
  const words = [`${accounts.length} instruments, ${sums.records.toLocaleString("en")} records`];
  words.push(sums.ownGaps === 0 ? "none lost by this server" : `lost by this server ${sums.ownGaps} times`);
  if (sums.upstreamGaps > 0) words.push(`${sums.upstreamGaps} upstream gaps`);
  return { sums, verdict: sums.ownGaps === 0 ? "verified" : "failed", text: `${words.join("; ")}.` };
}

/** A cell's text, and whether it needs attention. */
export function cellOf(account, column) {
  const count = account[column];
  return { text: count.toLocaleString("en"), some: FAULTS.has(column) && count > 0 };
}

/** The dialog, refreshed while it is open. */
export class LedgerView {
  #dialog = document.getElementById("ledger");
  #text = document.getElementById("ledger-text");
  #body = document.getElementById("ledger-rows");
  #timer = 0;
  #token;

  /** @param token returns the token, or null if there is none */
  constructor(token) {
    this.#token = token;
    document.getElementById("ledger-open").addEventListener("click", () => this.#open());
    document.getElementById("ledger-close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => clearInterval(this.#timer));
  }

  #open() {
    this.#dialog.showModal();
    this.#timer = setInterval(() => this.#read(), REFRESH_MS);
    this.#read();
  }

  async #read() {
    try {
      const accounts = await readLedger(async (path) => {
        const answer = await fetch(path, { headers: headersOf(this.#token()) });
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        return answer.json();
      });
      this.#render(accounts);
    } catch (error) {
      this.#text.textContent = `Cannot load data quality: ${error.message}.`;
    }
  }

  #render(accounts) {
    const { sums, verdict, text } = sumLedger(accounts);
    this.#dialog.dataset.verdict = verdict;
    this.#text.textContent = text;
    const rows = [{ symbol: "All", ...sums }, ...accounts].map((account) => {
      const row = document.createElement("tr");
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = account.symbol;
      row.append(name);
      for (const column of COLUMNS) {
        const cell = document.createElement("td");
        const { text, some } = cellOf(account, column);
        cell.textContent = text;
        cell.dataset.some = String(some);
        row.append(cell);
      }
      return row;
    });
    this.#body.replaceChildren(...rows);
  }
}
