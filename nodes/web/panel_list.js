// A list of any length, of which only the rows in sight are in the page. All rows have one height; one may be open.
import { element } from "./panel_dom.js";

const SPARE = 4; // rows beyond each edge

export class VirtualList {
  // `make(index)` returns a row with its `root` and its `destroy`; `needed(index)` is told the last row in sight.
  constructor({ rowHeight, make, needed }) {
    Object.assign(this, { rowHeight, make, needed, count: 0, open: -1, extra: 0 });
    this.shown = new Map();
    this.space = element("div", { className: "dsw-space", aria: { role: "list" } });
    this.root = element("div", { className: "dsw-list" }, this.space);
    this.root.addEventListener("scroll", () => this.#later(), { passive: true });
    this.sized = new ResizeObserver(() => this.#later());
    this.sized.observe(this.root);
    this.grown = new ResizeObserver(() => this.#measure());
  }

  destroy() {
    this.sized.disconnect();
    this.grown.disconnect();
    cancelAnimationFrame(this.frame);
    this.#clear();
  }

  // Show `count` rows anew.
  reset(count) {
    this.count = count;
    this.#clear();
    this.setOpen(-1);
  }

  // Make the rows that `isStale` names anew: there are `count` now.
  renew(count, isStale) {
    this.count = count;
    for (const [index, row] of [...this.shown]) if (isStale(row)) this.#remove(index, row);
    this.draw();
  }

  // Make room for rows before the first. Those in sight stay where they are.
  prepend(added) {
    this.count += added;
    if (this.open >= 0) this.open += added;
    this.shown = new Map([...this.shown].map(([index, row]) => [index + added, row]));
    this.#stretch();
    if (this.root.scrollTop > 0) this.root.scrollTop += added * this.rowHeight;
    this.draw();
  }

  // Open a row, close it with -1. Its height beyond the others' is measured.
  setOpen(index) {
    this.open = index;
    this.isFresh = index >= 0;
    this.extra = 0;
    this.grown.disconnect();
    const row = this.shown.get(index);
    if (row) this.grown.observe(row.root);
    this.draw();
  }

  rowAt(index) {
    return this.shown.get(index);
  }

  draw() {
    const { scrollTop, clientHeight } = this.root;
    const first = Math.max(0, this.#at(scrollTop) - SPARE);
    const last = Math.min(this.count - 1, this.#at(scrollTop + clientHeight) + SPARE);
    for (const [index, row] of this.shown) {
      if (index < first || index > last) this.#remove(index, row);
    }
    for (let index = first; index <= last; index += 1) {
      if (!this.shown.has(index)) this.#add(index);
      const { root } = this.shown.get(index);
      root.style.transform = `translateY(${this.#top(index)}px)`;
      root.setAttribute("aria-posinset", index + 1);
      root.setAttribute("aria-setsize", this.count);
    }
    this.#stretch();
    if (last >= 0) this.needed(last);
  }

  #stretch() {
    this.space.style.height = `${this.count * this.rowHeight + this.extra}px`;
  }

  #add(index) {
    const row = this.make(index);
    this.shown.set(index, row);
    // In the order of the list, which is that of the Tab key.
    const next = [...this.shown.keys()].filter((one) => one > index).sort((one, other) => one - other)[0];
    this.space.insertBefore(row.root, next === undefined ? null : this.shown.get(next).root);
    if (index === this.open) this.grown.observe(row.root);
  }

  #remove(index, row) {
    this.grown.unobserve(row.root);
    row.destroy();
    row.root.remove();
    this.shown.delete(index);
  }

  #clear() {
    for (const [index, row] of [...this.shown]) this.#remove(index, row);
  }

  #measure() {
    const height = this.shown.get(this.open)?.root.offsetHeight;
    const extra = height ? height - this.rowHeight : this.extra;
    if (extra === this.extra) return;
    this.extra = extra;
    this.draw();
    if (this.isFresh) this.#bringIntoSight();
  }

  // Scroll down until what was just opened is in sight, or its first row is at the top.
  #bringIntoSight() {
    this.isFresh = false;
    const { root } = this;
    const top = this.#top(this.open);
    const below = top + this.rowHeight + this.extra - root.scrollTop - root.clientHeight;
    if (below > 0) root.scrollTop += Math.min(below, top - root.scrollTop);
  }

  #top(index) {
    return index * this.rowHeight + (this.open >= 0 && index > this.open ? this.extra : 0);
  }

  // Return the row at a height. What is below an open row is farther down.
  #at(y) {
    const end = this.open < 0 ? Infinity : (this.open + 1) * this.rowHeight;
    if (y <= end) return Math.floor(y / this.rowHeight);
    return Math.max(this.open, Math.floor((y - this.extra) / this.rowHeight));
  }

  #later() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }
}
