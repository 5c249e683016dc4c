// The panel's tasks: read from the server page by page, and changed by its messages.
import { api } from "../../scripts/api.js";

const ROUTES = "/dashscope_wan";
const FIRST_PAGE = 60;
const PAGE = 200;
const LEAP = 2000; // a page on the way to a task far below

// An error of the server, or its silence (`status` 0).
export class ServerError extends Error {
  constructor(status, { message = "", hint = "" } = {}) {
    super(message);
    Object.assign(this, { status, hint });
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await api.fetchApi(`${ROUTES}${path}`, options);
  } catch {
    throw new ServerError(0);
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new ServerError(response.status, body.error);
  return body;
}

const post = (path, id) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ id }) });

export const readSpending = () => ask("/spend");
export const fetchTask = (id) => post("/fetch", id);
export const cancelTask = (id) => post("/cancel", id);
// A finished task has one video: the browser may keep its poster.
export const posterUrl = (row) => api.apiURL(`${ROUTES}/poster/${encodeURIComponent(row.id)}?v=${row.finished_at || 0}`);
export const videoUrl = ({ filename, subfolder, type }) => api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);

// The tasks that match the filters, newest first. `rows` is what is loaded of `total`.
export class Tasks {
  constructor({ changed, failed }) {
    Object.assign(this, { changed, failed, rows: [], total: 0, next: 0, filters: { state: "", model: "" } });
    this.byId = new Map();
    this.version = 0;
    this.loading = undefined;
    this.heard = undefined; // while the first page is read: the tasks that change meanwhile, as it may be older
  }

  // Read the first page, of other filters if they are given.
  async reload(filters = this.filters) {
    this.filters = filters;
    const version = ++this.version;
    this.loading = undefined;
    this.heard ??= [];
    await this.#read(0, FIRST_PAGE, version);
  }

  // Load more until a row is there.
  async reach(index) {
    while (this.next && this.rows.length <= index && !this.loading) {
      const limit = index - this.rows.length > PAGE ? LEAP : PAGE;
      this.loading = this.#read(this.next, limit, this.version);
      await this.loading;
    }
  }

  async #read(before, limit, version) {
    const query = new URLSearchParams({ before, limit, ...this.filters });
    try {
      const page = await ask(`/tasks?${query}`);
      if (version !== this.version) return;
      if (!before) this.#forget();
      const fresh = page.tasks.filter((row) => !this.byId.has(row.id));
      for (const row of fresh) this.byId.set(row.id, row);
      this.rows.push(...fresh);
      Object.assign(this, { total: page.total, next: page.next, loading: undefined });
      this.changed(before ? { more: true } : { all: true });
      if (!before) this.#catchUp();
    } catch (error) {
      if (version !== this.version) return;
      this.next = 0;
      this.loading = this.heard = undefined;
      this.failed(error);
    }
  }

  #catchUp() {
    const heard = this.heard ?? [];
    this.heard = undefined;
    for (const row of heard) this.put(row);
  }

  #forget() {
    this.rows.length = 0;
    this.byId.clear();
  }

  // Take a task that has changed, or is new. An unknown one that is older than what is loaded comes with its page.
  put(row) {
    this.heard?.push(row);
    const known = this.byId.get(row.id);
    if (known) {
      const { fetch } = known;
      for (const name of Object.keys(known)) delete known[name];
      Object.assign(known, row, fetch && { fetch });
      this.changed({ row: known });
    } else if (this.#matches(row) && row.created_at >= (this.rows[0]?.created_at ?? 0)) {
      this.byId.set(row.id, row);
      this.rows.unshift(row);
      this.total += 1;
      this.changed({ added: 1 });
    }
  }

  // Take the progress of a video that is brought home.
  progress({ id, ...progress }) {
    const row = this.byId.get(id);
    if (!row) return;
    row.fetch = progress;
    this.changed({ row });
  }

  #matches(row) {
    const { state, model } = this.filters;
    return (!state || state.split(",").includes(row.state)) && (!model || row.model === model);
  }
}
