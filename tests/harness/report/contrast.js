// The lowest contrast of each kind of text, and of each kind of stroke, with what lies behind it.
const channel = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

function rgb(colour) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
}

function luminance(colour) {
  const [r, g, b] = rgb(colour).map((v) => channel(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
}

/** The colour that an element stands on. */
function ground(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (rgb(colour)[3] > 200) return colour;
  }
  return "white";
}

function texts() {
  const found = {};
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("script, style, .unseen, .skip")) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.6 && style.fontWeight >= 600);
    const name = [large ? "large" : "text", element.tagName.toLowerCase(), ...element.classList].join(" ");
    const colour = element.closest("svg") ? style.fill : style.color;
    found[name] = Math.min(found[name] ?? 99, contrast(colour, ground(element)));
  }
  return found;
}

function strokes() {
  const found = {}, page = getComputedStyle(document.body).backgroundColor;
  for (const path of document.querySelectorAll(".plot :is(.stroke, .dot, .bar), .legend .stroke")) {
    const style = getComputedStyle(path), name = [...path.classList].join(" ");
    const colour = path.matches(".stroke, .hollow") ? style.stroke : style.fill;
    found[name] = Math.min(found[name] ?? 99, contrast(colour, page));
  }
  return found;
}
return [texts(), strokes()];
