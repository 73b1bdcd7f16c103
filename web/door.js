// Sign-in: a node may require a token.
//
// A browser does not tell a script why a WebSocket was rejected, so the page asks the node over HTTP. The token
// is kept as long as the tab is open, and is never part of a URL.

const KEY = "tapecast.token";
/** Requests a single instrument, to keep the response small. */
const PROBE = "/v1/instruments?limit=1";
/** The characters of a subprotocol's name, since that is how a browser sends a token. */
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;

/** Why the node rejected the request; null if it was not for lack of a valid token. */
export async function refusalOf(answer) {
  if (answer.status !== 401 && answer.status !== 403) return null;
  try {
    const { error } = await answer.json();
    return { code: error.code, message: error.message };
  } catch {
    return { code: String(answer.status), message: "this server requires a token" };
  }
}

/** The message to display. */
export function wordsOf({ code, message }) {
  return code === "missing_token" ? "Enter your access token or key." : `${message} (${code})`;
}

/** Why a token cannot be sent; null if it can. */
export function faultOf(token) {
  if (token === "") return "Enter a token.";
  return TOKEN.test(token) ? null : "A token may contain only letters, digits and !#$%&'*+-.^_`|~";
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

  /** @param opened called when a new token has been entered */
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

  /** Checks whether the node rejects the token, or the lack of one, and if so asks the user. */
  async look() {
    if (this.#asking || this.#dialog.open) return;
    this.#asking = true;
    try {
      const refusal = await refusalOf(await fetch(PROBE, { headers: headersOf(this.token), cache: "no-store" }));
      if (refusal !== null) this.#show(wordsOf(refusal));
    } catch {
      // The node cannot be reached at all; the connection reports that.
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
