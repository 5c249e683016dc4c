// What was spent: today and this month against the limits, and the last 30 days as bars, each currency by itself.
import { element, money } from "./panel_dom.js";

const SUMS = [["today", "day"], ["month", "month"]]; // a sum and its limit

export function spendView(spending, texts) {
  const { limits = {}, days = [] } = spending;
  const used = (currency) => days.some((day) => day[currency]);
  const named = [spending.today, spending.month, limits.day, limits.month].flatMap((sums) => Object.keys(sums ?? {}));
  const inDays = days.flatMap((day) => Object.keys(day).filter((name) => name !== "day"));
  const currencies = [...new Set([...named, ...inDays])].sort();
  const view = element("section", { className: "dsw-spend", title: texts.spentTitle });
  if (!currencies.length) view.append(element("div", { className: "dsw-nothing", textContent: texts.nothingSpent }));
  for (const currency of currencies) {
    const sums = SUMS.map(([name, limit]) => sumView(texts[name], currency, spending[name]?.[currency] ?? 0, limits[limit]?.[currency], texts));
    view.append(element("div", { className: "dsw-sums" }, ...sums));
    if (used(currency)) view.append(barsView(currency, days, texts));
  }
  return view;
}

function sumView(name, currency, amount, limit, texts) {
  const sum = money(currency, amount);
  const made = element(
    "div",
    { className: "dsw-sum" },
    element("span", { className: "dsw-sum-name", textContent: name }),
    element("strong", { textContent: sum }),
  );
  if (limit != null) {
    const share = Math.min(1, limit > 0 ? amount / limit : 1);
    const meter = element("div", { className: "dsw-meter", aria: { hidden: true } }, element("i"));
    meter.firstChild.style.width = `${share * 100}%`;
    meter.classList.toggle("dsw-is-full", share >= 0.9);
    made.append(element("span", { className: "dsw-of", textContent: `${texts.limit} ${money(currency, limit)}` }), meter);
  }
  return made;
}

function barsView(currency, days, texts) {
  const amounts = days.map((day) => day[currency] ?? 0);
  const most = Math.max(...amounts);
  const total = amounts.reduce((sum, amount) => sum + amount, 0).toFixed(2);
  const bars = amounts.map((amount, i) => {
    const bar = element("i", { title: texts.dayLabel(days[i].day, money(currency, amount)) });
    bar.style.setProperty("--share", amount / most);
    bar.classList.toggle("dsw-is-zero", !amount);
    return bar;
  });
  return element(
    "figure",
    { className: "dsw-days" },
    element("div", { className: "dsw-bars", aria: { role: "img", label: texts.daysLabel(currency, total) } }, ...bars),
    element("figcaption", {}, element("span", { textContent: texts.days }), element("span", { textContent: money(currency, total) })),
  );
}
