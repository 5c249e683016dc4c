// One task in the list, and what stands below it when it is open: the video, the facts, the actions.
import { app } from "../../scripts/app.js";
import { copy, element, money, setText, when, whenInFull } from "./panel_dom.js";
import { cancelTask, fetchTask, posterUrl, videoUrl } from "./panel_tasks.js";

const UNBILLED = ["failed", "canceled"];
const POSTER_DELAY = 80; // milliseconds: rows that fly by need no picture
const COPIED_SECONDS = 1.5;
const GRAPH_BYTES = 8 << 20; // a video's index, which carries the graph, comes first in its file

// Return the word of a task's state, and its colour's name.
export function stateOf(row, texts) {
  if (row.fetch?.state === "running") return [texts.states.fetching, "busy"];
  if (row.state === "saved" && !row.file) return row.is_here ? [texts.states.saved, "good"] : [awayOr(row, texts), "idle"];
  const colours = { saved: "good", succeeded: "todo", uncertain: "todo", failed: "bad", submitting: "busy", submitted: "busy" };
  return [texts.states[row.state] ?? row.state, colours[row.state] ?? "idle"];
}

const awayOr = (row, texts) => (row.host ? texts.states.away : texts.states.missing);

export function priceOf(row, texts) {
  if (UNBILLED.includes(row.state)) return [texts.notCharged, ""];
  if (!row.cost) return row.region === "offline" ? [texts.free, ""] : ["", ""];
  const price = money(row.cost.currency, row.cost.amount);
  return row.cost.billed ? [price, texts.billedTitle] : [texts.about(price), texts.estimateTitle];
}

export const pathOf = ({ subfolder, filename }) => (subfolder ? `${subfolder}/${filename}` : filename);

// A place for a task that is not loaded yet.
export class EmptyRow {
  constructor() {
    this.root = element("div", { className: "dsw-row dsw-unread", aria: { role: "listitem", hidden: true } });
  }

  update() {}
  setOpen() {}
  destroy() {}
}

export class TaskRow {
  constructor(row, { texts, isOpen, toggle }) {
    Object.assign(this, { row, texts, toggle });
    const part = (name, tag = "span") => (this[name] = element(tag, { className: `dsw-${name}` }));
    this.picture = element("button", { className: "dsw-picture", type: "button" });
    this.picture.addEventListener("click", () => toggle({ play: !!this.row.file }));
    this.main = element(
      "button",
      { className: "dsw-main", type: "button", title: texts.details },
      element("span", { className: "dsw-line" }, part("state"), part("when")),
      part("prompt"),
      element("span", { className: "dsw-line" }, part("facts"), part("price")),
    );
    this.main.addEventListener("click", () => toggle({}));
    this.root = element(
      "div",
      { className: "dsw-row", aria: { role: "listitem" }, dataset: { id: row.id } },
      element("div", { className: "dsw-head" }, this.picture, this.main),
    );
    this.update();
    this.setOpen(isOpen);
  }

  destroy() {
    clearTimeout(this.posterTimer);
    this.#close();
  }

  update() {
    const { row, texts } = this;
    const [state, colour] = stateOf(row, texts);
    setText(this.state, state);
    this.state.title = state;
    this.root.dataset.colour = colour;
    const [price, title] = priceOf(row, texts);
    setText(this.price, price);
    this.price.title = title;
    setText(this.prompt, row.prompt || texts.noPrompt);
    this.prompt.classList.toggle("dsw-is-none", !row.prompt);
    const seconds = row.duration ? texts.seconds(row.duration) : "";
    setText(this.facts, [row.resolution, seconds, row.model].filter(Boolean).join(" · "));
    this.facts.title = this.facts.textContent;
    setText(this.when, when(row.created_at, texts.locale));
    this.when.title = whenInFull(row.created_at, texts.locale);
    this.picture.title = row.file ? texts.play : texts.details;
    this.picture.setAttribute("aria-label", `${this.picture.title}: ${row.prompt || row.model}`);
    this.#showPoster();
    this.open?.update();
  }

  setOpen(isOpen, { play = false } = {}) {
    this.main.setAttribute("aria-expanded", String(isOpen));
    this.root.classList.toggle("dsw-is-open", isOpen);
    if (!isOpen) return this.#close();
    this.open ??= new Details(this);
    this.root.append(this.open.root);
    if (play) this.open.play();
  }

  #close() {
    this.open?.destroy();
    this.open = undefined;
  }

  #showPoster() {
    const url = this.row.file ? posterUrl(this.row) : "";
    if (url === this.shownPoster) return;
    this.shownPoster = url;
    this.#setImage();
    clearTimeout(this.posterTimer);
    if (!url) return;
    this.posterTimer = setTimeout(() => {
      const image = element("img", { alt: "", src: url, decoding: "async" });
      image.addEventListener("error", () => this.#setImage());
      this.#setImage(image);
    }, POSTER_DELAY);
  }

  #setImage(...image) {
    this.picture.replaceChildren(...image);
    this.picture.classList.toggle("dsw-has-image", image.length > 0);
  }
}

