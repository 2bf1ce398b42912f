// Where an axis has its marks.

const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440];

// Round values from 0 to at least *most*, about *wanted* of them; counts are *whole*.
export function marks(most, { wanted = 4, whole = false } = {}) {
  if (!(most > 0)) return [0, 1];
  const rough = Math.max(most / wanted, whole ? 1 : 0);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power)
    .find((one) => one >= rough * 0.999999 && !(whole && one % 1));
  const found = [];
  for (let place = 0; place <= Math.ceil(most / step - 1e-9); place += 1) {
    found.push(Number((place * step).toPrecision(12)));
  }
  return found;
}

// The powers of ten around what is between *least* and *most*.
export function powers(least, most) {
  const from = Math.floor(Math.log10(least) + 1e-9);
  const to = Math.max(from + 1, Math.ceil(Math.log10(most) - 1e-9));
  return Array.from({ length: to - from + 1 }, (_, place) => Number((10 ** (from + place)).toPrecision(3)));
}

// Full minutes or hours of this device's clock between two moments, at most *wanted*.
export function moments(from, to, wanted) {
  const span = (to - from) / 60;
  const step = 60 * (MINUTES.find((one) => span / one <= wanted) ?? 1440);
  const zone = 60 * new Date(1000 * to).getTimezoneOffset();
  const found = [];
  for (let at = Math.ceil((from - zone) / step) * step + zone; at <= to; at += step) found.push(at);
  return found;
}
