// The trained networks, computed here: hidden layers with their activation, then linear ones.
// They are unpacked after the page is first shown; each that is ready is told of by the event "model".
const models = {};

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

const DIGITS_85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%.()*+-;,=>?@^_`{|}~";

/** Five letters of base 85 are four bytes; of the last ones fewer, where letters are missing. */
function bytesOf85(text) {
  const digit = new Uint8Array(128), missing = (5 - (text.length % 5)) % 5, whole = text + "~".repeat(missing);
  const packed = new Uint8Array((whole.length / 5) * 4);
  for (let k = 0; k < 85; k++) digit[DIGITS_85.charCodeAt(k)] = k;
  for (let from = 0, to = 0; from < whole.length; from += 5, to += 4) {
    let value = 0;
    for (let k = 0; k < 5; k++) value = value * 85 + digit[whole.charCodeAt(from + k)];
    packed[to] = value >>> 24;
    packed[to + 1] = value >>> 16;
    packed[to + 2] = value >>> 8;
    packed[to + 3] = value;
  }
  return packed.subarray(0, packed.length - missing);
}

async function inflate(text) {
  const stream = new Blob([bytesOf85(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Weights of a layer: multiples of a step, signs in the lowest bit, all high bytes before all low ones, deflated. */
async function unpackWeights({ nIn, nOut, step, weight }) {
  const planes = await inflate(weight), n = nIn * nOut, values = new Float32Array(n);
  for (let k = 0; k < n; k++) {
    let folded = 0;
    for (let at = k; at < planes.length; at += n) folded = (folded << 8) | planes[at];
    values[k] = ((folded >> 1) ^ -(folded & 1)) * step;
  }
  return values;
}

/** A layer; one of few weights has them as they are. */
async function unpackLayer(layer) {
  const { nIn, nOut, exact, bias, inner } = layer;
  const weight = exact === undefined ? await unpackWeights(layer) : floats(exact);
  return { nIn, nOut, weight, bias: floats(bias), inner: inner && (await unpackLayer(inner)) };
}

async function unpackModel(content) {
  const network = async (part) => {
    const unpacked = { ...part, hidden: await Promise.all(part.hidden.map(unpackLayer)) };
    for (const name of ["output", "mean", "logVar"]) if (part[name]) unpacked[name] = await unpackLayer(part[name]);
    return unpacked;
  };
  const { points, table } = content;
  return {
    ...content,
    decoder: await network(content.decoder),
    encoder: await network(content.encoder),
    images: content.images?.map((image) => Float32Array.from(bytes(image), (value) => value / 255)),
    points: points && { n: points.n, z: Float32Array.from(new Int16Array(bytes(points.z).buffer), (value) => value * points.step), label: points.label && bytes(points.label) },
    table: table && { ...table, softplus: floats(table.softplus) },
  };
}

/** What W is applied to: the input itself, or what a linear layer within this one makes of it. */
const inputOf = (layer, input) => (layer.inner ? linear(layer.inner, input) : input);

/** W·input + b, W with a row for each output; of four rows at once, so that the input is read once for them. */
function linear(layer, given) {
  const { nIn, nOut, weight, bias } = layer, input = inputOf(layer, given);
  const output = new Float32Array(nOut);
  let i = 0;
  for (; i + 3 < nOut; i += 4) {
    const p = i * nIn, q = p + nIn, r = q + nIn, s = r + nIn;
    let a = bias[i], b = bias[i + 1], c = bias[i + 2], d = bias[i + 3];
    for (let j = 0; j < nIn; j++) {
      const value = input[j];
      a += weight[p + j] * value;
      b += weight[q + j] * value;
      c += weight[r + j] * value;
      d += weight[s + j] * value;
    }
    output[i] = a;
    output[i + 1] = b;
    output[i + 2] = c;
    output[i + 3] = d;
  }
  for (; i < nOut; i++) {
    let sum = bias[i];
    for (let j = 0, w = i * nIn; j < nIn; j++, w++) sum += weight[w] * input[j];
    output[i] = sum;
  }
  return output;
}

/** The same where most of the input is zero, as of an image of ink. */
function linearOfInk(layer, input) {
  const inked = [];
  for (let j = 0; j < layer.nIn; j++) if (input[j]) inked.push(j);
  if (inked.length > layer.nIn / 2) return linear(layer, input);
  const places = Int32Array.from(inked), output = Float32Array.from(layer.bias);
  for (let i = 0; i < layer.nOut; i++) {
    const row = i * layer.nIn;
    let sum = 0;
    for (let k = 0; k < places.length; k++) sum += layer.weight[row + places[k]] * input[places[k]];
    output[i] += sum;
  }
  return output;
}

const sigmoid = (a) => 1 / (1 + Math.exp(-a));
const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));

/** The hidden layers' answer; the input itself where there are none. */
function hiddenOf({ hidden, activation }, input, first = linear) {
  const act = activation === "tanh" ? Math.tanh : softplus;
  return hidden.reduce((h, layer, k) => (k ? linear : first)(layer, h).map(act), input);
}

/** p(x|z): the mean of each pixel, and its logit (Bernoulli) or its log σ² (Gaussian). */
function decode({ decoder }, z) {
  const h = hiddenOf(decoder, z), output = linear(decoder.output, h);
  const mean = decoder.squash ? output.map(sigmoid) : output;
  if (!decoder.logVar) return { mean, logits: output };
  return { mean, logVar: linear(decoder.logVar, { hidden: h, latent: z, constant: [] }[decoder.logVarOf]) };
}

/** q(z|x): μ, log σ² and σ. */
function encode({ encoder }, x) {
  const h = hiddenOf(encoder, x, linearOfInk), logVar = linear(encoder.logVar, h);
  return { mean: linear(encoder.mean, h), logVar, deviation: logVar.map((value) => Math.exp(value / 2)) };
}

/** An image of pixels; ink on paper for MNIST, as bright as they are for others. */
function paint(context, { width, height, dataset }, pixels, left = 0, top = 0) {
  const image = context.createImageData(width, height), ink = dataset === "mnist";
  for (let k = 0; k < pixels.length; k++) {
    const grey = 255 * (ink ? 1 - pixels[k] : pixels[k]);
    image.data[4 * k] = image.data[4 * k + 1] = image.data[4 * k + 2] = grey;
    image.data[4 * k + 3] = 255;
  }
  context.putImageData(image, left, top);
}

/** A generator of numbers in [0, 1) that begins the same each time. */
function seeded(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One draw of N(0, 1). */
function gaussian(random = Math.random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** What the page holds deflated: the records of where numbers come from, and the charts' values. */
async function unhold() {
  const text = new TextDecoder().decode(await inflate(document.getElementById("held").textContent));
  const { records, readouts } = JSON.parse(text), aimed = target();
  document.getElementById("fold-provenance").insertAdjacentHTML("beforeend", records);
  document.querySelectorAll(".plot > script").forEach((script, k) => { script.textContent = JSON.stringify(readouts[k]); });
  if (!aimed) reveal();
  document.dispatchEvent(new Event("unheld"));
}

async function loadModels() {
  await unhold();
  for (const [name, content] of Object.entries(JSON.parse(document.getElementById("models").textContent))) {
    models[name] = await unpackModel(content);
    document.dispatchEvent(new CustomEvent("model", { detail: name }));
  }
}
requestAnimationFrame(() => setTimeout(loadModels));
