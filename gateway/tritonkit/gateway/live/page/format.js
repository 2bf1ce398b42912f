// Numbers as people read them. Nothing known is a dash.

const NONE = "–";

function known(value) {
  return typeof value === "number" && Number.isFinite(value);
}

// Three digits that count, thousands apart.
export function number(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e7) return `${digits(value / 1e6)} M`;
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en-GB");
  return digits(value);
}

function digits(value) {
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-GB");
  if (size >= 10) return value.toFixed(1);
  if (size >= 0.995) return value.toFixed(2);
  return String(Number(value.toPrecision(2)));
}

export function count(value) {
  return known(value) ? Math.round(value).toLocaleString("en-GB") : NONE;
}

export function percent(share) {
  if (!known(share)) return NONE;
  const value = 100 * share;
  if (value === 0 || value === 100) return `${value} %`;
  if (value < 0.1) return "< 0.1 %";
  return `${value > 99.9 && value < 100 ? "> 99.9" : value.toFixed(value < 10 ? 1 : 0)} %`;
}

export function seconds(value) {
  if (!known(value)) return NONE;
  if (value === 0) return "0 ms";
  if (value < 0.9995e-3) return `${digits(1e6 * value)} µs`;
  if (value < 0.9995) return `${digits(1e3 * value)} ms`;
  return `${digits(value)} s`;
}

// Costs travel in millionths.
export function cost(millionths) {
  if (!known(millionths)) return NONE;
  if (millionths === 0) return "0";
  if (Math.abs(millionths) < 1e5) return `${number(millionths)} µ`;
  return number(millionths / 1e6);
}

export function lasting(value) {
  if (!known(value)) return NONE;
  const whole = Math.max(0, Math.round(value));
  const parts = [
    [Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"],
  ];
  const first = parts.findIndex(([size]) => size > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([size]) => size > 0).map(([size, unit]) => `${size} ${unit}`).join(" ");
}

// What is left until something ends: 4:48.
export function countdown(value) {
  const whole = Math.max(0, Math.ceil(value));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function two(value) {
  return String(value).padStart(2, "0");
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

// To the "day", "minute", "day and minute", "second" or "tenth" of one.
export function clock(at, precision = "second") {
  const date = new Date(1000 * at);
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (precision === "minute") return minutes;
  const day = `${DAYS[date.getDay()]} ${date.getDate()}`;
  if (precision === "day") return day;
  if (precision === "day and minute") return `${day}, ${minutes}`;
  const whole = `${minutes}:${two(date.getSeconds())}`;
  if (precision === "second") return whole;
  return `${whole}.${String(Math.floor(date.getMilliseconds() / 100))}`;
}

// With its day where that is not the last twelve hours'.
export function moment(at, now) {
  if (now - at < 43200) return clock(at);
  const date = new Date(1000 * at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(at, "minute")}`;
}

export function plural(value, one, many) {
  return `${count(value)} ${value === 1 ? one : many}`;
}
