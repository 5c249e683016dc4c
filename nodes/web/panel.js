// The panel in ComfyUI's sidebar: every task of the ledger, its video and its price.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { element, setText } from "./panel_dom.js";
import { VirtualList } from "./panel_list.js";
import { EmptyRow, TaskRow } from "./panel_row.js";
import { spendView } from "./panel_spend.js";
import { addStyle, ROW_HEIGHT } from "./panel_style.js";
import { readSpending, Tasks } from "./panel_tasks.js";
import { panelStrings } from "./panel_words.js";

const SPEND_DELAY = 400; // milliseconds: several tasks change at once
const OPEN_STATES = "submitting,submitted";
const STATES = ["succeeded", "saved", "failed", "canceled", "expired", "uncertain"];

class TaskPanel {
  constructor() {
    this.texts = panelStrings();
    this.openId = "";
    this.tasks = new Tasks({ changed: (change) => this.#changed(change), failed: (error) => this.#fail(error) });
    this.list = new VirtualList({
      rowHeight: ROW_HEIGHT,
      make: (index) => this.#makeRow(index),
      needed: (index) => this.tasks.reach(index),
    });
    this.#build();
    this.listeners = [
      ["dashscope_wan.task", ({ detail }) => this.#hear(detail)],
      ["dashscope_wan.fetch", ({ detail }) => this.tasks.progress(detail)],
      ["reconnected", () => this.reload()],
    ];
    for (const [name, call] of this.listeners) api.addEventListener(name, call);
    this.reload();
  }

  destroy() {
    for (const [name, call] of this.listeners) api.removeEventListener(name, call);
    clearTimeout(this.spendTimer);
    this.list.destroy();
    this.root.remove();
  }

  async reload() {
    this.openId = "";
    await Promise.all([this.tasks.reload(), this.#readSpending()]);
  }

  #build() {
    const { texts } = this;
    this.count = element("span", { className: "dsw-count", aria: { live: "polite" } });
    this.spend = element("div");
    const states = [["", texts.allStates], [OPEN_STATES, texts.stateFilters.open], ...STATES.map((state) => [state, texts.states[state]])];
    this.state = this.#select(texts.stateFilter, states);
    this.model = this.#select(texts.modelFilter, [["", texts.allModels]]);
    this.message = element("div", { className: "dsw-message", hidden: true, aria: { role: "status" } });
    this.root = element(
      "div",
      { className: "dsw-panel" },
      element(
        "div",
        { className: "dsw-top" },
        element("div", { className: "dsw-heading" }, element("h2", { textContent: texts.title }), this.count),
        this.spend,
        element("div", { className: "dsw-filters" }, this.state, this.model),
      ),
      element("div", { className: "dsw-body" }, this.list.root, this.message),
    );
    this.#show(element("p", { textContent: texts.loading }));
  }

  #select(label, options) {
    const made = element("select", { aria: { label } });
    for (const [value, text] of options) made.append(element("option", { value, textContent: text }));
    made.addEventListener("change", () => this.#filter());
    return made;
  }

  #filter() {
    this.openId = "";
    return this.tasks.reload({ state: this.state.value, model: this.model.value });
  }

  async #readSpending() {
    let spending;
    try {
      spending = await readSpending();
    } catch {
      return; // the list says what is wrong
    }
    this.spend.replaceChildren(spendView(spending, this.texts));
    this.#offerModels((spending.models ?? []).map((row) => row.model ?? row));
  }

  #offerModels(models) {
    const known = new Set([...this.model.options].map((option) => option.value));
    const fresh = models.filter((model) => model && !known.has(model)).sort();
    for (const model of new Set(fresh)) this.model.append(element("option", { value: model, textContent: model }));
  }

  #makeRow(index) {
    const row = this.tasks.rows[index];
    if (!row) return new EmptyRow();
    const toggle = ({ play }) => this.#toggle(row, play);
    return new TaskRow(row, { texts: this.texts, isOpen: row.id === this.openId, toggle });
  }

  // Open a task, or close it. To play, an open one stays open.
  #toggle(row, play) {
    const isOpen = play || row.id !== this.openId;
    this.#rowOf(this.openId)?.setOpen(false);
    this.openId = isOpen ? row.id : "";
    this.#rowOf(row.id)?.setOpen(isOpen, { play });
    this.list.setOpen(isOpen ? this.tasks.rows.indexOf(row) : -1);
  }

  #rowOf(id) {
    const index = id ? this.tasks.rows.findIndex((row) => row.id === id) : -1;
    return this.list.rowAt(index);
  }

  #hear(row) {
    this.tasks.put(row);
    this.#offerModels([row.model]);
    clearTimeout(this.spendTimer);
    this.spendTimer = setTimeout(() => this.#readSpending(), SPEND_DELAY);
  }

  #changed({ row, added, more }) {
    const { rows, total } = this.tasks;
    if (row) this.#rowOf(row.id)?.update();
    else if (added) this.list.prepend(added);
    else if (more) this.list.renew(total, (one) => one instanceof EmptyRow);
    else this.list.reset(total);
    setText(this.count, this.texts.count(total));
    if (!row) this.#offerModels(rows.map((one) => one.model));
    if (total) this.#show();
    else this.#showEmpty();
  }

  #showEmpty() {
    const { texts } = this;
    const { state, model } = this.tasks.filters;
    if (!state && !model) return this.#explain(texts.emptyTitle, texts.empty);
    const clear = () => {
      this.state.value = this.model.value = "";
      this.#filter();
    };
    return this.#explain(texts.filteredTitle, texts.filtered, [texts.clearFilters, clear]);
  }

  #fail({ status, message, hint }) {
    const { texts } = this;
    setText(this.count, "");
    const again = [texts.retry, () => this.reload()];
    if (!status) return this.#explain(texts.offlineTitle, texts.offline, again);
    const known = [message, hint].filter(Boolean).join("\n");
    const text = known || ([404, 405].includes(status) ? texts.restart : texts.unexpected(status));
    return this.#explain(texts.errorTitle, text, again);
  }

  #explain(title, text, [name, act] = []) {
    const parts = [element("strong", { textContent: title }), element("p", { textContent: text })];
    if (name) {
      const button = element("button", { className: "dsw-button", type: "button", textContent: name });
      button.addEventListener("click", act);
      parts.push(button);
    }
    this.#show(...parts);
  }

  // Show a message in the list's place, or the list.
  #show(...parts) {
    this.message.replaceChildren(...parts);
    this.message.hidden = !parts.length;
    this.list.root.classList.toggle("dsw-is-away", parts.length > 0);
  }
}

let panel;

function close() {
  panel?.destroy();
  panel = undefined;
}

// ComfyUI calls this each time it draws the sidebar, not only when the tab is opened.
function render(container) {
  if (panel?.root.isConnected && panel.root.parentNode === container) return;
  close();
  addStyle();
  panel = new TaskPanel();
  container.style.height = "100%";
  container.replaceChildren(panel.root);
}

app.registerExtension({
  name: "dashscope-wan.tasks",
  setup() {
    const { title, tooltip } = panelStrings();
    app.extensionManager?.registerSidebarTab?.({
      id: "dashscope-wan-tasks",
      icon: "pi pi-video",
      title,
      tooltip,
      type: "custom",
      render,
      destroy: close,
    });
  },
});
