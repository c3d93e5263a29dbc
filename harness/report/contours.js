// Lines of equal height through a grid of values: marching squares.

/** The line at a height through n × n values, row by row, as a path over a square of this side; rows go upwards. */
function contour(values, n, height, side) {
  const path = new Path2D(), step = side / (n - 1);
  for (let j = 0; j + 1 < n; j++)
    for (let i = 0; i + 1 < n; i++) {
      const at = j * n + i, below = values[at] < height;
      if (values[at + 1] < height === below && values[at + n] < height === below && values[at + n + 1] < height === below) continue;
      const corners = [values[at], values[at + 1], values[at + n + 1], values[at + n]];
      const places = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]], crossed = [];
      for (let a = 0; a < 4; a++) {
        const b = (a + 1) % 4;
        if (corners[a] < height === corners[b] < height) continue;
        const share = (height - corners[a]) / (corners[b] - corners[a]);
        crossed.push(places[a].map((value, c) => value + share * (places[b][c] - value)));
      }
      for (let k = 0; k + 1 < crossed.length; k += 2) {
        path.moveTo(crossed[k][0] * step, side - crossed[k][1] * step);
        path.lineTo(crossed[k + 1][0] * step, side - crossed[k + 1][1] * step);
      }
    }
  return path;
}