class Details {
  constructor(owner) {
    this.owner = owner;
    const { texts } = owner;
    this.stage = element("div", { className: "dsw-stage" });
    this.note = element("div", { className: "dsw-note", aria: { role: "status" } });
    this.error = element("div", { className: "dsw-error" });
    this.prompt = element("div", { className: "dsw-full" });
    this.facts = element("dl", { className: "dsw-table" });
    const button = (name, act) => {
      const made = element("button", { className: "dsw-button", type: "button", textContent: texts[name], title: texts[`${name}Title`] ?? "" });
      made.dataset.action = name;
      made.addEventListener("click", () => act.call(this, made));
      return (this[`${name}Button`] = made);
    };
    const actions = element(
      "div",
      { className: "dsw-actions" },
      button("fetch", this.#fetch),
      button("cancel", this.#cancel),
      button("openGraph", this.#openGraph),
      button("copyPath", (made) => this.#copy(made, pathOf(this.row.file))),
      button("copyTask", (made) => this.#copy(made, this.row.task_id)),
    );
    this.fetchButton.classList.add("dsw-primary");
    this.root = element("div", { className: "dsw-details" }, this.stage, this.note, this.error, this.prompt, this.facts, actions);
    this.update();
  }

  get row() {
    return this.owner.row;
  }

  destroy() {
    this.video?.pause();
    clearTimeout(this.timer);
    this.root.remove();
  }

  update() {
    const { row } = this;
    const { texts } = this.owner;
    const isRunning = row.fetch?.state === "running";
    this.#showVideo();
    if (row.fetch && row.fetch !== this.fetch) this.#sayFetch(row.fetch, isRunning);
    this.note.style.setProperty("--done", isRunning ? `${Math.round((row.fetch.fraction ?? 0) * 100)}%` : "0%");
    setText(this.error, row.state === "saved" ? "" : row.error);
    setText(this.prompt, row.prompt);
    const facts = {
      file: row.file && pathOf(row.file),
      folder: row.file && ["output", row.file.subfolder].filter(Boolean).join("/"),
      task: row.task_id,
      region: row.region,
      machine: row.host, // another one
      created: whenInFull(row.created_at, texts.locale),
      finished: row.finished_at ? whenInFull(row.finished_at, texts.locale) : "",
    };
    const known = Object.entries(facts).filter(([, value]) => value);
    const pair = ([name, value]) => [element("dt", { textContent: texts[name] }), element("dd", { textContent: value })];
    this.facts.replaceChildren(...known.flatMap(pair));
    this.fetchButton.hidden = !row.can_fetch;
    this.fetchButton.disabled = isRunning;
    this.cancelButton.hidden = !row.can_cancel;
    this.openGraphButton.hidden = this.copyPathButton.hidden = !row.file;
    this.copyTaskButton.hidden = !row.task_id;
  }

  play() {
    this.video?.play().catch(() => {}); // the browser may want another click
  }

  #showVideo() {
    const url = this.row.file ? videoUrl(this.row.file) : "";
    if (url === this.shownUrl) return;
    this.shownUrl = url;
    this.video?.pause();
    this.video = undefined;
    if (url) {
      this.video = element("video", { src: url, poster: posterUrl(this.row), controls: true, loop: true, preload: "metadata", playsInline: true });
    }
    this.stage.replaceChildren(...(this.video ? [this.video] : []));
  }

  // An end without a text takes away what was said of the fetch, not what a button has said since.
  #sayFetch(fetch, isRunning) {
    const text = isRunning ? fetch.text || this.owner.texts.fetching : fetch.text;
    if (text || this.saysFetch) this.#say(text, fetch.state === "failed");
    this.fetch = fetch;
    this.saysFetch = isRunning;
  }

  #say(text, isError = false) {
    this.saysFetch = false;
    setText(this.note, text);
    this.note.classList.toggle("dsw-is-bad", isError);
  }

  // Do what a button asks for; what goes wrong stands above the buttons.
  async #act(button, work) {
    button.disabled = true;
    this.#say("");
    try {
      await work();
    } catch (error) {
      this.#say([error.message, error.hint].filter(Boolean).join("\n") || this.owner.texts.offlineTitle, true);
    }
    button.disabled = false;
    this.update();
  }

  #fetch(button) {
    return this.#act(button, async () => {
      const { id, ...progress } = await fetchTask(this.row.id);
      if (this.row.fetch?.state !== "saved") this.row.fetch = progress;
      this.owner.update();
    });
  }

  #cancel(button) {
    return this.#act(button, async () => {
      const { canceled } = await cancelTask(this.row.id);
      this.#say(canceled ? this.owner.texts.canceled : this.owner.texts.notCanceled);
    });
  }

  #openGraph(button) {
    return this.#act(button, async () => {
      const blob = await (await fetch(this.shownUrl)).blob();
      const index = await blob.slice(0, GRAPH_BYTES).text();
      if (!/mdta(workflow|prompt)/.test(index)) return this.#say(this.owner.texts.noGraph);
      await app.handleFile(new File([blob], this.row.file.filename, { type: "video/mp4" }));
    });
  }

  async #copy(button, text) {
    const { texts } = this.owner;
    if (!(await copy(text))) return this.#say(texts.notCopied, true);
    const name = button.dataset.action;
    setText(button, texts.copied);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => setText(button, texts[name]), COPIED_SECONDS * 1000);
  }
}
