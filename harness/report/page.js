// Language, colours, and where each number comes from.
const strings = JSON.parse(document.getElementById("strings").textContent);
const root = document.documentElement;

/** A text of the page's own in the language shown, values inserted. */
function say(key, values = {}) {
  return strings[root.lang][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** A word of the results in the language shown, or a name as it is; numbers in it stand as # in the entry. */
function word(text) {
  const words = strings[root.lang], entry = words[`word.${text}`] ?? words[`word.${text.replace(/\d[\d.,]*/g, "#")}`];
  const numbers = text.match(/\d[\d.,]*/g) ?? [];
  return entry?.replace(/#/g, () => numbers.shift()) ?? text;
}

/** A new element with these attributes and children. */
function make(name, attributes = {}, ...children) {
  const svg = ["g", "path", "line", "circle", "text", "svg"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** As it is in print: what is computed of printed numbers adds up before the reader's eyes. */
const rounded = (value, digits) => Number(value.toFixed(digits));

/** Number in print, with a true minus sign. */
function print(value, digits) {
  return value.toFixed(digits).replace("-", "\u2212");
}

// Where a browser keeps nothing for files, the choice lasts as long as the page.
function remember(key, value) {
  try { localStorage.setItem(`aevb-${key}`, value); } catch { /* as above */ }
}
function remembered(key) {
  try { return localStorage.getItem(`aevb-${key}`); } catch { return null; }
}

function setLanguage(language) {
  root.lang = language;
  document.title = document.querySelector(`h1 [lang="${language}"]`).textContent;
  for (const button of document.querySelectorAll("[data-language]"))
    button.setAttribute("aria-pressed", button.dataset.language === language);
  for (const image of document.querySelectorAll("img[data-alt-en]")) image.alt = image.dataset[`alt${language === "ko" ? "Ko" : "En"}`];
  document.dispatchEvent(new Event("language"));
}
for (const button of document.querySelectorAll("[data-language]"))
  button.addEventListener("click", () => {
    setLanguage(button.dataset.language);
    remember("language", button.dataset.language);
    keep("lang", button.dataset.language);
  });

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const themeButton = document.getElementById("theme");
function setTheme(theme) {
  root.dataset.theme = theme;
  root.style.colorScheme = theme;
  themeButton.setAttribute("aria-pressed", theme === "dark");
  document.dispatchEvent(new Event("theme"));
}
themeButton.addEventListener("click", () => {
  const theme = root.dataset.theme === "dark" ? "light" : "dark";
  setTheme(theme);
  remember("theme", theme);
  keep("theme", theme);
});
prefersDark.addEventListener("change", () => remembered("theme") || setTheme(prefersDark.matches ? "dark" : "light"));
// Paper is light.
let onScreen = "light";
addEventListener("beforeprint", () => {
  onScreen = root.dataset.theme;
  setTheme("light");
});
addEventListener("afterprint", () => setTheme(onScreen));

const dialog = document.getElementById("origin");
document.addEventListener("click", (event) => {
  const from = event.target.closest("[data-from]")?.dataset.from;
  if (!from || getSelection().toString()) return;
  const records = from.split(" ").map((id) => {
    const source = document.getElementById(id);
    const title = make("h3", {}, ...[...source.querySelector("summary").childNodes].map((part) => part.cloneNode(true)));
    return make("article", {}, title, ...[...source.children].slice(1).map((part) => part.cloneNode(true)));
  });
  dialog.querySelector(".records").replaceChildren(...records);
  dialog.showModal();
  dialog.scrollTop = 0;
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.closest(".close")) dialog.close();
});

// The reader's range of the charts, or the paper's.
function setRange(range) {
  root.dataset.range = range;
  for (const button of document.querySelectorAll("button[data-range]"))
    button.setAttribute("aria-pressed", button.dataset.range === range);
}
for (const button of document.querySelectorAll("button[data-range]"))
  button.addEventListener("click", () => {
    setRange(button.dataset.range);
    keep("range", button.dataset.range);
  });

setRange(kept("range", ["ours", "paper"]) ?? "ours");
setTheme(kept("theme", ["light", "dark"]) ?? remembered("theme") ?? (prefersDark.matches ? "dark" : "light"));
setLanguage(kept("lang", ["en", "ko"]) ?? remembered("language") ?? (navigator.language.startsWith("ko") ? "ko" : "en"));
reveal();
