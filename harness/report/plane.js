// What a latent plane shows of a model: how far it goes, and its test points in colours.
const DIGITS = ["#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#d4a72c", "#b07aa1", "#ff7f9c", "#9c755f", "#7f7f7f"];
const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [240, 220, 60]];

function quantile(ascending, share) {
  return ascending[Math.round(share * (ascending.length - 1))];
}

/** The square that holds three standard deviations of the prior and nearly all test points. */
function viewOf({ points }) {
  if (!points) return { centre: [0, 0], half: 3.5 };
  const ends = [0, 1].map((k) => {
    const values = points.z.filter((_, i) => i % 2 === k).sort();
    return [Math.min(-3.2, quantile(values, 0.002)), Math.max(3.2, quantile(values, 0.998))];
  });
  const widest = Math.max(...ends.map(([low, high]) => high - low));
  return { centre: ends.map(([low, high]) => (low + high) / 2), half: 0.54 * widest };
}

/** Where a reader begins, and the ends of the first path: test points in the middle, far left and far right. */
function landmarks({ points }) {
  if (!points) return [[0, 0], [-1.5, 0], [1.5, 0]];
  const order = [...Array(points.n).keys()].sort((i, j) => points.z[2 * i] - points.z[2 * j]);
  return [0.5, 0.08, 0.92].map((share) => quantile(order, share)).map((i) => [...points.z.subarray(2 * i, 2 * i + 2)]);
}

function ramp(share) {
  const place = Math.max(0, Math.min(0.999, share)) * (RAMP.length - 1);
  const [from, to] = [RAMP[Math.floor(place)], RAMP[Math.floor(place) + 1]];
  return `rgb(${from.map((value, k) => Math.round(value + (to[k] - value) * (place % 1))).join(" ")})`;
}

/** Colour of each point, and the key to it. */
function colouring({ points }) {
  if (points.label) {
    const key = DIGITS.map((paint, digit) => make("span", {}, make("i", { style: `background:${paint}` }), String(digit)));
    return { of: (k) => DIGITS[points.label[k]], key: [say("by_label"), ...key] };
  }
  const bounds = points.bound.slice().sort();
  const [low, high] = [0.02, 0.98].map((share) => quantile(bounds, share));
  const stops = [0, 0.25, 0.5, 0.75, 1].map(ramp).join(",");
  const bar = make("span", { class: "ramp", style: `background:linear-gradient(90deg,${stops})` });
  return { of: (k) => ramp((points.bound[k] - low) / (high - low)), key: [say("by_bound"), print(low, 0), bar, print(high, 0)] };
}
