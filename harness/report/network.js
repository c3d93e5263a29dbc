// The trained networks, computed here: hidden layers with their activation, then a linear one.
const models = JSON.parse(document.getElementById("models").textContent);

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Half-precision numbers as single-precision ones (IEEE 754 binary16, little-endian). */
function halves(text) {
  const packed = bytes(text);
  const values = new Float32Array(packed.length / 2);
  for (let k = 0; k < values.length; k++) {
    const half = packed[2 * k] | (packed[2 * k + 1] << 8);
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024);
    values[k] = half & 32768 ? -size : size;
  }
  return values;
}

function unpack(layer) {
  return { ...layer, weight: halves(layer.weight), bias: halves(layer.bias) };
}

/** W·input + b, W with a row for each output. */
function linear({ nIn, nOut, weight, bias }, input) {
  const output = new Float32Array(nOut);
  for (let i = 0, w = 0; i < nOut; i++) {
    let sum = bias[i];
    for (let j = 0; j < nIn; j++, w++) sum += weight[w] * input[j];
    output[i] = sum;
  }
  return output;
}

const ACTIVATIONS = { tanh: Math.tanh, softplus: (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))) };

function throughHidden(layers, activation, input) {
  return layers.reduce((h, layer) => linear(layer, h).map(ACTIVATIONS[activation]), input);
}

for (const model of Object.values(models)) {
  model.decoder = model.decoder.map(unpack);
  if (model.encoder) {
    const { hidden, mean, logVar } = model.encoder;
    model.encoder = { ...model.encoder, hidden: hidden.map(unpack), mean: unpack(mean), logVar: unpack(logVar) };
  }
  if (model.points) {
    model.points.z = halves(model.points.z);
    if (model.points.bound) model.points.bound = halves(model.points.bound);
    if (model.points.label) model.points.label = bytes(model.points.label);
  }
  if (model.digits) model.digits = model.digits.map((image) => Float32Array.from(bytes(image), (value) => value / 255));
}

/** E[x|z]: a pixel mean in [0, 1] for each pixel. */
function decode(name, z) {
  const layers = models[name].decoder;
  const output = linear(layers.at(-1), throughHidden(layers.slice(0, -1), models[name].activation, z));
  return output.map((value) => 1 / (1 + Math.exp(-value)));
}

/** q(z|x): mean and standard deviation. */
function encode(name, x) {
  const { activation, hidden, mean, logVar } = models[name].encoder;
  const h = throughHidden(hidden, activation, x);
  return { mean: linear(mean, h), deviation: linear(logVar, h).map((value) => Math.exp(value / 2)) };
}

/** An image of pixel means; ink on paper for MNIST, as bright as they are for others. */
function paint(context, name, pixels, left = 0, top = 0) {
  const { width, height } = models[name];
  const image = context.createImageData(width, height);
  pixels.forEach((value, k) => {
    const grey = 255 * (name === "mnist" ? 1 - value : value);
    image.data.set([grey, grey, grey, 255], 4 * k);
  });
  context.putImageData(image, left, top);
}

/** One draw of N(0, 1). */
function gaussian() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
