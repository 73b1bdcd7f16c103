// The door: a node may want a token before it lets anybody in.
//
// A browser does not tell a script why a WebSocket was refused, so the node is asked over HTTP. The token lives
// as long as the tab, and is never part of an address.

const KEY = "tapecast.token";
/** One name of the list is asked for: the answer is small. */
const PROBE = "/v1/instruments?limit=1";
/** What a name of a subprotocol may have, which is how a browser hands a token over. */
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;

/** What an answer to the question means: nothing, or why somebody was not let in. */
export async function refusalOf(answer) {
  if (answer.status !== 401 && answer.status !== 403) return null;
  try {
    const { error } = await answer.json();
    return { code: error.code, message: error.message };
  } catch {
    return { code: String(answer.status), message: "the node lets nobody in without a token" };
  }
}

/** What a person is told. */
export function wordsOf({ code, message }) {
  return code === "missing_token" ? "Enter the key or token that you were given." : `${message} (${code})`;
}

/** What is wrong with a token, so that it cannot be sent; null when nothing is. */
export function faultOf(token) {
  if (token === "") return "Enter a token.";
  return TOKEN.test(token) ? null : "A token has letters, digits and !#$%&'*+-.^_`|~ only.";
}

/** The headers that carry a token. */
export const headersOf = (token) => (token === null ? {} : { Authorization: `Bearer ${token}` });

/** The dialog that asks for a token, and the token. */
export class Door {
  #dialog = document.getElementById("door");
  #form = document.getElementById("door-form");
  #input = document.getElementById("door-token");
  #why = document.getElementById("door-why");
  #opened;
  #asking = false;

  /** @param opened what is done once there is another token */
  constructor(opened) {
    this.#opened = opened;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter(this.#input.value.trim());
    });
  }

  get token() {
    return sessionStorage.getItem(KEY);
  }

  /** Asks the node whether it is the token that is missing or wrong, and then the person for one. */
  async look() {
    if (this.#asking || this.#dialog.open) return;
    this.#asking = true;
    try {
      const refusal = await refusalOf(await fetch(PROBE, { headers: headersOf(this.token), cache: "no-store" }));
      if (refusal !== null) this.#show(wordsOf(refusal));
    } catch {
      // The node cannot be reached at all; the connection says so.
    } finally {
      this.#asking = false;
    }
  }

  #show(why) {
    this.#why.textContent = why;
    this.#input.value = "";
    this.#dialog.showModal();
  }

  #enter(token) {
    const fault = faultOf(token);
    if (fault !== null) {
      this.#why.textContent = fault;
      return;
    }
    sessionStorage.setItem(KEY, token);
    this.#input.value = "";
    this.#dialog.close();
    this.#opened();
  }
}
