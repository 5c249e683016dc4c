// What the panel's parts share: elements, money and dates. Texts go in as text only.

// Make an element. `properties` are set on it; `children` are elements or texts.
export function element(tag, properties = {}, ...children) {
  const { dataset, aria, ...plain } = properties;
  const made = Object.assign(document.createElement(tag), plain);
  Object.assign(made.dataset, dataset);
  for (const [name, value] of Object.entries(aria ?? {})) made.setAttribute(name === "role" ? name : `aria-${name}`, value);
  made.append(...children.filter((child) => child != null));
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export const money = (currency, amount) => `${currency} ${Number(amount).toFixed(2)}`;

// Formats are slow to make: each is made once.
const formats = new Map();

function format(seconds, locale, options) {
  const name = locale + JSON.stringify(options);
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat(locale, options));
  return formats.get(name).format(seconds * 1000);
}

// Return a moment in epoch seconds as short as it is clear: the time today, else the day.
export function when(seconds, locale) {
  const date = new Date(seconds * 1000);
  const now = new Date();
  if (date.toDateString() === now.toDateString()) return format(seconds, locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const year = date.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return format(seconds, locale, { year, month: "short", day: "numeric" });
}

export const whenInFull = (seconds, locale) => format(seconds, locale, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

export async function copy(text) {
  if (navigator.clipboard?.writeText) {
    try {
      return await navigator.clipboard.writeText(text).then(() => true);
    } catch { /* then the old way, as on a page without https */ }
  }
  const field = element("textarea", { value: text });
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}
