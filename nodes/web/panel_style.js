// The panel's styles, in the colours of ComfyUI's theme.
import { element } from "./panel_dom.js";

export const ROW_HEIGHT = 76;

const CSS = `
.dsw-panel { --dsw-good: #3fa266; --dsw-busy: #4b8fe2; --dsw-todo: #c98a1f; --dsw-bad: #db5551; --dsw-idle: var(--descrip-text, #999);
  --dsw-line: var(--border-color, #4e4e4e); --dsw-soft: var(--descrip-text, #999); --dsw-text: var(--input-text, var(--fg-color, #ddd));
  --dsw-field: var(--comfy-input-bg, #222); --dsw-fill: color-mix(in srgb, var(--dsw-text) 9%, transparent);
  display: flex; flex-direction: column; height: 100%; min-width: 0; overflow: hidden; color: var(--dsw-text);
  font: 13px/1.4 var(--font-inter, Inter), system-ui, sans-serif; box-sizing: border-box; }
.dsw-panel *, .dsw-panel *::before { box-sizing: border-box; }
.dsw-panel [hidden] { display: none !important; }
.dsw-panel button { font: inherit; color: inherit; cursor: pointer; }
.dsw-panel button:focus-visible, .dsw-panel select:focus-visible, .dsw-list:focus-visible { outline: 2px solid var(--dsw-busy); outline-offset: -2px; }
.dsw-top { padding: 12px 12px 8px; border-bottom: 1px solid var(--dsw-line); display: flex; flex-direction: column; gap: 10px; }
.dsw-heading { display: flex; align-items: baseline; justify-content: space-between; gap: 8px; }
.dsw-heading h2 { margin: 0; font-size: 15px; font-weight: 600; }
.dsw-count { color: var(--dsw-soft); font-size: 12px; white-space: nowrap; }
.dsw-nothing { color: var(--dsw-soft); font-size: 12px; }
.dsw-spend { display: flex; flex-direction: column; gap: 8px; }
.dsw-sums { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
.dsw-sum { display: grid; grid-template-columns: 1fr; gap: 1px; align-content: start; min-width: 0; }
.dsw-sum strong { font-size: 16px; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.dsw-sum-name, .dsw-of { color: var(--dsw-soft); font-size: 12px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.dsw-meter { height: 4px; margin-top: 3px; border-radius: 2px; background: var(--dsw-fill); overflow: hidden; }
.dsw-meter i { display: block; height: 100%; border-radius: 2px; background: var(--dsw-busy); }
.dsw-meter.dsw-is-full i { background: var(--dsw-bad); }
.dsw-days { margin: 0; }
.dsw-bars { display: flex; align-items: flex-end; gap: 2px; height: 34px; border-bottom: 1px solid var(--dsw-line); }
.dsw-bars i { flex: 1; height: 100%; display: flex; align-items: flex-end; }
.dsw-bars i::before { content: ""; width: 100%; height: max(3px, calc(var(--share) * 100%)); border-radius: 1px 1px 0 0; background: var(--dsw-busy); opacity: .8; }
.dsw-bars i.dsw-is-zero::before { height: 0; }
.dsw-bars i:hover::before { opacity: 1; }
.dsw-days figcaption { display: flex; justify-content: space-between; padding-top: 3px; color: var(--dsw-soft); font-size: 11px; font-variant-numeric: tabular-nums; }
.dsw-filters { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }
.dsw-filters select { min-width: 0; width: 100%; height: 28px; padding: 0 6px; font: inherit; font-size: 12px; color: inherit; background: var(--dsw-field);
  border: 1px solid var(--dsw-line); border-radius: 6px; text-overflow: ellipsis; }
.dsw-body { position: relative; flex: 1; min-height: 0; display: flex; }
.dsw-list { flex: 1; min-width: 0; overflow-y: auto; overflow-x: hidden; overflow-anchor: none; }
.dsw-space { position: relative; width: 100%; contain: layout; }
.dsw-row { position: absolute; top: 0; left: 0; right: 0; min-height: ${ROW_HEIGHT}px; border-bottom: 1px solid var(--dsw-line); contain: content; }
.dsw-row[data-colour=good] { --dsw-colour: var(--dsw-good); } .dsw-row[data-colour=busy] { --dsw-colour: var(--dsw-busy); }
.dsw-row[data-colour=todo] { --dsw-colour: var(--dsw-todo); } .dsw-row[data-colour=bad] { --dsw-colour: var(--dsw-bad); }
.dsw-row[data-colour=idle] { --dsw-colour: var(--dsw-idle); }
.dsw-head { display: flex; height: ${ROW_HEIGHT - 1}px; padding: 8px 12px; gap: 10px; align-items: center; }
.dsw-head:hover { background: color-mix(in srgb, var(--dsw-text) 6%, transparent); }
.dsw-unread::before { content: ""; position: absolute; inset: 8px auto 8px 12px; width: 92px; border-radius: 6px; background: var(--dsw-fill); }
.dsw-picture { position: relative; flex: 0 0 92px; height: 58px; padding: 0; border: 0; border-radius: 6px; overflow: hidden; background: var(--dsw-fill); }
.dsw-picture img { width: 100%; height: 100%; object-fit: cover; display: block; }
.dsw-has-image::after { content: ""; position: absolute; inset: 0; margin: auto; width: 24px; height: 24px; border-radius: 50%;
  background: rgba(0, 0, 0, .55) conic-gradient(#fff 0 0) 55% 50% / 0 0 no-repeat; opacity: 0; transition: opacity .12s; }
.dsw-has-image::before { content: ""; position: absolute; z-index: 1; inset: 0; margin: auto; width: 9px; height: 11px; translate: 1px 0;
  background: #fff; clip-path: polygon(0 0, 100% 50%, 0 100%); opacity: 0; transition: opacity .12s; }
.dsw-head:hover .dsw-picture::before, .dsw-head:hover .dsw-picture::after, .dsw-picture:focus-visible::before, .dsw-picture:focus-visible::after { opacity: 1; }
.dsw-picture:not(.dsw-has-image)::after { content: ""; position: absolute; inset: 0; margin: auto; width: 10px; height: 10px; border-radius: 50%; background: var(--dsw-colour); opacity: .7; }
.dsw-row[data-colour=busy] .dsw-picture:not(.dsw-has-image)::after { animation: dsw-pulse 1.6s ease-in-out infinite; }
@keyframes dsw-pulse { 50% { opacity: .2; } }
@media (prefers-reduced-motion: reduce) { .dsw-picture::after { animation: none !important; } }
.dsw-main { flex: 1; min-width: 0; height: 100%; padding: 0; border: 0; background: none; text-align: left; display: flex; flex-direction: column; justify-content: space-between; }
.dsw-line { display: flex; width: 100%; justify-content: space-between; align-items: baseline; gap: 8px; }
.dsw-line > *, .dsw-prompt { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; min-width: 0; }
.dsw-state { color: var(--dsw-colour); font-weight: 600; font-size: 12px; }
.dsw-price, .dsw-when { flex: none; font-size: 12px; font-variant-numeric: tabular-nums; }
.dsw-when, .dsw-facts { color: var(--dsw-soft); font-size: 11.5px; }
.dsw-prompt { width: 100%; display: block; } .dsw-is-none { color: var(--dsw-soft); }
.dsw-details { padding: 2px 12px 14px; display: flex; flex-direction: column; gap: 8px; }
.dsw-details > :empty { display: none; }
.dsw-stage video { display: block; width: 100%; max-height: 420px; border-radius: 6px; background: #000; }
.dsw-note { padding: 6px 8px; border-radius: 6px; font-size: 12px; white-space: pre-line; overflow-wrap: anywhere;
  background: linear-gradient(90deg, color-mix(in srgb, var(--dsw-busy) 35%, transparent) var(--done, 0%), transparent 0) var(--dsw-fill); }
.dsw-note.dsw-is-bad, .dsw-error { color: var(--dsw-bad); }
.dsw-error { font-size: 12px; white-space: pre-line; overflow-wrap: anywhere; }
.dsw-full { overflow-wrap: anywhere; }
.dsw-table { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 0; font-size: 12px; }
.dsw-table dt { color: var(--dsw-soft); } .dsw-table dd { margin: 0; overflow-wrap: anywhere; user-select: text; }
.dsw-actions { display: flex; flex-wrap: wrap; gap: 6px; }
.dsw-panel .dsw-button { padding: 4px 10px; border: 1px solid var(--dsw-line); border-radius: 6px; background: var(--dsw-fill); font-size: 12px; }
.dsw-panel .dsw-button:hover:not(:disabled) { border-color: var(--dsw-busy); }
.dsw-panel .dsw-button:disabled { opacity: .5; cursor: default; }
.dsw-panel .dsw-primary { background: #2f6fbd; border-color: #2f6fbd; color: #fff; }
.dsw-message { position: absolute; inset: 0; padding: 24px; display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 8px; text-align: center;
  overflow: auto; }
.dsw-is-away { visibility: hidden; }
.dsw-message strong { font-size: 14px; font-weight: 600; } .dsw-message p { margin: 0; max-width: 320px; color: var(--dsw-soft); white-space: pre-line; overflow-wrap: anywhere; }
.dsw-message .dsw-button { margin-top: 6px; }
`;

// Add the styles to the page, once.
export function addStyle() {
  const id = "dsw-panel-style";
  if (!document.getElementById(id)) document.head.append(element("style", { id, textContent: CSS }));
}
