// The extension's texts in ComfyUI's language. The names of nodes, inputs and options are in the folder `locales`.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const en = {
  unused: "not supported by this model",
  needed: "required by this model",
  price: "Price",
  estimate: "Estimate: list price x seconds x videos.",
  estimateOfImages: "Estimate: list price x seconds x images. A batch makes one video per image.",
  estimateWithClips: "Estimate: list price x seconds. The seconds of clips are charged as well.",
  videos: (count, cost) => `${count} videos, ${cost[0].toLowerCase()}${cost.slice(1)}`,
  upTo: (least, most) => (least === most ? least : `${least} to ${most}`),
  ofClips: (second) => `${second}/s of clips`,
  ofClip: (second) => `${second}/s of the clip`,
  linked: "The price depends on linked values",
  somewhere: "The price depends on the region",
  regions: {},
  about: (amount, region, date) => `about ${amount} in ${region} (list of ${date})`,
  free: (region) => `free of charge (${region})`,
  unlisted: (region) => `no list price in ${region}`,
  elsewhere: (model, region) => `${model} is not available in ${region}`,
  unchanged: "unchanged: nothing was paid; change the seed for a new video",
  interrupted: "interrupted; run again to go on",
  finished: "finished while the page was not connected; the video is saved",
};

const zh = {
  unused: "此模型不支持",
  needed: "此模型必需",
  price: "价格",
  estimate: "估价：目录价 × 秒数 × 视频数。",
  estimateOfImages: "估价：目录价 × 秒数 × 图像数。批次中每张图像生成一个视频。",
  estimateWithClips: "估价：目录价 × 秒数。片段的秒数也计费。",
  videos: (count, cost) => `${count} 个视频，${cost}`,
  upTo: (least, most) => (least === most ? least : `${least} 至 ${most}`),
  ofClips: (second) => `${second}/秒（片段）`,
  ofClip: (second) => `${second}/秒（片段）`,
  linked: "价格取决于连线传入的值",
  somewhere: "价格取决于地域",
  regions: {
    beijing: "北京",
    singapore: "新加坡",
    virginia: "弗吉尼亚",
    frankfurt: "法兰克福",
    tokyo: "东京",
    hongkong: "中国香港",
    offline: "离线模式",
  },
  about: (amount, region, date) => `约 ${amount}，${region}（${date} 价目）`,
  free: (region) => `免费（${region}）`,
  unlisted: (region) => `${region}价目中无此规格`,
  elsewhere: (model, region) => `${region}不提供 ${model}`,
  unchanged: "未改动：未产生费用；如需新视频，请更改种子",
  interrupted: "已中断；再次运行即可继续",
  finished: "页面断开期间已完成；视频已保存",
};

export function strings() {
  return inLanguage({ en, zh });
}

// Return the words in ComfyUI's language.
export function inLanguage(words) {
  return locale()?.startsWith("zh") ? words.zh : words.en;
}

// Where no language is chosen in ComfyUI's settings, the server only knows the page's from here.
export function tellLanguage() {
  const body = JSON.stringify({ language: locale() ?? "" });
  api.fetchApi("/dashscope_wan/language", { method: "POST", headers: { "Content-Type": "application/json" }, body }).catch(() => {});
}

function locale() {
  return app.extensionManager?.setting?.get("Comfy.Locale") ?? navigator.language;
}
